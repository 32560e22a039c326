"""Environments for what ntklib is compared with, beside the book's own, which stays as it is.

``.venv-benchmark`` sees the packages of the book's environment and adds nngeometry and scikit-ntk.
neural-tangents needs a jax and a NumPy of its own: ``.venv-jax``, made only when asked for. Its structured
derivatives need jax 0.4.23.
"""

import argparse
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
RIVALS = ROOT / ".venv-benchmark"
JAX = ROOT / ".venv-jax"
JAX_PACKAGES = ("neural-tangents==0.6.5", "jax==0.4.23", "jaxlib==0.4.23", "numpy<2", "scipy<1.13")


def python_of(folder: Path) -> Path | None:
    """Path of an environment's Python, or None where there is no environment."""
    python = folder / "bin" / "python"
    return python if python.exists() else None


def make(folder: Path, packages: list[str], *options: str, shared: str | None = None) -> None:
    """Make an environment with packages, and with those of the folder ``shared``."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    if shared is not None:
        site = subprocess.check_output(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
        ).strip()
        Path(site, "book.pth").write_text(shared + "\n", encoding="utf-8")
    try:
        subprocess.check_call([python, "-m", "pip", "install", "--quiet", *options, *packages])
    except BaseException:
        shutil.rmtree(folder)  # half an environment would be taken for a whole one the next time
        raise


def main(jax: bool) -> None:
    """Make the environments that are missing."""
    if python_of(RIVALS) is None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        packages = project["project"]["optional-dependencies"]["benchmark"]
        # Without their dependencies: they would bring another torch, and torchvision, which nothing uses.
        make(RIVALS, packages, "--no-deps", shared=sysconfig.get_path("purelib"))
    if jax and python_of(JAX) is None:
        make(JAX, list(JAX_PACKAGES))


if __name__ == "__main__":
    if sys.prefix == sys.base_prefix:
        sys.exit("benchmarks: run this with the book's environment, .venv/bin/python.")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jax", action="store_true", help="also make the environment of neural-tangents")
    main(parser.parse_args().jax)
