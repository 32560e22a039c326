"""Build ntklib's wheel and try it: it must install without the book's tools, and start without torch."""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from pipeline.chapters import ROOT
from pipeline.lock import versions

TRIAL = """
import importlib.util, pkgutil, sys
import ntklib
assert "torch" not in sys.modules, "import ntklib imports torch"
tools = ("jupyter_book", "papermill", "pytest", "nbval")
brought = [name for name in tools if importlib.util.find_spec(name)]
assert not brought, f"the light installation brings {brought}"
for module in pkgutil.walk_packages(ntklib.__path__, "ntklib."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print("ntklib is at", ntklib.__file__)
"""


def main() -> int:
    """Build, install into a scratch environment, import, and call the command line; return the exit code."""
    dist = ROOT / "dist"
    # The backend is in the lock file: nothing is fetched to build.
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(ROOT)], check=True
    )
    wheel = max(dist.glob("*.whl"), key=lambda path: path.stat().st_mtime)
    with tempfile.TemporaryDirectory(prefix="ntklib-package-") as temporary:
        venv.create(temporary, with_pip=True)
        python = str(Path(temporary) / "bin" / "python")
        pip = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        # The lock file's versions, but only those that ntklib itself asks for. No checksums: pip would want
        # one of the wheel too, which was built just now.
        constraints = Path(temporary) / "constraints.txt"
        constraints.write_text("\n".join(versions((ROOT / "requirements.lock").read_text())))
        subprocess.run([*pip, "--constraint", str(constraints), str(wheel)], check=True)
        subprocess.run([python, "-c", TRIAL], cwd=temporary, check=True)
        subprocess.run(
            [python, "-m", "ntklib", "--help"], cwd=temporary, check=True, stdout=subprocess.DEVNULL
        )
    print(f"{wheel.relative_to(ROOT)} installs and starts on its own.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"make package: this command failed: {' '.join(map(str, error.cmd))[:200]}")
