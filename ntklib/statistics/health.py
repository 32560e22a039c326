"""Health of a labelled corpus before anything is learnt from it: balance, copies, rare tokens."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int

from ntklib.corpora.provenance import first_occurrences
from ntklib.documents import Documents
from ntklib.validation import checked_integer, labelled_documents


def class_balance(parts: Mapping[str, Any]) -> pd.DataFrame:
    """How many documents each class has in each part, and how long they are.

    Parameters
    ----------
    parts : mapping of str to Corpus, or to pairs (documents, labels)
        The parts by name, with the same classes.

    Returns
    -------
    DataFrame
        One row a class; for each part the number of documents, its ``share``, and the ``median length`` of a
        document in tokens (missing where a class has no document), under the pair (part, figure).

    Raises
    ------
    TypeError, ValueError
        If a part is malformed, there is none, or their classes differ.

    Examples
    --------
    >>> class_balance({"train": ([[0], [1, 1], [2]], [0, 1, 1])})["train"].round(2).values.tolist()
    [[1.0, 0.33, 1.0], [2.0, 0.67, 1.5]]
    """
    classes, labelled = _labelled_parts(parts)
    columns: dict[tuple[str, str], Any] = {}
    for name, (documents, labels) in labelled.items():
        number = np.bincount(labels, minlength=len(classes))
        lengths = pd.Series(documents.lengths).groupby(labels).median().reindex(range(len(classes)))
        columns[name, "documents"] = number
        columns[name, "share"] = number / len(documents)
        columns[name, "median length"] = lengths.to_numpy()
    return pd.DataFrame(columns, index=pd.Index(list(classes), name="class"))


def copied_documents(parts: Mapping[str, Any]) -> pd.DataFrame:
    """Count documents that hold the same tokens in the same order, within parts and across them.

    Parameters
    ----------
    parts : mapping of str to Corpus, or to pairs (documents, labels)
        The parts by name, the training part first; their token ids mean the same.

    Returns
    -------
    DataFrame
        One row a part: ``documents``; ``copies``, those that repeat an earlier one of the same part;
        ``in an earlier part``, those that also stand in a part before it; ``conflicting``, those of which
        some copy, in any part, has another label.

    Raises
    ------
    TypeError, ValueError
        As :func:`class_balance`.

    Notes
    -----
    A test document that is also a training document measures memory. ``Corpus.split`` keeps copies on one
    side unless the corpus comes with parts of its own. Near-copies are not found.

    Examples
    --------
    >>> train, test = ([[0, 1], [0, 1], [2]], [0, 1, 1]), ([[2], [1, 0]], [1, 0])
    >>> copied_documents({"train": train, "test": test}).loc["train"].to_dict()
    {'documents': 3, 'copies': 1, 'in an earlier part': 0, 'conflicting': 2}
    """
    _, labelled = _labelled_parts(parts)
    documents = _joined([docs for docs, _ in labelled.values()])
    labels = np.concatenate([given for _, given in labelled.values()])
    part = np.repeat(np.arange(len(labelled)), [len(docs) for docs, _ in labelled.values()])
    text = first_occurrences(documents)
    first = pd.DataFrame({"text": text, "part": part, "label": labels})
    conflicting = first.groupby("text")["label"].transform("nunique").to_numpy() > 1
    copies = first.duplicated(["text", "part"]).to_numpy()
    seen_before = part[text] < part
    rows = [
        [int(np.sum(chosen & (part == place))) for chosen in (True, copies, seen_before, conflicting)]
        for place in range(len(labelled))
    ]
    columns = ["documents", "copies", "in an earlier part", "conflicting"]
    return pd.DataFrame(rows, index=pd.Index(list(labelled), name="part"), columns=columns)


def rare_tokens(train: Any, test: Any, fewest: int = 5) -> pd.Series:
    """How much of a vocabulary is too rare to learn from, and how much of the test documents is new.

    Parameters
    ----------
    train, test : Corpus, Documents or sequences of integer sequences
        Training and test documents, whose token ids mean the same.
    fewest : int
        A token that occurs less often in training is called rare.

    Returns
    -------
    Series
        ``training tokens`` (different ones), ``seen once``, ``rare`` (shares of them),
        ``rare occurrences``, ``new in the test part`` (share of the test part's occurrences) and
        ``test documents of new tokens alone`` (their number).

    Raises
    ------
    TypeError, ValueError
        If documents are malformed or ``fewest`` is not an integer of at least 1.

    Examples
    --------
    >>> rare_tokens([[0, 0, 1], [2]], [[0, 3], [4]], fewest=2).round(2).tolist()
    [3.0, 0.67, 0.67, 0.5, 0.67, 1.0]
    """
    bound = checked_integer(fewest, "fewest")
    known, held_out = Documents.of(train, name="train"), Documents.of(test, name="test")
    counts = np.bincount(known.ids, minlength=int(held_out.ids.max()) + 1)
    kinds = counts[counts > 0]
    new = counts[held_out.ids] == 0
    all_new = np.logical_and.reduceat(new, held_out.offsets[:-1])
    return pd.Series(
        {
            "training tokens": float(len(kinds)),
            "seen once": float(np.mean(kinds == 1)),
            "rare": float(np.mean(kinds < bound)),
            "rare occurrences": float(kinds[kinds < bound].sum() / kinds.sum()),
            "new in the test part": float(np.mean(new)),
            "test documents of new tokens alone": float(all_new.sum()),
        }
    )


def _labelled_parts(
    parts: Mapping[str, Any],
) -> tuple[tuple[Any, ...], dict[str, tuple[Documents, Int[np.ndarray, " _"]]]]:
    if not isinstance(parts, Mapping) or len(parts) == 0:
        raise ValueError("parts must map names to corpora, such as {'train': train, 'test': test}.")
    classes: tuple[Any, ...] = ()
    labelled = {}
    for name, corpus in parts.items():
        documents, labels, found = labelled_documents(corpus)
        if hasattr(corpus, "classes") and classes and found != classes:
            raise ValueError(f"part {name!r} has the classes {found}, but the one before it {classes}.")
        classes = max(classes, found, key=len)
        labelled[name] = (documents, labels)
    return classes, labelled


def _joined(parts: list[Documents]) -> Documents:
    lengths = np.concatenate([documents.lengths for documents in parts])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Documents(np.concatenate([documents.ids for documents in parts]), offsets)
