"""Write requirements.lock: exact versions of what the book and its tests need, whatever the package index."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEADER = """\
# Exact versions for the book and its tests, on Python 3.11 and later. Made by `make lock` from pyproject.toml
# (pip-compile; `make lock UPGRADE=1` moves to newer versions); not to be edited by hand.
# It names no index and no GPU package: pip takes torch's CPU build where its own configuration offers one.
"""
# What torch's GPU build brings on Linux: only there, and never needed for this book.
GPU_PACKAGE = re.compile(r"(nvidia-|cuda-|triton\b)")


def portable(lines: list[str]) -> list[str]:
    """Return a lock file's lines without local version tags, GPU packages, comments and blank lines."""
    kept = []
    for line in lines:
        requirement = line.split("#")[0].strip()
        if requirement and not GPU_PACKAGE.match(requirement):
            kept.append(re.sub(r"\+[A-Za-z0-9.]+$", "", requirement))
    return sorted(kept)


def main(upgrade: bool) -> None:
    """Compile the lock file and replace the old one in one step."""
    lock = ROOT / "requirements.lock"
    draft = ROOT / "requirements.lock.new"
    draft.write_text(lock.read_text() if lock.exists() else "")
    command = [sys.executable, "-m", "piptools", "compile", "--quiet", "--extra", "book", "--extra", "test", "--extra", "cluster"]
    command += ["--allow-unsafe", "--strip-extras", "--no-emit-index-url", "--no-emit-find-links"]
    command += ["--no-emit-trusted-host", "--no-emit-options", "--no-header", "--no-annotate"]
    command += [
        "--constraint",
        "pipeline/lock-constraints.txt",
        "--output-file",
        draft.name,
        "pyproject.toml",
    ]
    try:
        subprocess.run(command + (["--upgrade"] if upgrade else []), cwd=ROOT, check=True)
        draft.write_text(HEADER + "\n".join(portable(draft.read_text().splitlines())) + "\n")
        draft.replace(lock)
    except subprocess.CalledProcessError:
        sys.exit("make lock: pip-compile failed (its message is above); requirements.lock is as it was.")
    finally:
        draft.unlink(missing_ok=True)


if __name__ == "__main__":
    main(upgrade="--upgrade" in sys.argv[1:])
