"""Write the lock files: exact versions and checksums of what the book and its tests need.

uv resolves for every Python and system at once, from the package index alone: neither this machine's Python,
nor its pip configuration, nor what lies on its disk changes the result.
"""

import re
import subprocess
import sys
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
GPU_PACKAGE = re.compile(r"(nvidia-|cuda-|triton\b)")


def versions(lock: str) -> list[str]:
    """Return ``name==version`` of each package of a lock file, without checksums and conditions."""
    return re.findall(r"^[\w.-]+==[^\s;]+", lock, flags=re.MULTILINE)


def split(compiled: str) -> tuple[list[str], list[str]]:
    """Return the requirements of a compiled file, with their checksums: the book's, and the GPU libraries."""
    parts = re.split(r"^(?=[A-Za-z0-9])", compiled, flags=re.MULTILINE)
    requirements = [part for part in parts if "==" in part]
    gpu = [requirement for requirement in requirements if GPU_PACKAGE.match(requirement)]
    return [requirement for requirement in requirements if requirement not in gpu], gpu


def main(upgrade: bool) -> None:
    """Compile both lock files and replace the old ones."""
    lock, gpu_lock = ROOT / "requirements.lock", ROOT / "requirements-gpu.lock"
    draft = ROOT / "requirements.lock.new"
    # uv keeps the versions that it finds in the file it writes to.
    draft.write_text("".join(file.read_text() for file in (lock, gpu_lock) if file.exists()))
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "pyproject.toml"]
    command += [f"--extra={extra}" for extra in EXTRAS]
    # One version of a package for all Pythons, so that the printed numbers don't depend on it.
    command += ["--universal", f"--python-version={OLDEST_PYTHON}", "--fork-strategy=fewest"]
    command += ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"]
    command += ["--constraint=pipeline/lock-constraints.txt", f"--output-file={draft.name}"]
    try:
        subprocess.run(command + (["--upgrade"] if upgrade else []), cwd=ROOT, check=True)
        requirements, gpu = split(draft.read_text())
        draft.write_text(HEADER + "".join(requirements))
        gpu_lock.write_text(GPU_HEADER + "".join(gpu))
        draft.replace(lock)
    except subprocess.CalledProcessError:
        sys.exit("make lock: uv failed (its message is above); requirements.lock is as it was.")
    finally:
        draft.unlink(missing_ok=True)


if __name__ == "__main__":
    main(upgrade="--upgrade" in sys.argv[1:])
