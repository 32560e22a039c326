"""Claims of long runs, kept as figures: what a chapter measured in another profile or on another corpus."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ntklib.claims.ledger import claims_of
from ntklib.claims.record import Claim
from ntklib.claims.verdict import verdict_in_words
from ntklib.files import replacing

_FIELDS = ("chapter", "label", "parameters", "provenance", "claims")


@dataclass(frozen=True)
class FullRun:
    """What one long run of a chapter measured.

    Attributes
    ----------
    chapter : str
        Name of the chapter.
    label : str
        What the run is called, ``"paper, SST-2"`` say.
    parameters : dict
        The parameters that the chapter was given.
    provenance : str
        The line that ends the executed chapter.
    claims : tuple of Claim
        Its claims.
    """

    chapter: str
    label: str
    parameters: dict[str, Any]
    provenance: str
    claims: tuple[Claim, ...]


def full_run_of(notebook: str | Path, label: str, parameters: dict[str, Any], provenance: str) -> FullRun:
    """Read the claims of an executed notebook as a :class:`FullRun`."""
    path = Path(notebook)
    claims = tuple(claim for _, claim in claims_of(path))
    if not claims:
        raise ValueError(f"{path.name} records no claim: a full run of it has no figure to keep.")
    return FullRun(path.stem, label, parameters, provenance, claims)


def write_full_run(run: FullRun, file: str | Path) -> None:
    """Write a run's figures as JSON: numbers, parameters and provenance, no text of a corpus."""
    content = json.dumps(asdict(run), ensure_ascii=False, indent=1, allow_nan=False)
    with replacing(Path(file)) as temporary:
        temporary.write_text(content + "\n", encoding="utf-8")


def read_full_runs(folder: str | Path) -> list[FullRun]:
    """Read all runs that a folder keeps, in alphabetical order of their files; none when there is no folder.

    Raises
    ------
    ValueError
        If a file is not what :func:`write_full_run` writes; the message names it.

    Examples
    --------
    >>> read_full_runs("a folder that does not exist")
    []
    """
    runs = []
    for file in sorted(Path(folder).glob("*.json")):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            values = {name: content[name] for name in _FIELDS}
            claims = tuple(_claim(record) for record in values["claims"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{file.name} does not hold a full run ({error}): make it again with `make full`."
            ) from None
        runs.append(FullRun(**{**values, "claims": claims}))
    return runs


def _claim(record: dict[str, Any]) -> Claim:
    for name in ("expected", "interval"):
        if isinstance(record[name], list):
            record[name] = tuple(record[name])
    return Claim(**record)


def beside_full_runs(claims: pd.DataFrame, runs: list[FullRun]) -> pd.DataFrame:
    """Put the measurements of full runs beside those of the book's own execution.

    Parameters
    ----------
    claims : DataFrame
        As :func:`~ntklib.claims.read_claims` gives.
    runs : list of FullRun

    Returns
    -------
    DataFrame
        One row a claim that a run measured too; columns ``this book``, then the runs' labels: the measurement
        with its interval, and the verdict. ``the same figure`` where a run changed nothing that the claim
        depends on; with what was expected, where that was something else.
    """
    columns: dict[str, dict[str, str]] = {}
    for run in runs:
        column = columns.setdefault(run.label, {})
        column.update({claim.id: _beside(claim, claims) for claim in run.claims})
    known = [name for name in claims.index if any(name in column for column in columns.values())]
    own = {name: _figure(claims.loc[name]) for name in known}
    table = pd.DataFrame({"this book": own, **columns}, index=pd.Index(known, name="claim"))
    return table.fillna("")


def _figure(claim: Any) -> str:
    return f"{claim.measurement}: {verdict_in_words(claim)}"


def _beside(claim: Claim, claims: pd.DataFrame) -> str:
    figure = _figure(claim)
    if claim.id not in claims.index:
        return figure
    own = claims.loc[claim.id]
    if figure == _figure(own):
        return "the same figure"
    return figure if claim.expectation == own["expectation"] else f"{figure} (expected {claim.expectation})"
