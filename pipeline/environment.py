"""Make or renew the virtual environment from the lock file; do nothing when it is up to date.

Runs before anything is installed, with whatever ``python3`` there is: standard library only, and no syntax
newer than Python 3.6, so that an old interpreter gets the message and not a syntax error.
"""

import fcntl
import hashlib
import os
import subprocess
import sys

MINIMUM = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def fingerprint() -> str:
    """Return a checksum of what the environment is made from (file times prove nothing in a fresh clone)."""
    digest = hashlib.sha256()
    for name in ("requirements.lock", "pyproject.toml"):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    # The editable install points to this folder: a copied tree needs its own.
    digest.update(ROOT.encode())
    return digest.hexdigest()


def install(python: str) -> None:
    """Install the lock file and ntklib itself into the environment of ``python``."""
    lock = os.path.join(ROOT, "requirements.lock")
    # Errors only: pip warns once for each package and each place that lacks it.
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-qq", "--progress-bar", "off"]
    with open(lock) as file:
        # First, because the pip that comes with Python may not know how to go on with a broken download.
        locked_pip = next(line.strip() for line in file if line.startswith("pip=="))
    subprocess.check_call([*pip, locked_pip])
    subprocess.check_call([*pip, "--resume-retries", "5", "--requirement", lock])
    # The build backend is in the lock file, so nothing is fetched; it warns of every editable installation.
    quiet = dict(os.environ, PYTHONWARNINGS="ignore")
    subprocess.check_call([*pip, "--no-deps", "--no-build-isolation", "--editable", ROOT], env=quiet)


def runs(python: str) -> bool:
    """Return whether ``python`` exists and starts (it doesn't when the Python it was made from has gone)."""
    try:
        return subprocess.call([python, "-c", ""], stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def main(folder: str) -> None:
    """Bring the environment in ``folder`` up to date."""
    if sys.version_info < MINIMUM:
        sys.exit(
            f"make: Python {MINIMUM[0]}.{MINIMUM[1]} or later is needed, and {sys.executable} is "
            f"{sys.version_info[0]}.{sys.version_info[1]}. Name another one: make book PYTHON=python3.12"
        )
    python = os.path.join(folder, "bin", "python")
    stamp = os.path.join(folder, ".installed")
    os.makedirs(os.path.join(ROOT, "_build"), exist_ok=True)
    with open(os.path.join(ROOT, "_build", "environment.lock"), "w") as lock:
        # Two `make` at once: the second waits here, then finds the work done.
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = fingerprint()
        if os.path.exists(stamp) and runs(python):
            with open(stamp) as file:
                if file.read() == wanted:
                    return
        print(f"make: installing requirements.lock into {folder} (minutes the first time)", flush=True)
        try:
            if not runs(python):
                subprocess.check_call([sys.executable, "-m", "venv", "--clear", folder])
            install(python)
        except subprocess.CalledProcessError as error:
            sys.exit(
                f"make: the installation stopped with exit code {error.returncode}; the message is above. "
                "The same command goes on from there. PIP_FIND_LINKS can name a folder of wheels instead."
            )
        with open(stamp + ".new", "w") as file:
            file.write(wanted)
        os.replace(stamp + ".new", stamp)


if __name__ == "__main__":
    main(sys.argv[1])
