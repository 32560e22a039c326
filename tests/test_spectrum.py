"""Match patterns, Möbius weights and the sparse feature map."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from ntklib.spectrum import (
    Feature,
    FeatureColumns,
    FeatureMap,
    Pattern,
    Units,
    distinct,
    feature_spectrum,
    match_patterns,
    moebius_weights,
    pattern_name,
    weighted_gram,
)


def random_units(seed: int, count: int, context: int, vocabulary: int = 4) -> Units:
    rng = np.random.default_rng(seed)
    return Units(
        rng.integers(-2, vocabulary, (count, context)), np.sort(rng.integers(0, 5, count)), rng.random(count)
    )


def smooth_kernel(matches):
    """A unit kernel with every interaction: a power series of the number of matches."""
    return {"output": np.exp(matches.sum(axis=-1)), "hidden": 1.0 + matches[..., 0] * matches[..., -1]}


@pytest.mark.parametrize("context", [1, 2, 3, 4])
def test_moebius_weights_rebuild_the_unit_kernel_they_came_from(context):
    weights = moebius_weights(smooth_kernel, context)
    for matched in match_patterns(context):
        vector = np.isin(np.arange(context), matched)[None, :]
        rebuilt = sum(weights.loc[[p]].to_numpy()[0] for p in weights.index if set(p) <= set(matched))
        expected = [values[0] for values in smooth_kernel(vector).values()]
        assert rebuilt == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("context", [1, 2, 3])
def test_feature_map_inner_product_equals_the_sum_over_pairs_of_units(context):
    first, second = random_units(0, 30, context), random_units(1, 40, context, vocabulary=6)
    patterns = match_patterns(context)
    columns = FeatureColumns(first, patterns)
    weights = moebius_weights(smooth_kernel, context).sum(axis=1).to_numpy()[columns.pattern_index]
    by_features = weighted_gram(columns.encode(first, 5), columns.encode(second, 5), weights)
    by_pairs = np.zeros((5, 5))
    for t in range(30):
        for s in range(40):
            pair = sum(smooth_kernel((first.tokens[t] == second.tokens[s])[None, :]).values())[0]
            by_pairs[first.documents[t], second.documents[s]] += first.weights[t] * second.weights[s] * pair
    assert by_features == pytest.approx(by_pairs, rel=1e-12)


def test_columns_name_their_pattern_and_tokens():
    units = Units(np.array([[7, 3], [7, 5]]), np.array([0, 0]), np.ones(2))
    columns = FeatureColumns(units, match_patterns(2))
    assert list(columns) == [
        Feature((), ()),
        Feature((0,), (7,)),
        Feature((1,), (3,)),
        Feature((1,), (5,)),
        Feature((0, 1), (7, 3)),
        Feature((0, 1), (7, 5)),
    ]
    assert columns[-1] == Feature((0, 1), (7, 5))
    assert columns[1:3] == [Feature((0,), (7,)), Feature((1,), (3,))]


def test_columns_name_the_feature_that_encode_counts():
    units = random_units(3, 50, 3)
    columns = FeatureColumns(units, match_patterns(3))
    matrix = columns.encode(units, 5).toarray()
    for place, (pattern, tokens) in enumerate(columns):
        holds = (units.tokens[:, list(pattern)] == np.array(tokens, dtype=int)).all(axis=1)
        counted = np.bincount(units.documents[holds], weights=units.weights[holds], minlength=5)
        assert matrix[:, place] == pytest.approx(counted)


def test_tokens_never_seen_get_no_column():
    columns = FeatureColumns(Units(np.array([[2], [4]]), np.array([0, 1]), np.ones(2)), match_patterns(1))
    new = Units(np.array([[3], [9], [-1]]), np.array([0, 0, 0]), np.ones(3))
    assert columns.encode(new, 1).toarray().tolist() == [[3.0, 0.0, 0.0]]


def test_gram_of_frequent_and_rare_columns_equals_the_dense_product():
    rng = np.random.default_rng(0)
    dense_a, dense_b = ((rng.random((n, 200)) < rng.random(200) ** 6) * 1.0 for n in (120, 90))
    weights = rng.random(200)
    gram = weighted_gram(sparse.csr_array(dense_a), sparse.csr_array(dense_b), weights)
    assert gram == pytest.approx((dense_a * weights) @ dense_b.T, rel=1e-12)


def test_spectrum_puts_all_larger_patterns_into_the_last_share():
    weights = moebius_weights(smooth_kernel, 4)
    shares = feature_spectrum(weights, 2)
    assert shares.sum() == pytest.approx(1)
    assert shares.index.tolist() == [0, 1, 2]
    assert shares[2] == pytest.approx(feature_spectrum(weights, 4)[2:].sum())


def test_negative_order_is_refused():
    with pytest.raises(ValueError, match="order must be an integer, 0 or larger, not -1"):
        feature_spectrum(moebius_weights(smooth_kernel, 1), -1)


def test_a_kernel_that_cannot_fit_is_refused_with_the_alternative():
    empty = sparse.csr_array((10**8, 1))
    with pytest.raises(MemoryError, match=r"A kernel of 100,000,000 x 100,000,000 needs .* feature_map"):
        weighted_gram(empty, empty, np.ones(1))


def test_a_pattern_is_the_tuple_of_its_offsets_unless_it_reaches_beyond_them():
    plain, longer = Pattern((0, 2)), Pattern((0, 2), reach=5)
    assert plain == (0, 2)
    assert hash(plain) == hash((0, 2))
    assert longer != plain
    assert longer != (0, 2)
    assert longer == Pattern((0, 2), reach=5)
    assert longer.reach == 5
    assert Pattern((0, 2), reach=1).reach == 3
    assert len({plain, longer, Pattern((0, 2))}) == 2


@pytest.mark.parametrize("context", [1, 3, 5])
def test_weights_of_a_family_equal_those_of_all_patterns(context):
    every = moebius_weights(smooth_kernel, context)
    again = moebius_weights(smooth_kernel, context, list(every.index))
    assert again.to_numpy() == pytest.approx(every.to_numpy(), rel=1e-12, abs=1e-12)


def test_units_too_short_for_a_pattern_do_not_hold_it():
    units = Units(np.array([[7, 3], [7, 7]]), np.array([0, 1]), np.ones(2), np.array([2, 1]))
    columns = FeatureColumns(units, [Pattern(), Pattern((0,)), Pattern((0,), reach=2), Pattern((1,))])
    assert columns.encode(units, 2).toarray().tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert columns[2].pattern.reach == 2
    assert columns[3].tokens == (3,)


def test_documents_shorter_than_the_columns_are_encoded():
    columns = FeatureColumns(Units(np.array([[7, 3, 2]]), np.array([0]), np.ones(1)), match_patterns(3))
    short = Units(np.array([[7]]), np.array([0]), np.ones(1), np.array([1]))
    assert columns.encode(short, 1).sum() == 2


@pytest.mark.parametrize(
    ("pattern", "name", "shown"),
    [
        (Pattern(), "bias", "()"),
        (Pattern((0,)), "offset 0", "(0,)"),
        (Pattern((0, 2)), "offsets 0, 2", "(0, 2)"),
        (Pattern((0,), reach=4), "offset 0 of 4 or more", "(0,) of 4 or more"),
        (Pattern((), reach=1), "bias of 1 or more", "() of 1 or more"),
    ],
)
def test_patterns_are_named_and_shown(pattern, name, shown):
    assert pattern_name(pattern) == name
    assert repr(pattern) == shown


def test_plain_tuples_are_named_too():
    assert [pattern_name(plain) for plain in ((), (3,), (1, 2))] == ["bias", "offset 3", "offsets 1, 2"]


@pytest.mark.parametrize(
    ("pattern", "reach", "beyond"),
    [
        (Pattern(), 0, False),
        (Pattern((), 1), 1, True),
        (Pattern((2,)), 3, False),
        (Pattern((2,), 4), 4, True),
    ],
)
def test_reach_is_what_the_offsets_need_unless_longer(pattern, reach, beyond):
    assert pattern.reach == reach
    assert pattern.reaches_beyond is beyond
    assert pattern == Pattern(tuple(pattern), reach)
    assert (pattern == tuple(pattern)) is not beyond
    assert pattern != list(pattern)


def test_columns_show_how_many_they_are():
    columns = FeatureColumns(Units(np.array([[7, 3]]), np.array([0]), np.ones(1)), match_patterns(2))
    assert repr(columns) == "FeatureColumns(4 features of 4 patterns)"
    assert len(columns) == 4
    assert columns.pattern_index.tolist() == [0, 1, 2, 3]
    assert columns.starts.tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(IndexError):
        columns[4]


def test_columns_of_no_units_find_nothing_in_later_ones():
    nothing = Units(np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))
    columns = FeatureColumns(nothing, match_patterns(2))
    assert len(columns) == 1
    some = Units(np.array([[7, 3], [2, 2]]), np.array([0, 1]), np.array([1.0, 0.5]))
    assert columns.encode(some, 2).toarray().tolist() == [[1.0], [0.5]]


def test_tokens_whose_codes_would_collide_with_known_ones_are_not_taken_for_them():
    """Codes are parent · span + token: a token beyond the span would be the next parent's."""
    columns = FeatureColumns(
        Units(np.array([[0, 0], [1, 1]]), np.array([0, 1]), np.ones(2)), match_patterns(2)
    )
    beyond = Units(np.array([[0, 3], [1, -1], [0, 2]]), np.array([0, 1, 2]), np.ones(3))
    assert columns.encode(beyond, 3).toarray().tolist() == [
        [1, 1, 0, 0, 0, 0, 0],
        [1, 0, 1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0],
    ]


def test_repeated_units_add_their_weights_in_one_entry():
    units = Units(np.array([[1], [1], [2]]), np.array([0, 0, 0]), np.array([0.25, 0.5, 2.0]))
    matrix = FeatureColumns(units, match_patterns(1)).encode(units, 1)
    assert matrix.toarray().tolist() == [[2.75, 0.75, 2.0]]
    assert matrix.nnz == 3


def test_spectrum_names_its_axis_and_itself():
    shares = feature_spectrum(moebius_weights(smooth_kernel, 2), 1)
    assert shares.index.name == "order"
    assert shares.name == "share"


def test_zero_order_puts_everything_into_one_share():
    assert feature_spectrum(moebius_weights(smooth_kernel, 2), 0).tolist() == pytest.approx([1.0])


def test_a_spectrum_of_nothing_is_refused():
    nothing = moebius_weights(lambda matches: {"output": matches.sum(axis=1) * 0.0}, 1)
    message = "^pattern_weights are all zero: the activation is zero everywhere, and has no spectrum\\.$"
    with pytest.raises(ValueError, match=message):
        feature_spectrum(nothing, 1)


def test_memory_for_a_kernel_is_the_result_and_twice_as_much_to_work_in():
    empty = sparse.csr_array((10**6, 1)), sparse.csr_array((10**8, 1))
    with pytest.raises(MemoryError, match=r"A kernel of 1,000,000 x 100,000,000 needs 2,400,000\.0 GB"):
        weighted_gram(*empty, np.ones(1))


def test_weights_of_one_group_are_its_own():
    table = moebius_weights(smooth_kernel, 2)
    units = random_units(5, 20, 2)
    columns = FeatureColumns(units, list(table.index))
    features = FeatureMap(columns.encode(units, 5), columns, table, np.zeros(5))
    for group in ("output", "hidden"):
        assert features.group_weights(group) == pytest.approx(table[group].to_numpy()[columns.pattern_index])
    assert features.weights == pytest.approx(
        features.group_weights("output") + features.group_weights("hidden")
    )
    matrix, weights, same = features
    assert matrix is features.matrix
    assert weights == pytest.approx(features.weights)
    assert same is columns


def test_a_family_of_patterns_gets_its_own_weights_however_long_the_context():
    """The kernel of 40 offsets reads two of them: no 2^40 values are made."""
    family = [Pattern(), Pattern((0,)), Pattern((39,)), Pattern((0, 39))]
    weights = moebius_weights(
        lambda matches: {"output": 1.0 + 2.0 * matches[:, 0] + 4.0 * matches[:, 0] * matches[:, 39]},
        40,
        family,
    )
    assert weights.index.tolist() == family
    assert weights["output"].tolist() == pytest.approx([1.0, 2.0, 0.0, 4.0])


def test_weights_of_an_integer_kernel_are_floats():
    weights = moebius_weights(lambda matches: {"output": matches.sum(axis=1)}, 2)
    assert weights["output"].dtype == np.float64
    assert weights["output"].tolist() == [0.0, 1.0, 1.0, 0.0]


def blocks_of_units(shared: FeatureColumns | None, weights) -> tuple[list[FeatureMap], FeatureMap]:
    """Return feature maps of five blocks of documents, one without n-grams, and the map of all at once."""
    documents = np.array([0, 0, 1, 2, 2, 2, 3, 5, 5, 6])
    tokens = np.array([[7, 3], [7, 5], [4, 4], [9, 7], [7, 3], [-2, 5], [11, -1], [7, 3], [4, 9], [0, 0]])
    lengths = np.where(np.isin(documents, [1, 6]), 1, 2)
    whole = Units(tokens, documents, np.linspace(0.5, 1.5, len(documents)), lengths)
    bounds = [(0, 1), (1, 2), (2, 4), (4, 6), (6, 7)]  # document 4 is empty
    patterns = match_patterns(2)
    parts = []
    for start, stop in bounds:
        own = (start <= documents) & (documents < stop)
        units = Units(tokens[own], documents[own] - start, whole.weights[own], lengths[own])
        columns = shared or FeatureColumns(units, patterns)
        error = np.arange(start, stop) / 10
        parts.append(FeatureMap(columns.encode(units, stop - start), columns, weights, error))
    columns = FeatureColumns(whole, patterns)
    return parts, FeatureMap(columns.encode(whole, 7), columns, weights, np.arange(7) / 10)


@pytest.mark.parametrize("share_columns", [False, True])
@pytest.mark.parametrize("piece", [1, 3, 2**18])
def test_joined_maps_are_the_map_of_all_documents_at_once(share_columns, piece, monkeypatch):
    monkeypatch.setattr(distinct, "AT_ONCE", piece)
    weights = moebius_weights(smooth_kernel, 2)
    whole = blocks_of_units(None, weights)[1]
    parts = blocks_of_units(whole.columns if share_columns else None, weights)[0]
    joined = FeatureMap.joined(iter(parts), whole.matrix.nnz + 3)
    assert list(joined.columns) == list(whole.columns)
    assert (joined.columns is whole.columns) == share_columns
    assert joined.matrix.shape == whole.matrix.shape
    assert joined.matrix.has_canonical_format
    for name, kind in (("indptr", np.int32), ("indices", np.int32), ("data", np.float64)):
        found = getattr(joined.matrix, name)
        assert found.dtype == kind  # small indices: they are most of the memory
        assert found.tolist() == getattr(whole.matrix, name).tolist()
    assert joined.error_bound.tolist() == whole.error_bound.tolist()
    assert joined.pattern_weights is weights
    assert joined.columns.encode(Units(np.array([[7, 3]]), np.array([0]), np.ones(1)), 1).nnz == 4


def test_the_union_says_where_the_columns_of_each_part_went():
    parts, whole = blocks_of_units(None, moebius_weights(smooth_kernel, 2))
    columns, places = FeatureColumns.union([part.columns for part in parts])
    assert list(columns) == list(whole.columns)
    for part, own in zip(parts, places, strict=True):
        assert (np.diff(own) > 0).all()
        assert [columns[place] for place in own.tolist()] == list(part.columns)


def test_maps_of_other_weights_or_patterns_do_not_join():
    weights = moebius_weights(smooth_kernel, 2)
    parts, _ = blocks_of_units(None, weights)
    other = replace(parts[1], pattern_weights=2 * weights)
    with pytest.raises(
        ValueError, match=r"^parts must have the same pattern weights: make them with the same"
    ):
        FeatureMap.joined([parts[0], other], 100)
    tokens = FeatureColumns(Units(np.array([[1]]), np.array([0]), np.ones(1)), match_patterns(1))
    with pytest.raises(ValueError, match=r"^parts must have the same patterns: make them with the same"):
        FeatureColumns.union([parts[0].columns, tokens])


def test_a_column_in_one_document_of_thirty_two_counts_in_a_kernel():
    """It is neither frequent nor rare by more than nothing, and must be in one of the two products."""
    first, second = np.eye(32), np.ones((2, 32))
    gram = weighted_gram(sparse.csr_array(first), sparse.csr_array(second), np.arange(1.0, 33.0))
    assert gram.tolist() == [[place, place] for place in np.arange(1.0, 33.0)]


def test_units_that_are_not_in_the_order_of_their_documents_are_refused():
    with pytest.raises(ValueError, match="documents must not decrease"):
        Units(np.array([[1], [2]]), np.array([1, 0]), np.ones(2))


@pytest.mark.parametrize(("firsts", "seconds"), [(1, 5), (30, 7), (300, 40), (3, 10**6), (10**5, 4)])
@pytest.mark.parametrize("size", [1, 100, 2000])
def test_distinct_pairs_are_those_that_numpy_finds(firsts, seconds, size):
    rng = np.random.default_rng(size)
    first, second = rng.integers(0, firsts, size), rng.integers(0, seconds, size)
    codes, places = distinct.distinct_pairs(first, firsts, second, seconds)
    right, inverse = np.unique(first * seconds + second, return_inverse=True)
    np.testing.assert_array_equal(codes, right)
    np.testing.assert_array_equal(places, inverse)
    assert (codes.dtype, places.dtype) == (np.int64, np.int32)  # places are most of the memory


@pytest.mark.parametrize(("size", "kind"), [(0, "int32"), (2**31 - 1, "int32"), (2**31, "int64")])
def test_an_index_has_32_bits_where_they_hold_every_number_up_to_the_size(size, kind):
    assert distinct.smallest_index(size) == np.dtype(kind)


def test_codes_beyond_31_bits_are_kept_apart():
    """Numbers of 32 bits are what the levels hold: their products are not."""
    first = np.array([100_000, 5, 100_000, 0], dtype=np.int32)
    second = np.array([7, 7, 7, 199_999], dtype=np.int32)
    codes, places = distinct.distinct_pairs(first, 200_000, second, 200_000)
    assert codes.tolist() == [199_999, 5 * 200_000 + 7, 100_000 * 200_000 + 7]
    assert places.tolist() == [2, 1, 2, 0]


def test_bigrams_of_a_large_vocabulary_are_joined_and_found_again():
    """The codes of their tokens, parent · span + token, are beyond 31 bits."""
    tokens = np.stack([np.arange(3000), 10**6 + np.arange(3000)], axis=1).astype(np.int32)
    parts = [
        FeatureColumns(Units(some, np.arange(len(some)), np.ones(len(some))), match_patterns(2))
        for some in (tokens[:1500], tokens[1000:])
    ]
    whole, places = FeatureColumns.union(parts)
    for part, place in zip(parts, places, strict=True):
        assert [whole[int(i)] for i in place[::97]] == part[::97]
    matrix = whole.encode(Units(tokens, np.arange(3000), np.ones(3000)), 3000)
    assert matrix.nnz == 4 * 3000
    assert (
        matrix.sum(axis=0) == np.where(np.arange(len(whole)) == list(whole).index(((), ())), 3000, 1)
    ).all()


def test_tokens_of_any_integers_are_taken():
    units = Units(np.array([[2**31 - 1], [-2]], np.int32), np.array([0, 0]), np.ones(2))
    columns, matrix = FeatureColumns.counted(units, match_patterns(1), 1)
    assert [column.tokens for column in columns] == [(), (-2,), (2**31 - 1,)]
    assert matrix.toarray().tolist() == [[2.0, 1.0, 1.0]]
    assert FeatureColumns.counted(units, [], 1)[1].shape == (1, 0)


@pytest.mark.parametrize(("piece", "sample"), [(1, 1), (8, 2), (64, 16), (2**18, 2**10)])
def test_codes_merged_in_pieces_are_the_distinct_ones_of_all(piece, sample, monkeypatch):
    monkeypatch.setattr(distinct, "PIECE", piece)
    monkeypatch.setattr(distinct, "SAMPLE", sample)
    rng = np.random.default_rng(piece)
    parts = [np.unique(rng.integers(0, 10**6, size)) for size in (0, 1, 300, 50)]
    parts.append(parts[2][::3])
    merged, places = distinct.merge(parts)
    np.testing.assert_array_equal(merged, np.unique(np.concatenate(parts)))
    for part, place in zip(parts, places, strict=True):
        np.testing.assert_array_equal(merged[place], part)
