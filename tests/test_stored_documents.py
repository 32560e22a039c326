"""Documents on disk: what was written is what is read, and a damaged file is named."""

import numpy as np
import pytest
import torch

import ntklib
from ntklib.architectures import feature_blocks
from ntklib.documents import Documents
from ntklib.language_modelling import next_token_probabilities, train_language_model
from ntklib.statistics import counts
from ntklib.stored_documents import StoredDocuments, open_documents, write_documents
from tests.test_dynamics import random_corpus


def test_documents_written_in_chunks_are_read_as_they_were(tmp_path):
    docs, _ = random_corpus(0)
    stored = write_documents(tmp_path, (docs[start : start + 7] for start in range(0, 40, 7)))
    again = open_documents(tmp_path)
    assert isinstance(again, StoredDocuments)
    assert [document.tolist() for document in stored] == docs
    assert [document.tolist() for document in again] == docs
    assert isinstance(again.ids, np.memmap)
    assert again[3:9].ids.base is not None
    assert [document.tolist() for document in again[3:9]] == docs[3:9]


def test_files_of_numpy_are_what_is_written(tmp_path):
    write_documents(tmp_path, [[[1, 2], [3]], [[4]]])
    assert np.load(tmp_path / "ids.npy", allow_pickle=False).tolist() == [1, 2, 3, 4]
    assert np.load(tmp_path / "offsets.npy", allow_pickle=False).tolist() == [0, 2, 3, 4]


@pytest.mark.parametrize(
    "model",
    [ntklib.MLP(), ntklib.CNN(3), ntklib.Attention(), ntklib.LRNN("tanh"), ntklib.LinearRNN(readout="last")],
)
def test_feature_map_by_blocks_is_that_of_all_at_once(model, tmp_path, monkeypatch):
    docs, labels = random_corpus(0)
    whole = model.feature_map(docs)
    monkeypatch.setattr(feature_blocks, "BLOCK_TOKENS", 30)
    stored = write_documents(tmp_path, [docs])
    by_blocks = model.feature_map(stored)
    assert by_blocks.columns[:] == whole.columns[:]
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(by_blocks.matrix, part), getattr(whole.matrix, part))
    np.testing.assert_array_equal(by_blocks.error_bound, whole.error_bound)
    others = random_corpus(7)[0]
    expected = model.feature_map(others, whole.columns).matrix
    assert (model.feature_map(others, by_blocks.columns).matrix != expected).nnz == 0
    flow = ntklib.gradient_flow(model, (stored, labels), [0.1])
    monkeypatch.undo()
    np.testing.assert_array_equal(flow.scores, ntklib.gradient_flow(model, (docs, labels), [0.1]).scores)


@pytest.mark.parametrize("ngram", [1, 2, 5])
def test_counts_by_blocks_are_those_of_all_at_once(ngram, tmp_path, monkeypatch):
    docs, labels = random_corpus(0, documents=200, classes=3)
    docs[:30] = [[1, 2]] * 30  # a first block without an n-gram of five
    whole = ntklib.cooccurrence((docs, labels), ngram=ngram)
    floor = ntklib.noise_floor(docs, labels - 0.5, width=64)
    monkeypatch.setattr(counts, "_BLOCK_TOKENS", 30)
    stored = write_documents(tmp_path, [docs])
    assert ntklib.cooccurrence((stored, labels), ngram=ngram).equals(whole)
    again = ntklib.noise_floor(stored, labels - 0.5, width=64)
    assert again.velocity.index.equals(floor.velocity.index)
    np.testing.assert_allclose(again.velocity, floor.velocity, rtol=1e-12)


def test_blocks_cover_all_documents_in_order():
    documents = Documents.of(random_corpus(2)[0])
    for tokens in (1, 7, 50, 10_000):
        blocks = list(documents.blocks(tokens))
        assert [d.tolist() for block in blocks for d in block] == [d.tolist() for d in documents]
        assert all(len(block.ids) <= tokens or len(block) == 1 for block in blocks)


def test_columns_of_different_architectures_do_not_join():
    first, second = (model.feature_map([[0, 1], [2]]) for model in (ntklib.CNN(2), ntklib.CNN(3)))
    with pytest.raises(ValueError, match="must have the same patterns"):
        type(first.columns).union([first.columns, second.columns])
    with pytest.raises(ValueError, match="must have the same pattern weights"):
        type(first).joined([first, second], 100)


def test_damaged_files_are_refused(tmp_path):
    write_documents(tmp_path, [[[1, 2], [3]]])
    np.save(tmp_path / "offsets.npy", np.array([0, 2]))
    with pytest.raises(ValueError, match=r"offsets\.npy does not fit .*ids\.npy"):
        open_documents(tmp_path)
    np.save(tmp_path / "offsets.npy", np.array([0.0, 2, 3]))
    with pytest.raises(ValueError, match="must be integers of at most 63 bits in one row, not 1-D float64"):
        open_documents(tmp_path)
    np.save(tmp_path / "offsets.npy", np.array([0, 4, 1, 3], dtype=np.uint32))
    with pytest.raises(ValueError, match="offsets must rise from 0"):
        open_documents(tmp_path)
    np.save(tmp_path / "offsets.npy", np.array([0, 2, 3]))
    np.save(tmp_path / "ids.npy", np.array([1, -2, 3]))
    with pytest.raises(ValueError, match="holds token id -2"):
        open_documents(tmp_path)
    np.save(tmp_path / "ids.npy", np.array([1, 2**40, 3]))
    with pytest.raises(ValueError, match=f"holds token id {2**40}: ids must be 0 to 4,294,967,295"):
        open_documents(tmp_path)
    np.save(tmp_path / "ids.npy", np.array([1, "x", None], dtype=object), allow_pickle=True)
    with pytest.raises(
        ValueError, match=r"must hold ids\.npy and offsets\.npy, arrays of integers: .*objects"
    ):
        open_documents(tmp_path)
    (tmp_path / "ids.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"ids\.npy"):
        open_documents(tmp_path)


def test_an_interrupted_write_leaves_the_old_documents(tmp_path):
    write_documents(tmp_path, [[[1, 2], [3]]])

    def stops():
        yield [[7, 8]]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_documents(tmp_path, stops())
    assert [d.tolist() for d in open_documents(tmp_path)] == [[1, 2], [3]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ids.npy", "offsets.npy"]


def test_nothing_to_write_is_refused(tmp_path):
    with pytest.raises(ValueError, match="chunks is empty"):
        write_documents(tmp_path, [])
    with pytest.raises(ValueError, match="ids must be below"):
        write_documents(tmp_path, [[[2**31]]])
    assert list(tmp_path.iterdir()) == []


def test_networks_and_checkpoints_do_not_tell_them_from_documents_in_memory(tmp_path):
    documents = Documents.of([[0, 1, 2], [3, 1], [2, 2, 0]])
    stored = write_documents(tmp_path / "documents", [documents])
    network = ntklib.MLP("tanh").network(width=8, vocabulary_size=4, seed=0)
    assert torch.equal(network(stored), network(documents))
    np.testing.assert_array_equal(
        ntklib.empirical_ntk(network, stored), ntklib.empirical_ntk(network, documents)
    )
    options = {"learning_rate": 0.1, "record": 1, "checkpoint": tmp_path / "run.pt", "progress": False}
    labels = [0, 1, 0]
    run = ntklib.train(network, (documents, labels), epochs=2, **options)
    again = ntklib.MLP("tanh").network(width=8, vocabulary_size=4, seed=0)
    resumed = ntklib.train(again, (stored, labels), epochs=2, **options)  # no other run: the same settings
    assert resumed.scores.equals(run.scores)


def test_a_language_model_reads_them(tmp_path):
    documents = [[0, 1, 2], [3, 1], [2, 2, 0]]
    stored = write_documents(tmp_path, [documents])
    kept = []
    for each in (stored, documents):
        network = ntklib.Transformer(layers=1, heads=2).network(width=8, vocabulary_size=4, seed=0, classes=4)
        train_language_model(network, each, epochs=1, progress=False)
        kept.append(next_token_probabilities(network, each))
    np.testing.assert_array_equal(*kept)
