"""Corpora of made-up tokens whose every feature is known, to test what a model picks up."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain

import numpy as np

from ntklib.corpora.assembly import RawRows, assemble
from ntklib.corpora.corpus import Corpus
from ntklib.corpora.provenance import Source
from ntklib.documents import Documents

CLASSES = ("negative", "positive")
Sentences = list[list[str]]
# What a maker returns: sentences, labels, groups that a split must not divide (or None), planted truth.
Planted = tuple[Sentences, list[int], list[int] | None, dict[str, int]]


def _names(stem: str, count: int) -> list[str]:
    width = len(str(count - 1))
    return [f"{stem}{i:0{width}d}" for i in range(count)]


def _deck(cards: list[str], size: int, random: np.random.Generator) -> list[str]:
    """Draw ``size`` cards so that no card comes up more than once oftener than another, in random order."""
    shuffled = [cards[i] for i in random.permutation(len(cards))]
    drawn = (shuffled * (size // len(cards) + 1))[:size]
    return [drawn[i] for i in random.permutation(size)]


def _insert(pieces: Sentences, fillers: list[str], random: np.random.Generator) -> list[str]:
    """Shuffle the pieces among the fillers, each piece kept together."""
    parts = [*pieces, *([filler] for filler in fillers)]
    return list(chain.from_iterable(parts[i] for i in random.permutation(len(parts))))


def _polarity(documents: int, length: int, random: np.random.Generator) -> Planted:
    polar = [_names("negative", 50), _names("positive", 50)]
    neutral = _names("neutral", 1000)
    labels = [i % 2 for i in range(documents)]
    sentences = []
    for label in labels:
        count = int(random.integers(1, 4))
        pieces = [[token] for token in random.choice(polar[label], count).tolist()]
        sentences.append(_insert(pieces, random.choice(neutral, length - count).tolist(), random))
    truth = {
        token: sign for sign, tokens in ((-1, polar[0]), (1, polar[1]), (0, neutral)) for token in tokens
    }
    return sentences, labels, None, truth


def _frequency_matched(documents: int, length: int, random: np.random.Generator) -> Planted:
    polar = [_names("negative", 50), _names("positive", 50)]
    neutral = _names("neutral", 100)
    fillers = _names("filler", 1000)
    labels = [i % 2 for i in range(documents)]
    size = [labels.count(label) for label in (0, 1)]
    polar_decks = [_deck(polar[label], 2 * size[label], random) for label in (0, 1)]
    neutral_decks = [_deck(neutral, 2 * size[label], random) for label in (0, 1)]
    sentences = []
    for label in labels:
        pieces = [[deck.pop()] for deck in (polar_decks[label], neutral_decks[label]) for _ in range(2)]
        sentences.append(_insert(pieces, random.choice(fillers, length - 4).tolist(), random))
    truth = {
        token: sign for sign, tokens in ((-1, polar[0]), (1, polar[1]), (0, neutral)) for token in tokens
    }
    return sentences, labels, None, truth | dict.fromkeys(fillers, 0)


def _bigrams(documents: int, length: int, random: np.random.Generator) -> Planted:
    first, second = _names("first", 20), _names("second", 20)
    fillers = _names("neutral", 200)
    sign = [1 if i < 10 else -1 for i in range(20)]
    sentences, labels = [], []
    for i in range(documents):
        pair = (i // 3) % 20
        together = i % 3 == 0  # one sentence in three, so the tokens' own count has the opposite sign
        rest = random.choice(fillers, length - 2).tolist()
        if together:
            sentences.append(_insert([[first[pair], second[pair]]], rest, random))
        else:
            # The second token stands before the first: both occur, but never as the bigram.
            cut = int(random.integers(1, len(rest)))
            sentences.append([*rest[: cut - 1], second[pair], rest[cut - 1], first[pair], *rest[cut:]])
        labels.append(int((sign[pair] > 0) == together))
    truth = {f"{first[i]} {second[i]}": sign[i] for i in range(20)}
    truth |= {token: -sign[i] for i in range(20) for token in (first[i], second[i])}
    return sentences, labels, None, truth | dict.fromkeys(fillers, 0)


def _negation(documents: int, length: int, random: np.random.Generator) -> Planted:
    polar = [_names("negative", 20), _names("positive", 20)]
    fillers = _names("neutral", 200)
    sentences, labels = [], []
    for i in range(documents):
        polarity, negated = i % 2, (i // 2) % 4 == 0  # one in four, so the tokens keep their own polarity
        token = str(random.choice(polar[polarity]))
        rest = random.choice(fillers, length - 2).tolist()
        # A sentence that is not negated has its "not" too, before a neutral token: "not" alone tells nothing.
        pieces = [["not", token]] if negated else [[token], ["not", rest.pop()]]
        sentences.append(_insert(pieces, rest, random))
        labels.append(polarity if not negated else 1 - polarity)
    truth = {token: sign for sign, tokens in ((-1, polar[0]), (1, polar[1])) for token in tokens}
    truth |= {f"not {token}": -sign for token, sign in truth.items()}
    return sentences, labels, None, truth | {"not": 0} | dict.fromkeys(fillers, 0)


def _xor_bigrams(documents: int, length: int, random: np.random.Generator) -> Planted:
    if documents % 4:
        raise ValueError(
            f"limit is {documents}, but planted:xor-bigrams needs a multiple of 4: "
            "its sentences come in fours."
        )
    first, second = _names("first", 10), _names("second", 10)
    fillers = _names("neutral", 200)
    sentences, labels, groups, truth = [], [], [], {}
    for group in range(documents // 4):
        pair = 2 * (group % 5)
        rest = random.choice(fillers, length - 2).tolist()
        place = int(random.integers(0, len(rest) + 1))
        # The four sentences differ in the bigram alone, so every single token is exactly balanced.
        for a in (0, 1):
            for b in (0, 1):
                sentences.append([*rest[:place], first[pair + a], second[pair + b], *rest[place:]])
                labels.append(int(a == b))
                groups.append(group)
                truth[f"{first[pair + a]} {second[pair + b]}"] = 1 if a == b else -1
    return sentences, labels, groups, truth | dict.fromkeys([*first, *second, *fillers], 0)


@dataclass(frozen=True)
class _Design:
    make: Callable[[int, int, np.random.Generator], Planted]
    documents: int
    length: int
    shortest: int
    description: str


_DESIGNS = {
    "planted:polarity": _Design(
        _polarity, 1000, 12, 4, "50 positive, 50 negative, 1000 neutral tokens; 1 to 3 polar ones a sentence"
    ),
    "planted:bigrams": _Design(
        _bigrams, 1200, 8, 4, "20 bigrams whose polarity is opposite to that of both their tokens"
    ),
    "planted:negation": _Design(
        _negation, 1600, 8, 4, "40 polar tokens, turned round by a preceding not in one sentence of four"
    ),
    "planted:xor-bigrams": _Design(
        _xor_bigrams, 800, 8, 3, "bigrams that are all the signal: every single token is exactly balanced"
    ),
    "planted:frequency-matched": _Design(
        _frequency_matched, 1000, 12, 5, "100 polar and 100 neutral tokens of equal frequency, among fillers"
    ),
}
PLANTED = {name: design.description for name, design in _DESIGNS.items()}


def plant(
    name: str,
    *,
    documents: int | None = None,
    length: int | None = None,
    seed: int = 0,
    minimum_count: int = 1,
    keep_texts: bool = False,
) -> Corpus:
    """Make a planted corpus: balanced labels, known truth.

    Its documents have all the same length. ``corpus.truth`` gives the polarity (−1, 0, 1) of each planted
    token and n-gram; a split never divides the four sentences of one XOR group, whose fillers would give the
    answer away.

    Parameters
    ----------
    name : str
        A key of ``PLANTED``.
    documents : int, optional
        Number N of sentences; by default 800 (XOR bigrams) to 1,600 (negation).
    length : int, optional
        Number of tokens in a sentence; 12 or 8 by default.
    seed : int
        Seed of every draw.
    minimum_count, keep_texts
        As in :func:`ntklib.corpora.load_corpus`.

    Returns
    -------
    Corpus
        N documents.

    Raises
    ------
    ValueError
        If there are too few documents or the sentences are too short for what is planted.

    Notes
    -----
    Source: the sizes of ``planted:polarity`` are those of the synthetic data of Sun and Lu (2020); the number
    of polar tokens in a sentence and all other designs are this book's.

    Examples
    --------
    >>> corpus = plant("planted:xor-bigrams")
    >>> signed = 2 * corpus.labels - 1
    >>> bool((corpus.tokens.counts(len(corpus.vocabulary)).T @ signed == 0).all())
    True
    >>> corpus.truth["first0 second1"], corpus.truth["first0"]
    (-1, 0)
    """
    design = _DESIGNS[name]
    documents = design.documents if documents is None else documents
    length = design.length if length is None else length
    if documents < 4:
        raise ValueError(f"limit is {documents}, but {name} needs at least 4 documents.")
    if length < design.shortest:
        raise ValueError(
            f"length is {length}, but {name} needs sentences of at least {design.shortest} tokens."
        )
    made = _planted(name, design, documents, length, seed, minimum_count, keep_texts)
    # Arrays of their own: what the caller writes into one corpus is in no other.
    tokens = Documents(made.tokens.ids.copy(), made.tokens.offsets.copy())
    groups = None if made.groups is None else made.groups.copy()
    return replace(
        made, tokens=tokens, labels=made.labels.copy(), groups=groups, truth=dict(made.truth or {})
    )


@lru_cache(maxsize=64)
def _planted(
    name: str, design: _Design, documents: int, length: int, seed: int, minimum_count: int, keep_texts: bool
) -> Corpus:
    """Make a corpus, which a sweep over models asks for once a model."""
    sentences, labels, groups, truth = design.make(documents, length, np.random.default_rng(seed))
    raw = RawRows(
        texts=[" ".join(sentence) for sentence in sentences],
        rows=[f"sentence {i}" for i in range(documents)],
        labels=labels,
        classes=CLASSES,
        parts=None,
        source=Source(
            description=f"sentences of made-up tokens, drawn with seed {seed}",
            version=f"{documents} documents of {length} tokens",
            licence="none needed",
            notes=(design.description,),
        ),
    )
    corpus = assemble(
        raw,
        name=name,
        tokenizer=str.split,
        minimum_count=minimum_count,
        limit=None,
        seed=seed,
        keep_texts=keep_texts,
    )
    present = {
        ngram: sign for ngram, sign in truth.items() if all(t in corpus.vocabulary for t in ngram.split())
    }
    return replace(corpus, groups=None if groups is None else np.array(groups), truth=present)
