"""Make the environment of the audit tools: requirements-audit.lock on top of the book's own environment.

They are kept apart from the book's packages, so that the bill of materials doesn't list what writes it.
"""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from pipeline import environment
from pipeline.chapters import ROOT

FOLDER = ROOT / "_build" / "tools"


def python() -> str:
    """Return the tools' Python, made or renewed where it is missing or older than its lock file."""
    executable, stamp = FOLDER / "bin" / "python", FOLDER / ".installed"
    wanted = environment.fingerprint(*environment.LOCKS, "requirements-audit.lock")
    if not (stamp.exists() and stamp.read_text() == wanted and environment.runs(str(executable))):
        print(f"make: installing requirements-audit.lock into {FOLDER.relative_to(ROOT)}", flush=True)
        venv.create(FOLDER, clear=True, with_pip=True)
        own = subprocess.run(
            [executable, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        ).stdout.strip()
        # addsitedir, and not the bare path: the book's own packages bring such lines too.
        book = sysconfig.get_path("purelib")
        (Path(own) / "book.pth").write_text(f"import site; site.addsitedir({book!r})\n")
        environment.install_locked(str(executable), str(ROOT / "requirements-audit.lock"))
        stamp.write_text(wanted)
    return str(executable)


def run(module: str, *options: str, **settings: object) -> subprocess.CompletedProcess:
    """Run a tool by its module's name in the project's root."""
    return subprocess.run([python(), "-m", module, *options], cwd=ROOT, check=False, text=True, **settings)  # type: ignore[call-overload]


def bill_of_materials() -> int:
    """Write the CycloneDX bill of materials of the book's environment; return the exit code."""
    file = ROOT / "_build" / "sbom.json"
    options = ["--pyproject", "pyproject.toml", "--mc-type", "library", "--output-reproducible"]
    status = run(
        "cyclonedx_py", "environment", *options, "--output-file", str(file), sys.executable
    ).returncode
    if status == 0:
        print(
            f"{file.relative_to(ROOT)}: every installed package with its version, licence and requirements."
        )
    return status


if __name__ == "__main__":
    sys.exit(bill_of_materials())
