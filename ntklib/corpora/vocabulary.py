"""Vocabulary: token ids and the strings that they stand for."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
from jaxtyping import Int

UNKNOWN = "<unk>"


@dataclass(frozen=True)
class Vocabulary(Sequence[str]):
    """The tokens of a corpus, numbered from 0.

    Parameters
    ----------
    tokens : sequence of V strings
        Token ``i`` has the id ``i``; no token may occur twice.

    Examples
    --------
    >>> vocabulary = Vocabulary(["film", "good", "not"])
    >>> vocabulary["good"], vocabulary[1], len(vocabulary), "bad" in vocabulary
    (1, 'good', 3, False)
    >>> vocabulary.encode(["not", "good"])
    array([2, 1])
    """

    tokens: Sequence[str]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", tuple(self.tokens))
        object.__setattr__(self, "_ids", {})
        for i, token in enumerate(self.tokens):
            if not isinstance(token, str):
                raise TypeError(f"tokens[{i}] must be a string, not {type(token).__name__} ({token!r:.40}).")
            if self._ids.setdefault(token, i) != i:
                raise ValueError(
                    f"tokens[{i}] is {token!r} again: each token may occur once in a vocabulary."
                )

    @classmethod
    def of(cls, documents: Iterable[Sequence[str]], minimum_count: int = 1) -> "Vocabulary":
        """Collect the tokens of tokenised documents, the most frequent first, ties by code point.

        Tokens rarer than ``minimum_count`` share one id, that of ``<unk>``, which is always the last one: so
        the ids of the others do not depend on ``minimum_count``. They are not dropped, because that would
        shorten the documents and make n-grams of tokens that never stood side by side.

        Parameters
        ----------
        documents : iterable of string sequences
            Tokenised documents.
        minimum_count : int
            1 or larger; a token must occur so often to have an id of its own.

        Returns
        -------
        Vocabulary
            Of V tokens.

        Raises
        ------
        ValueError
            If ``minimum_count`` is less than 1.

        Examples
        --------
        >>> Vocabulary.of([["a", "film", "film"], ["b", "film", "b"]], minimum_count=2).tokens
        ('film', 'b', '<unk>')
        """
        if minimum_count < 1:
            raise ValueError(f"minimum_count is {minimum_count}, but must be 1 (keep every token) or larger.")
        counts = Counter(token for document in documents for token in document)
        has_unknown = counts.pop(UNKNOWN, 0) > 0 or any(n < minimum_count for n in counts.values())
        frequent = sorted((-n, token) for token, n in counts.items() if n >= minimum_count)
        return cls([token for _, token in frequent] + [UNKNOWN] * has_unknown)

    def encode(self, tokens: Any) -> Int[np.ndarray, " tokens"]:
        """Ids of a sequence of tokens.

        Parameters
        ----------
        tokens : sequence of L strings
            Tokens, such as ``tokenize(text)``. Those outside the vocabulary become ``<unk>`` if it has that
            token.

        Returns
        -------
        (L,) int64
            Their ids.

        Raises
        ------
        TypeError
            If ``tokens`` is a string, which would be taken apart into letters.
        ValueError
            If a token is not in the vocabulary and there is no ``<unk>``.

        Examples
        --------
        >>> Vocabulary(["film", "good"]).encode(["goood"])
        Traceback (most recent call last):
            ...
        ValueError: token 'goood' is not among the 2 tokens of this vocabulary; did you mean 'good'?
        """
        if isinstance(tokens, str):
            raise TypeError(
                f"tokens must be a sequence of strings, not the string {tokens!r:.40}: "
                "pass ntklib.corpora.tokenize(text)."
            )
        unknown = self._ids.get(UNKNOWN)
        ids = [self._ids.get(token, unknown) for token in tokens]
        if None in ids:
            # Only for the message: a search through the whole vocabulary.
            from difflib import get_close_matches

            token = tokens[ids.index(None)]
            near = get_close_matches(str(token), self.tokens, n=1)
            raise ValueError(
                f"token {token!r} is not among the {len(self):,} tokens of this vocabulary"
                + (
                    f"; did you mean {near[0]!r}?"
                    if near
                    else ": tokens are lower-case unless your tokenizer keeps case."
                )
            )
        return np.array(ids, dtype=np.int64)

    def decode(self, ids: Iterable[Any]) -> list[str]:
        """Tokens of a sequence of ids.

        Parameters
        ----------
        ids : iterable of L integers
            Each from 0 to V − 1.

        Returns
        -------
        list of L strings
            Their tokens.

        Raises
        ------
        ValueError
            If an id is not in the vocabulary.

        Examples
        --------
        >>> Vocabulary(["film", "good"]).decode([1, 0])
        ['good', 'film']
        """
        return [self._token(int(i)) for i in ids]

    def _token(self, index: int) -> str:
        if not 0 <= index < len(self.tokens):
            raise ValueError(f"id {index} is not in the vocabulary: ids are 0 to {len(self) - 1}.")
        return self.tokens[index]

    @overload
    def __getitem__(self, key: str) -> int: ...
    @overload
    def __getitem__(self, key: int | np.integer) -> str: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[str]: ...
    def __getitem__(self, key: Any) -> Any:
        """Id of a token, token of an id, or the tokens of a slice of ids."""
        if isinstance(key, str):
            known = self._ids.get(key)
            return int(self.encode([key])[0]) if known is None else known  # encode says what is wrong
        return self.tokens[key] if isinstance(key, slice) else self._token(int(key))

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def __iter__(self) -> Iterator[str]:
        return iter(self.tokens)

    def __len__(self) -> int:
        return len(self.tokens)
