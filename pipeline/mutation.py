"""Change ntklib's core in many small ways, one at a time, and count how many of them the tests notice.

mutmut makes the mutants and runs the tests that reach each; ``[tool.mutmut]`` in pyproject.toml says which
modules and tests. This adds an even sample of them, and the counts as a file.
"""

import argparse
import json
import math
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from pipeline import tools
from pipeline.chapters import ROOT

MUTANTS = ROOT / "mutants"
SEED = 0
# What mutmut keeps of a mutant is the exit code of its tests, or a code of its own.
KILLED, TIMED_OUT = (1, 3), (-24, 24, 36, 152, 255)
STATUS: dict[int | None, str] = {
    None: "not tried",
    0: "survived",
    5: "no tests",
    33: "no tests",
    **dict.fromkeys(KILLED, "killed"),
    **dict.fromkeys(TIMED_OUT, "timeout"),
}


def exit_codes(folder: Path = MUTANTS) -> dict[str, dict[str, int | None]]:
    """Return each mutated module's mutants with the exit code of their tests, None where they weren't run."""
    found = {}
    for file in sorted(folder.rglob("*.py.meta")):
        codes = json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"]
        if codes:
            found[file.relative_to(folder).as_posix().removesuffix(".meta")] = codes
    return found


def sample(mutants: dict[str, dict[str, int | None]], fraction: float) -> list[str]:
    """Return that share of every module's mutants, drawn with a fixed seed."""
    chosen = []
    for codes in mutants.values():
        chosen += random.Random(SEED).sample(sorted(codes), math.ceil(len(codes) * fraction))
    return chosen


def counts(mutants: dict[str, dict[str, int | None]], chosen: list[str]) -> dict[str, dict[str, int]]:
    """Return how the chosen mutants of each module ended."""
    wanted = set(chosen)
    return {
        module: dict(Counter(STATUS.get(code, "other") for name, code in codes.items() if name in wanted))
        for module, codes in mutants.items()
    }


def summary(mutants: dict[str, dict[str, int | None]], chosen: list[str]) -> dict:
    """Return the counts, the share that the tests noticed, and the names of those they didn't."""
    by_module = counts(mutants, chosen)
    total = sum((Counter(each) for each in by_module.values()), Counter())
    # A mutant that never ends is noticed too; one that no test reaches is not.
    noticed, tried = total["killed"] + total["timeout"], len(chosen) - total["not tried"]
    codes = {name: code for each in mutants.values() for name, code in each.items()}
    return {
        "mutants": len(codes),
        "chosen": len(chosen),
        "tried": tried,
        "seed": SEED,
        "noticed": noticed / tried if tried else None,
        "total": dict(total),
        "modules": by_module,
        "unnoticed": {
            name: STATUS.get(codes[name], "other")
            for name in sorted(chosen)
            if codes[name] is not None and codes[name] not in KILLED + TIMED_OUT
        },
    }


def main() -> int:
    """Make the mutants, run the tests on them, print the counts; return 1 if any was left untried."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.mutation", description=__doc__)
    parser.add_argument(
        "--fraction", type=float, default=1.0, help="share of the mutants to try, above 0, up to 1"
    )
    parser.add_argument("--result", type=Path, help="JSON file for the counts")
    options = parser.parse_args()
    if not 0 < options.fraction <= 1:
        parser.error(f"--fraction must be above 0 and at most 1, not {options.fraction:g}")
    # What mutmut remembers of an earlier run was found with the tests of that time.
    shutil.rmtree(MUTANTS, ignore_errors=True)
    # mutmut lists its mutants only by running some: it makes them all, then finds none of this name.
    made = tools.run("mutmut", "run", "none", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    mutants = exit_codes()
    if not mutants:
        print(
            made.stdout[-3000:], "make mutation: mutmut made no mutants; its last words are above.", sep="\n"
        )
        return 1
    chosen = sample(mutants, options.fraction)
    print(f"make mutation: {len(chosen)} of {sum(map(len, mutants.values()))} mutants", flush=True)
    tools.run("mutmut", "run", "--max-children", "1", *chosen)
    found = summary(exit_codes(), chosen)
    for module, each in found["modules"].items():
        print(f"{module}: " + ", ".join(f"{number} {status}" for status, number in sorted(each.items())))
    if found["tried"]:
        print(f"make mutation: {found['noticed']:.1%} of {found['tried']} mutants were noticed")
    if options.result:
        options.result.write_text(json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    return 1 if "not tried" in found["total"] else 0


if __name__ == "__main__":
    sys.exit(main())
