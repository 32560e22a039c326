"""Write the lock files: exact versions and checksums of what the book, its tests and the audits need.

uv resolves for every Python and system at once, from the package index alone: neither this machine's Python,
nor its pip configuration, nor what lies on its disk changes the result.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXTRAS = ("book", "test", "cluster")
# 3.11.5 is what the locked soupsieve asks for; pipeline/environment.py asks for the same.
OLDEST_PYTHON = "3.11.5"
HEADER = """\
# Exact versions and checksums for the book and its tests, on Python 3.11 and later and every system. Made by
# `make lock` from pyproject.toml (`make lock UPGRADE=1` moves to newer versions); not to be edited by hand.
# GPU libraries are in requirements-gpu.lock, torch's CPU builds in requirements-cpu.lock. It names no index:
# pip's own configuration says where to fetch.
"""
GPU_HEADER = """\
# The GPU libraries without which torch's plain build for Linux doesn't start. Made by `make lock`, as
# requirements.lock is; `make environment` installs them only where pip took that build. The book uses no GPU.
"""
AUDIT_HEADER = """\
# What `make audit`, `make sbom` and `make mutation` need beyond requirements.lock, in an environment of their
# own. Made by `make lock`, as requirements.lock is.
"""
GPU_PACKAGE = re.compile(r"(nvidia-|cuda-|triton\b)")


def versions(lock: str) -> list[str]:
    """Return ``name==version`` of each package of a lock file, without checksums and conditions."""
    return re.findall(r"^[\w.-]+==[^\s;]+", lock, flags=re.MULTILINE)


def requirements(lock: str) -> list[str]:
    """Return the requirements of a lock file, each with its condition and checksums."""
    parts = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)
    return [part for part in parts if "==" in part]


def split(found: list[str]) -> tuple[list[str], list[str]]:
    """Split requirements into those of the book and the GPU libraries."""
    gpu = [requirement for requirement in found if GPU_PACKAGE.match(requirement)]
    return [requirement for requirement in found if requirement not in gpu], gpu


def compiled(inputs: list[str], before: list[Path], constraint: Path, upgrade: bool) -> list[str]:
    """Resolve ``inputs`` (uv's arguments), keeping the versions that were locked before."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", *inputs]
    # One version of a package for all Pythons, so that the printed numbers don't depend on it.
    command += ["--universal", f"--python-version={OLDEST_PYTHON}", "--fork-strategy=fewest"]
    command += ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"]
    command += [f"--constraint={constraint}"] + (["--upgrade"] if upgrade else [])
    with tempfile.TemporaryDirectory(prefix="ntklib-lock-") as folder:
        # uv keeps the versions that it finds in the file it writes to.
        draft = Path(folder) / "requirements.lock"
        draft.write_text("".join(file.read_text() for file in before if file.exists()))
        subprocess.run([*command, f"--output-file={draft}"], cwd=ROOT, check=True)
        return requirements(draft.read_text())


def replace(lock: Path, header: str, contents: list[str]) -> None:
    """Replace a lock file in one step."""
    draft = lock.with_suffix(".lock.new")
    draft.write_text(header + "".join(contents))
    draft.replace(lock)


def main(upgrade: bool) -> None:
    """Compile the lock files and replace the old ones."""
    lock, gpu_lock, audit_lock = (ROOT / f"requirements{kind}.lock" for kind in ("", "-gpu", "-audit"))
    try:
        project = ["pyproject.toml", *(f"--extra={extra}" for extra in EXTRAS)]
        found = compiled(project, [lock, gpu_lock], ROOT / "pipeline" / "lock-constraints.txt", upgrade)
        ours, gpu = split(found)
        replace(lock, HEADER, ours)
        replace(gpu_lock, GPU_HEADER, gpu)
        everything = [*project, "--extra=audit"]
        more = compiled(everything, [lock, gpu_lock, audit_lock], lock, upgrade)
        replace(audit_lock, AUDIT_HEADER, [requirement for requirement in more if requirement not in found])
    except subprocess.CalledProcessError:
        sys.exit("make lock: uv failed (its message is above); the lock file it was making is as it was.")


if __name__ == "__main__":
    main(upgrade="--upgrade" in sys.argv[1:])
