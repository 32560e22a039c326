"""Look up known vulnerabilities of every locked version, and never take an unanswered question for a "no".

Exit codes: 0 none known, 1 some known, 3 not all could be looked up.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import tools
from pipeline.chapters import ROOT
from pipeline.lock import versions

LOCKS = ("requirements.lock", "requirements-gpu.lock", "requirements-audit.lock")
# The two databases that pip-audit reads; the second is asked for what the first doesn't know.
DATABASES = {"pypi": "the Python Package Index", "osv": "OSV"}
NONE, VULNERABLE, UNKNOWN = 0, 1, 3


@dataclass
class Answer:
    """What one database said: the vulnerable and the unknown packages, or why it said nothing."""

    vulnerable: list[dict[str, Any]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    error: str = ""


def answer(report: str, errors: str, asked: list[str]) -> Answer:
    """Read pip-audit's JSON report. Without one, as when no connection is made, everything is unknown."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        lines = errors.strip().splitlines() or ["pip-audit wrote no report"]
        return Answer(unknown=asked, error=lines[-1])
    # pip-audit skips a package that the database answers with "not found", and then counts it as no finding.
    checked = {package["name"] for package in packages if "skip_reason" not in package}
    unknown = [pin for pin in asked if pin.split("==")[0] not in checked]
    return Answer([package for package in packages if package.get("vulns")], unknown)


def ask(database: str, asked: list[str]) -> Answer:
    """Ask a database for the vulnerabilities of ``name==version`` pins."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pins:
        pins.write("\n".join(asked))
        pins.flush()
        options = ["--requirement", pins.name, "--no-deps", "--disable-pip", "--format", "json"]
        options += ["--vulnerability-service", database, "--progress-spinner", "off"]
        done = tools.run("pip_audit", *options, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return answer(done.stdout, done.stderr, asked)


def main(asked: list[str], ask: Callable[[str, list[str]], Answer] = ask) -> int:
    """Ask the databases, print what they know, and return the exit code."""
    unknown, vulnerable, errors = asked, [], []
    for database, name in DATABASES.items():
        if not unknown:
            break
        # One package first: a database that doesn't know it isn't there, and the others need not wait for it.
        first = ask(database, unknown[:1])
        if first.unknown:
            errors.append(f"{name}: {first.error or 'not found: ' + unknown[0]}")
            continue
        found = ask(database, unknown)
        vulnerable += found.vulnerable
        unknown = found.unknown
    for package in vulnerable:
        for problem in package["vulns"]:
            fixed = ", ".join(problem["fix_versions"]) or "no release yet"
            print(f"VULNERABLE {package['name']} {package['version']}: {problem['id']} (fixed in: {fixed})")
    if unknown:
        print(
            f"make audit: {len(unknown)} of {len(asked)} packages could NOT be looked up: nothing is known of"
        )
        print(
            "  them. "
            + (", ".join(unknown) if len(unknown) < len(asked) else "No database could be reached:")
        )
        print("".join(f"  - {error[:200]}\n" for error in errors), end="")
        print("  Run it where the Package Index's own site or OSV can be reached.")
    if vulnerable:
        print(f"make audit: {len(vulnerable)} packages have known vulnerabilities: make lock UPGRADE=1")
        return VULNERABLE
    if unknown:
        return UNKNOWN
    print(f"make audit: no known vulnerability in {len(asked)} locked packages.")
    return NONE


def locked() -> list[str]:
    """Return every pin of the lock files once."""
    return sorted({pin for lock in LOCKS for pin in versions(Path(ROOT / lock).read_text())})


if __name__ == "__main__":
    sys.exit(main(locked()))
