"""Run the comparisons and keep their figures: ``python -m benchmarks.run [NAME …]``.

Each comparison runs in a process of its own, one after the other, with one thread, and replaces its records
in ``benchmarks/results/speed.json``; those of other comparisons stay.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.catalogue import COMPARISONS
from benchmarks.environment import JAX, python_of
from benchmarks.imports import measure_imports
from benchmarks.measure import ROOT, environment, measure

RESULTS = ROOT / "benchmarks" / "results" / "speed.json"
IMPORTS = "imports"


def read(path: Path = RESULTS) -> dict[str, Any]:
    """Read the figures kept so far."""
    if not path.exists():
        return {"records": [], "imports": None, "environments": {}}
    return json.loads(path.read_text(encoding="utf-8"))


def keep(name: str, records: list[dict[str, Any]], path: Path = RESULTS) -> None:
    """Replace the records of one comparison, in the order of the catalogue."""
    order = list(COMPARISONS)
    kept = read(path)
    others = [record for record in kept["records"] if record["name"] != name]
    kept["records"] = sorted(others + records, key=lambda record: (order.index(record["name"]), record["N"]))
    _write(kept, name, path)


def keep_imports(path: Path = RESULTS) -> None:
    """Measure and keep the times of imports."""
    kept = read(path)
    kept["imports"] = measure_imports()
    _write(kept, IMPORTS, path)


def _write(kept: dict[str, Any], name: str, path: Path) -> None:
    kept["environments"][name] = environment()
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main(names: list[str]) -> None:
    """Run the named comparisons, all by default."""
    known = [*COMPARISONS, IMPORTS]
    unknown = sorted(set(names) - set(known))
    if unknown:
        sys.exit(f"benchmarks: {unknown} are no comparisons; there are {known}.")
    if names == [IMPORTS]:
        keep_imports()
    elif len(names) == 1:
        import torch

        torch.set_num_threads(1)
        keep(names[0], measure(names[0], COMPARISONS[names[0]]))
    else:
        failed = []
        for name in names or known:
            if name.startswith("neural-tangents") and python_of(JAX) is None:
                print(f"{name}: skipped, {JAX} is not there. `make benchmark JAX=yes` makes it.", flush=True)
                continue
            command = [sys.executable, "-m", "benchmarks.run", name]
            if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
                failed.append(name)
        if failed:
            sys.exit(f"benchmarks: failed, the reasons above: {', '.join(failed)}. The others are kept.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="a comparison; all by default")
    main(parser.parse_args().names)
