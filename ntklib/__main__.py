"""Command line: ``python -m ntklib``."""

import json
from typing import Annotated, NoReturn

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from ntklib import commands
from ntklib.corpora import (
    BUNDLED,
    CORPORA,
    PLANTED,
    CorpusUnavailable,
    cache_folder,
    cached_archive,
    fetch_archive,
    load_corpus,
)

app = typer.Typer(
    help="What a text model learns by gradient descent, read off its Neural Tangent Kernel.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]


def _stop(error: Exception) -> NoReturn:
    typer.echo(f"error: {' '.join(str(error).split())}", err=True)
    raise typer.Exit(1) from None


@app.command(
    epilog="Examples: `python -m ntklib corpora` lists all; "
    "`python -m ntklib corpora movie-reviews` shows one; "
    "`python -m ntklib corpora csv:reviews.csv --text-column review --json`."
)
def corpora(
    name: Annotated[str | None, typer.Argument(help="Show the provenance of this corpus.")] = None,
    as_json: Json = False,
    text_column: Annotated[str, typer.Option(help="Column of the texts, for csv: and hf:.")] = "text",
    label_column: Annotated[str, typer.Option(help="Column of the labels.")] = "label",
    without_labels: Annotated[bool, typer.Option("--without-labels", help="The text has no labels.")] = False,
) -> None:
    """List the corpora, or show where one comes from and what is in it."""
    if name is None:
        _list(as_json)
        return
    try:
        corpus = load_corpus(
            name, text_column=text_column, label_column=None if without_labels else label_column
        )
    except (CorpusUnavailable, ValueError) as error:
        _stop(error)
    provenance = corpus.provenance
    typer.echo(json.dumps(provenance.as_dict(), indent=2, ensure_ascii=False) if as_json else str(provenance))


def _list(as_json: bool) -> None:
    is_cached = cached_archive() is not None
    state = {name: is_cached if name in BUNDLED else True if name in PLANTED else None for name in CORPORA}
    if as_json:
        rows = [{"name": name, "what": what, "ready": state[name]} for name, what in CORPORA.items()]
        typer.echo(json.dumps(rows, indent=2))
        return
    words = {True: "yes", False: "after a download", None: "depends on you"}
    table = Table("name", "what it is", "ready", box=box.SIMPLE)
    for name, what in CORPORA.items():
        table.add_row(name, what, words[state[name]])
    Console(markup=False, highlight=False).print(table)
    typer.echo(f"cache: {cache_folder()}")


@app.command(
    epilog="Examples: `python -m ntklib fetch`; "
    "`NTKLIB_CACHE=data/cache python -m ntklib fetch` keeps it elsewhere."
)
def fetch(as_json: Json = False) -> None:
    """Download the bundled corpora into the cache, unless they are there already.

    The environment variable NTKLIB_CACHE moves the cache.
    """
    was_cached = cached_archive() is not None
    try:
        fetch_archive()
    except CorpusUnavailable as error:
        _stop(error)
    if as_json:
        typer.echo(json.dumps({"cache": str(cache_folder()), "downloaded": not was_cached}))
    else:
        typer.echo(f"bundled corpora {'were already in' if was_cached else 'downloaded to'} {cache_folder()}")


app.command(
    epilog="Examples: `python -m ntklib predict movie-reviews --architecture cnn --activation gelu`; "
    "`python -m ntklib predict csv:reviews.csv --probe 'not good' --format json`; "
    "`python -m ntklib predict movie-reviews --top 500 --output scores.csv`."
)(commands.predict)
app.command(
    epilog="Examples: `python -m ntklib attribute movie-reviews moving`; "
    "`python -m ntklib attribute movie-reviews 'not funny' -a cnn --by ngram`; "
    "`python -m ntklib attribute domains film --class movies --format csv`."
)(commands.attribute)
app.command(
    epilog="Examples: `python -m ntklib spectrum -a cnn --activation gelu`; "
    "`python -m ntklib spectrum movie-reviews -a l-rnn --sigma h=0.5 --format json`."
)(commands.spectrum)


if __name__ == "__main__":
    app(prog_name="python -m ntklib")
