"""Text to tokens: one documented, deterministic rule for every corpus."""

import functools
import re
import unicodedata

# Scripts whose words are not separated by spaces: every sign is a token, as word boundaries need a
# dictionary.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Curly apostrophes are made straight; invisible signs that only steer line breaking are dropped.
_TYPOGRAPHY = str.maketrans(
    {"\u2019": "'", "\u02bc": "'", "\u00b4": "'", "\u00ad": "", "\u200b": " ", "\ufeff": " "}
)
_CLITICS = ("n't", "'s", "'re", "'ve", "'ll", "'d", "'m")


@functools.cache
def _pattern() -> re.Pattern[str]:
    # Python's \w leaves out combining marks, which would cut a Hindi or Thai word at each vowel sign.
    marks = "".join(
        chr(code) for code in range(0x300, 0x1F000) if unicodedata.category(chr(code)).startswith("M")
    )
    marks += "\U000e0100-\U000e01ef"
    # Plain letters come first in each choice: a class of many ranges is slow, and most text never needs it.
    letter = rf"(?:[a-z0-9]|[^\W_{_UNSPACED}])"
    word = rf"{letter}(?:[a-z0-9]++|[^\W_{_UNSPACED}]|[{marks}\u200c\u200d]+)*"
    return re.compile(
        rf"""
        \s*(
        [a-z]++(?![^\s.,!?;:)-])                           # most words, found at once
        | \d+(?:[.,:]\d+)*(?!{letter})                     # number, as in "1,000.5"
        | {word}(?:'{word})*                               # word, as in "o'brien" or "don't"
        | (?<=\w)'(?:s|re|ve|ll|d|m)(?!{letter})           # clitic of a number, as in "the 70's"
        | <unk>                                            # the unknown token of WikiText and PTB
        | [:;=][-o']?[)(\]\[dp/|\\](?![\w/])               # emoticon, as in ":-)"
        | [{_UNSPACED}][{marks}]*                          # one sign of Han, Hiragana or Katakana
        | [\U0001f1e6-\U0001f1ff]{{2}}                      # flag
        | (?:[^\w\s]|_)(?:[{marks}\U0001f3fb-\U0001f3ff]|\u200d\S)+  # emoji with its modifiers
        | ([^\w\s]|_)\2*                                   # punctuation mark or symbol, repeated ones as one
        )
        """,
        re.VERBOSE,
    )


def tokenize(text: str) -> list[str]:
    """Lower-case words, numbers, punctuation marks and emoji of a text, in order.

    The text is brought to Unicode form NFC and lower-cased, curly apostrophes are made straight, and soft
    hyphens, zero-width spaces and byte-order marks are dropped. Then:

    * English contractions are cut as in the Penn Treebank, and ``cannot`` in two, so that a negation is
      always a token of its own, ``not`` or ``n't``, and can be counted;
    * a run of one mark (``...``, ``!!``) is one token, so is a simple emoticon or an emoji with its
      modifiers;
    * hyphens separate words and stay as tokens; a number keeps its inner points, commas and colons;
    * in scripts without spaces, every Han, Hiragana and Katakana sign is a token.

    Parameters
    ----------
    text : str
        Any text, of any length.

    Returns
    -------
    list of str
        The tokens; empty when the text holds nothing but white space.

    Raises
    ------
    TypeError
        If ``text`` is not a string.

    Notes
    -----
    Limits: other scripts written without spaces (Thai, Khmer, Lao) come out as one token for each run of
    letters; pass :func:`load_corpus` a ``tokenizer`` for them. Links and @names are cut at their punctuation.

    Source: definition of this book; only the contractions follow the Penn Treebank's convention.

    Examples
    --------
    >>> tokenize("I don't think it's best... but you CANNOT skip it :-)")
    ['i', 'do', "n't", 'think', 'it', "'s", 'best', '...', 'but', 'you', 'can', 'not', 'skip', 'it', ':-)']
    >>> tokenize("3,000 naïve co-writers; 好電影")
    ['3,000', 'naïve', 'co', '-', 'writers', ';', '好', '電', '影']
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a string, not {type(text).__name__} ({text!r:.40}).")
    if text.isascii():
        normal = text.lower()
    else:
        normal = unicodedata.normalize("NFC", text).translate(_TYPOGRAPHY).lower()
    tokens: list[str] = []
    for token, _ in _pattern().findall(normal.rstrip()):
        if "'" in token or token == "cannot":
            tokens += _cut(token)
        else:
            tokens.append(token)
    return tokens


def _cut(word: str) -> list[str]:
    """Cut the clitics off the end of a word, and ``cannot`` in two."""
    clitics: list[str] = []
    stop = len(word)
    while clitic := next((end for end in _CLITICS if stop > len(end) and word.endswith(end, 0, stop)), None):
        clitics.append(clitic)
        stop -= len(clitic)
    stem = word[:stop]
    return [*(("can", "not") if stem == "cannot" else (stem,)), *reversed(clitics)]
