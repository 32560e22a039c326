"""The chapters as notebooks: their parameters change what they find."""

import csv
from pathlib import Path

import nbformat
import papermill
import pytest

import ntklib

BOOK = Path(__file__).parent.parent / "book"


def printed(notebook: nbformat.NotebookNode) -> str:
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return "".join(output.text for output in outputs if output.output_type == "stream")


@pytest.fixture(scope="module")
def reviews_of_my_own(tmp_path_factory) -> Path:
    """A CSV of sentences with planted polarity, as a reader's own corpus would be."""
    corpus = ntklib.load_corpus("planted:polarity", seed=3)
    file = tmp_path_factory.mktemp("corpus") / "reviews.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        for document, label in zip(corpus.tokens, corpus.labels, strict=True):
            writer.writerow([" ".join(corpus.vocabulary[int(token)] for token in document), label])
    return file


def test_the_perceptron_chapter_runs_on_a_corpus_and_an_activation_of_the_readers_own(
    reviews_of_my_own, tmp_path
):
    parameters = {"corpus": f"csv:{reviews_of_my_own}", "activation": "gelu"}
    small = {"sentences": 400, "widths": [128, 256], "seeds": 2, "epochs": 1, "jobs": 1}
    executed = papermill.execute_notebook(
        BOOK / "mlp.ipynb",
        tmp_path / "mine.ipynb",
        parameters={**parameters, **small},
        kernel_name="python3",
        progress_bar=False,
    )
    mine, committed = printed(executed), printed(nbformat.read(BOOK / "mlp.ipynb", as_version=4))
    gelu = ntklib.MLP("gelu").pattern_weights().sum(axis=1)
    assert f"A = {gelu.iloc[1]:.4f}, B = {gelu.iloc[0]:.4f}" in mine
    assert f"A = {gelu.iloc[1]:.4f}" not in committed
    assert "1,000 sentences" in mine
    assert "1,000 sentences" not in committed
