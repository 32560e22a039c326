import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntklib.corpora import tokenize


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("don't can't won't DIDN’T", ["do", "n't", "ca", "n't", "wo", "n't", "did", "n't"]),
        ("cannot can not canny", ["can", "not", "can", "not", "canny"]),
        ("I'd've y'all's", ["i", "'d", "'ve", "y'all", "'s"]),
        ("O'Brien's rock'n'roll, the 70's", ["o'brien", "'s", "rock'n'roll", ",", "the", "70", "'s"]),
        ("''Conan'' 'quoted'", ["''", "conan", "''", "'", "quoted", "'"]),
        ("3.99 1,000.5 10:30 21st 3,", ["3.99", "1,000.5", "10:30", "21st", "3", ","]),
        ("good... bad!!! ?!", ["good", "...", "bad", "!!!", "?", "!"]),
        ("co-writer snake_case", ["co", "-", "writer", "snake", "_", "case"]),
        (":) :-( (good) 8)", [":)", ":-(", "(", "good", ")", "8", ")"]),
        ("好電影 すごい!", ["好", "電", "影", "す", "ご", "い", "!"]),
        ("हिन्दी naïve ÉTÉ", ["हिन्दी", "naïve", "été"]),
        ("👍🏽👨‍👩‍👧❤️🇩🇪", ["👍🏽", "👨‍👩‍👧", "❤️", "🇩🇪"]),
        ("\ufeffco\u00adwriter\u200bs", ["cowriter", "s"]),
        ("<unk> <br/>", ["<unk>", "<", "br", "/", ">"]),
        (" \t\n\u3000", []),
    ],
)
def test_tokens_of_a_text(text, tokens):
    assert tokenize(text) == tokens


def test_composed_and_decomposed_letters_give_the_same_token():
    assert tokenize("cafe\u0301") == tokenize("caf\u00e9")


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_no_visible_sign_is_lost(text):
    normal = unicodedata.normalize("NFC", text).translate(
        {0x2019: "'", 0x2BC: "'", 0xB4: "'", 0xAD: "", 0x200B: "", 0xFEFF: ""}
    )
    assert "".join(tokenize(text)) == "".join(normal.lower().split())


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abn't canot.:)'19 -", max_size=30))
def test_a_text_and_its_unicode_twin_are_cut_alike(text):
    # The trailing é takes the text through the Unicode path instead of the one for plain ASCII.
    assert tokenize(text + " é") == [*tokenize(text), "é"]


def test_cost_grows_linearly_even_for_hostile_texts():
    # Quadratic work on a text 16 times as long would cost 256 times as much; machines vary, 100 lies between.
    for piece in ("a", "9", " ", "'", "a'", "1.", "!", "n't", "\u200d", "é\u0301"):
        costs = []
        for size in (5_000, 80_000):
            text = piece * size + " \u00e9 "
            begin = time.process_time()
            tokenize(text)
            costs.append(time.process_time() - begin)
        assert costs[1] < 100 * max(costs[0], 1e-3), piece
