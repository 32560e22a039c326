"""Corpora: text in, labelled token ids out, with the provenance of every number.

>>> from ntklib.corpora import load_corpus
>>> corpus = load_corpus("planted:polarity")
>>> corpus
Corpus('planted:polarity': 1,000 documents, 12,000 tokens, vocabulary 1,100, 2 classes)
"""

from collections.abc import Callable
from difflib import get_close_matches

from ntklib.corpora.assembly import assemble
from ntklib.corpora.bundled import BUNDLED, read_bundled
from ntklib.corpora.corpus import Corpus
from ntklib.corpora.csv_files import read_csv
from ntklib.corpora.download import CorpusUnavailable, cache_folder, cached_archive, fetch_archive
from ntklib.corpora.hugging_face import read_hugging_face
from ntklib.corpora.planted import PLANTED, plant
from ntklib.corpora.provenance import Provenance, Source
from ntklib.corpora.tokenization import tokenize
from ntklib.corpora.vocabulary import UNKNOWN, Vocabulary

__all__ = [
    "BUNDLED",
    "CORPORA",
    "PLANTED",
    "UNKNOWN",
    "Corpus",
    "CorpusUnavailable",
    "Provenance",
    "Source",
    "Vocabulary",
    "cache_folder",
    "cached_archive",
    "fetch_archive",
    "load_corpus",
    "plant",
    "tokenize",
]

CORPORA = {
    **BUNDLED,
    **PLANTED,
    "csv:PATH": "your own CSV file, or a folder with train.csv, dev.csv and test.csv",
    "hf:NAME": "a data set of the Hugging Face hub; needs the extra ntklib[huggingface] and a network",
}


def load_corpus(
    name: str,
    *,
    text_column: str = "text",
    label_column: str | None = "label",
    part_column: str = "split",
    minimum_count: int = 1,
    limit: int | None = None,
    seed: int = 0,
    tokenizer: Callable[[str], list[str]] | None = None,
    keep_texts: bool = False,
) -> Corpus:
    """Load a corpus by name.

    Ids are in order of frequency, classes in numerical or alphabetical order; the same call gives the same
    corpus on every machine. The vocabulary is that of all documents, test part included: it uses no labels.

    Parameters
    ----------
    name : str
        A key of ``ntklib.corpora.CORPORA``; ``csv:`` with a path or ``hf:`` with a data set's name behind it.
    text_column, label_column, part_column : str
        For ``csv:`` and ``hf:``: the columns of text, label and (a single CSV file only, if it has one) part.
        ``label_column=None`` reads text without labels: the corpus then has the single class ``"text"``.
    minimum_count : int
        Tokens that are rarer share the id of ``<unk>``; 1 keeps all.
    limit : int, optional
        At most so many documents, drawn at random; for ``planted:`` the number that is made.
    seed : int
        Seed of the draw and of planted corpora.
    tokenizer : function from str to list of str, optional
        Instead of :func:`tokenize`; planted text is made of tokens and does without.
    keep_texts : bool
        Keep the original texts in ``corpus.texts``.

    Returns
    -------
    Corpus
        N documents with their labels.

    Raises
    ------
    CorpusUnavailable
        If a download is needed and fails.
    ValueError
        If there is no such corpus, or its text can't be read.

    Notes
    -----
    Source: definitions of this book; the bundled texts are those of Hutto and Gilbert (2014).

    Examples
    --------
    >>> load_corpus("planted:xor-bigrams", limit=8).labels
    array([1, 0, 0, 1, 1, 0, 0, 1])
    >>> load_corpus("movie-review")
    Traceback (most recent call last):
        ...
    ValueError: there is no corpus 'movie-review'; did you mean 'movie-reviews'? Known: \
amazon-reviews, movie-reviews, nyt-editorials, tweets, domains, running-text, planted:polarity, \
planted:bigrams, planted:negation, planted:xor-bigrams, planted:frequency-matched, csv:PATH, hf:NAME.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string such as 'movie-reviews', not {type(name).__name__}.")
    if seed < 0:
        raise ValueError(f"seed is {seed}, but must be 0 or larger.")
    kind, _, rest = name.partition(":")
    if name in PLANTED:
        return plant(name, documents=limit, seed=seed, minimum_count=minimum_count, keep_texts=keep_texts)
    if name in BUNDLED:
        raw = read_bundled(name)
    elif kind == "csv" and rest:
        raw = read_csv(rest, text_column=text_column, label_column=label_column, part_column=part_column)
    elif kind == "hf" and rest:
        raw = read_hugging_face(rest, text_column=text_column, label_column=label_column)
    else:
        raise _unknown(name)
    return assemble(
        raw,
        name=name,
        tokenizer=tokenizer,
        minimum_count=minimum_count,
        limit=limit,
        seed=seed,
        keep_texts=keep_texts,
    )


def _unknown(name: str) -> ValueError:
    begun = [known for known in CORPORA if name and known.startswith(name)]
    near = begun or get_close_matches(name, CORPORA, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return ValueError(f"there is no corpus {name!r}{hint} Known: {', '.join(CORPORA)}.")
