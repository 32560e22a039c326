"""The commands that compute: ``predict``, ``attribute`` and ``spectrum``. Torch and pandas wait."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from ntklib.corpora import Corpus, CorpusUnavailable, load_corpus, tokenize
from ntklib.tables import chosen_format, formatted, write

if TYPE_CHECKING:
    from ntklib.architectures.base import Architecture

CorpusName = Annotated[str, typer.Argument(metavar="CORPUS", help="A name that `corpora` lists.")]
MODEL, DATA, OUTPUT = "Model", "Corpus", "Output"
Model = Annotated[
    str,
    typer.Option(
        "--architecture",
        "-a",
        rich_help_panel=MODEL,
        help="mlp, cnn, attention, matrix-vector, l-rnn or linear-rnn.",
    ),
]
Phi = Annotated[
    str | None, typer.Option("--activation", rich_help_panel=MODEL, help="relu, tanh, gelu, … (not all).")
]
Window = Annotated[int | None, typer.Option(rich_help_panel=MODEL, help="Tokens in a window of the cnn.")]
Readout = Annotated[str | None, typer.Option(rich_help_panel=MODEL, help="sum or last, where recurrent.")]
Sigma = Annotated[
    list[str] | None,
    typer.Option(
        "--sigma",
        rich_help_panel=MODEL,
        metavar="[NAME=]VALUE",
        help="Standard deviation of initial weights, of all or of one: e=0.1, likewise w, v and, where "
        "recurrent, h or a, g. Repeatable.",
    ),
]
Time = Annotated[
    float | None,
    typer.Option(
        rich_help_panel=MODEL,
        help="Flow time: learning rate times epochs, the loss summed over the documents. By default the time "
        "at which a document that shares nothing with others has its label with probability 0.9.",
    ),
]
TextColumn = Annotated[str, typer.Option(rich_help_panel=DATA, help="Column of the texts (csv:, hf:).")]
LabelColumn = Annotated[str, typer.Option(rich_help_panel=DATA, help="Column of the labels.")]
MinimumCount = Annotated[
    int, typer.Option(rich_help_panel=DATA, help="Rarer tokens share the unknown token.")
]
Limit = Annotated[int | None, typer.Option(rich_help_panel=DATA, help="At most so many documents.")]
Seed = Annotated[int, typer.Option(rich_help_panel=DATA, help="Of that draw, and of planted corpora.")]
Form = Annotated[
    str | None,
    typer.Option(
        "--format", "-f", rich_help_panel=OUTPUT, help="table, csv or json; else by the file's ending."
    ),
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", rich_help_panel=OUTPUT, help="Write to this file instead.")
]


def predict(
    corpus: CorpusName,
    architecture: Model = "mlp",
    activation: Phi = None,
    window: Window = None,
    readout: Readout = None,
    sigma: Sigma = None,
    time: Time = None,
    top: Annotated[int, typer.Option(help="How many tokens for each class.")] = 20,
    probe: Annotated[
        list[str] | None, typer.Option(help="Score this token or n-gram instead. Repeatable.")
    ] = None,
    text_column: TextColumn = "text",
    label_column: LabelColumn = "label",
    minimum_count: MinimumCount = 1,
    limit: Limit = None,
    seed: Seed = 0,
    form: Form = None,
    output: Output = None,
) -> None:
    """Predict label scores of tokens or n-grams, without training: those that speak most for each class.

    The score is what the token alone adds to the class: the logit of the second class where there are two.
    """
    with _one_line_errors(), _working(f"predicting from {corpus}"):
        shape = chosen_format(form, output)
        _check_positive(top, "--top")
        texts = _load(corpus, text_column, label_column, minimum_count, limit, seed)
        model = _model(architecture, activation, window, readout, sigma)
        probes = None if not probe else {text: _ids(texts, text) for text in probe}
        flow = _flow(model, texts, time, probes)
        from ntklib.command_rows import probe_rows, token_rows

        scores = flow.scores.iloc[0]
        wide = scores if len(texts.classes) == 2 else scores.unstack("class", sort=False)
        table = token_rows(wide, texts, top) if probes is None else probe_rows(wide, texts)
        about = _about("predict", model, texts, float(flow.times[0]))
        text = _finish(table, about, shape, output)
    _show(text, output, f"score: {_scale(texts)}; flow time {flow.times[0]:.4g}; {len(texts):,} documents")


def attribute(
    corpus: CorpusName,
    probe: Annotated[str, typer.Argument(metavar="PROBE", help='A token or text, such as "not good".')],
    by: Annotated[str, typer.Option(help="document, ngram or group (of parameters).")] = "document",
    label: Annotated[
        str | None, typer.Option("--class", help="Whose score; the last class by default.")
    ] = None,
    architecture: Model = "mlp",
    activation: Phi = None,
    window: Window = None,
    readout: Readout = None,
    sigma: Sigma = None,
    time: Time = None,
    top: Annotated[int, typer.Option(help="How many rows; a last one adds up the others.")] = 20,
    text_column: TextColumn = "text",
    label_column: LabelColumn = "label",
    minimum_count: MinimumCount = 1,
    limit: Limit = None,
    seed: Seed = 0,
    form: Form = None,
    output: Output = None,
) -> None:
    """Split a predicted score exactly into training documents, n-grams or parameter groups.

    The column `score` adds up to the whole score of the probe.
    """
    with _one_line_errors(), _working(f"attributing {probe!r} to {corpus}"):
        shape = chosen_format(form, output)
        _check_positive(top, "--top")
        if by not in ("document", "ngram", "group"):
            raise ValueError(f"--by must be document, ngram or group, not {by!r}.")
        texts = _load(corpus, text_column, label_column, minimum_count, limit, seed)
        name = texts.classes[-1] if label is None else label
        if name not in texts.classes:
            raise ValueError(f"--class must be one of {', '.join(texts.classes)}, not {name!r}.")
        ids = _ids(texts, probe)
        model = _model(architecture, activation, window, readout, sigma)
        flow = _flow(model, texts, time, {probe: ids})
        place = texts.classes.index(name)
        dual = flow.dual[0]
        chosen = dual[:, place] if dual.ndim == 2 else dual if place else -dual
        from scipy import sparse

        from ntklib.command_rows import part_rows, top_rows
        from ntklib.explanations import explain_score

        held = sparse.csr_array(model.feature_map([ids], flow.features.columns).matrix)
        parts = explain_score(model, flow.features, chosen, held, texts.vocabulary.__getitem__)
        table = top_rows(part_rows(parts, by, texts), top)
        about = _about("attribute", model, texts, float(flow.times[0]))
        about |= {"probe": probe, "class": name, "by": by, "score": parts.score}
        text = _finish(table, about, shape, output)
    _show(text, output, f"{probe!r} for {name}: {parts.score:.4g}; flow time {flow.times[0]:.4g}")


def spectrum(
    corpus: Annotated[
        str | None, typer.Argument(metavar="[CORPUS]", help="Also for the documents of this corpus.")
    ] = None,
    order: Annotated[int, typer.Option(help="Largest n-gram; its row includes all larger ones.")] = 3,
    architecture: Model = "mlp",
    activation: Phi = None,
    window: Window = None,
    readout: Readout = None,
    sigma: Sigma = None,
    text_column: TextColumn = "text",
    label_column: LabelColumn = "label",
    minimum_count: MinimumCount = 1,
    limit: Limit = None,
    seed: Seed = 0,
    form: Form = None,
    output: Output = None,
) -> None:
    """Show the feature spectrum: which share of what a model learns is bias, tokens, n-grams.

    `share` is that of two equal units, split into parameter groups; `corpus` that of the documents with
    themselves, summed.
    """
    with _one_line_errors(), _working("working out the spectrum"):
        shape = chosen_format(form, output)
        _check_positive(order, "--order")
        model = _model(architecture, activation, window, readout, sigma)
        from ntklib.command_rows import corpus_shares, spectrum_rows

        table = spectrum_rows(model, order)
        texts = None
        left_out = 0.0
        if corpus is not None:
            texts = _load(corpus, text_column, label_column, minimum_count, limit, seed)
            table["corpus"], left_out = corpus_shares(model, texts, order)
        text = _finish(table, _about("spectrum", model, texts, None), shape, output)
    note = f"; {left_out:.2g} of the corpus's kernel lies beyond the feature map" if left_out > 0 else ""
    _show(text, output, f"{model}{note}")


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """End with one line and exit code 2 on an error, and with 130 on Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        raise typer.Exit(130) from None
    except (CorpusUnavailable, ValueError, TypeError, OSError, MemoryError) as error:
        typer.echo(f"error: {' '.join(str(error).split()) or type(error).__name__}", err=True)
        raise typer.Exit(2) from None


@contextmanager
def _working(what: str) -> Iterator[None]:
    """Show on a terminal that something is going on."""
    with Console(stderr=True, markup=False).status(what, spinner="line"):
        yield


def _load(name: str, text: str, label: str, minimum: int, limit: int | None, seed: int) -> Corpus:
    return load_corpus(
        name, text_column=text, label_column=label, minimum_count=minimum, limit=limit, seed=seed
    )


def _model(
    name: str, activation: str | None, window: int | None, readout: str | None, sigma: list[str] | None
) -> "Architecture":
    from dataclasses import fields

    from ntklib.architectures.catalogue import get_architecture

    known = [field.name for field in fields(get_architecture(name)) if field.name.startswith("sigma_")]
    sigmas: dict[str, float] = {}
    for text in sorted(sigma or [], key=lambda text: "=" in text):  # one of them overrides all of them
        letter, _, value = text.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            raise ValueError(f"--sigma must be a number, or such as e=0.1, not {text!r}.") from None
        sigmas |= dict.fromkeys([f"sigma_{letter.removeprefix('sigma_')}"] if letter else known, number)
    return get_architecture(name, activation=activation, window=window, readout=readout, **sigmas)


def _ids(texts: Corpus, probe: str) -> list[int]:
    words = probe.split()
    if not all(word in texts.vocabulary for word in words):
        words = tokenize(probe)
    if not words:
        raise ValueError("a probe needs at least one token.")
    return [int(i) for i in texts.vocabulary.encode(words)]


def _flow(model: "Architecture", texts: Corpus, time: float | None, probes: Any) -> Any:
    from ntklib.dynamics import gradient_flow
    from ntklib.feature_kernel import default_time

    if time is None:
        time = default_time(model.feature_map(texts.tokens))
    return gradient_flow(model, texts, [time], probes)


def _check_positive(value: int, option: str) -> None:
    if value < 1:
        raise ValueError(f"{option} must be 1 or more, not {value}.")


def _about(command: str, model: "Architecture", texts: Corpus | None, time: float | None) -> dict[str, Any]:
    about: dict[str, Any] = {"command": command, "architecture": str(model)}
    if texts is not None:
        seen = texts.provenance
        about |= {
            "corpus": texts.name,
            "documents": len(texts),
            "classes": list(texts.classes),
            "content_sha256": seen.content_sha256,
        }
    return about if time is None else about | {"time": time}


def _finish(table: Any, about: dict[str, Any], shape: str, output: Path | None) -> str:
    text = formatted(table, about, shape)
    if output is not None:
        write(text, output)
    return text


def _show(text: str, output: Path | None, note: str) -> None:
    """Print the result, and the note on the other stream, out of the way of a pipe."""
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    typer.echo(note if output is None else f"{note}; written to {output}", err=True)


def _scale(texts: Corpus) -> str:
    return f"logit of {texts.classes[1]!r}" if len(texts.classes) == 2 else "before the softmax"
