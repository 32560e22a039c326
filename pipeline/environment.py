"""Make or renew the virtual environment from the lock files; do nothing when it is up to date.

Runs before anything is installed, with whatever ``python3`` there is: standard library only, and no syntax
newer than Python 3.6, so that an old interpreter gets the message and not a syntax error.
"""

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import tempfile

MINIMUM = (3, 11, 5)  # of the locked versions; ntklib itself runs on 3.11
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


LOCKS = ("requirements.lock", "requirements-cpu.lock", "requirements-gpu.lock")


def fingerprint(*names: str) -> str:
    """Return a checksum of what the environment is made from (file times prove nothing in a fresh clone)."""
    digest = hashlib.sha256()
    for name in names or (*LOCKS, "pyproject.toml"):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    # The editable install points to this folder: a copied tree needs its own.
    digest.update(ROOT.encode())
    return digest.hexdigest()


def pip_install(python: str, *options: str) -> "list[str]":
    """Return the command that installs with the pip of ``python``."""
    # Errors only: pip warns once for each package and each place that lacks it.
    quiet = ["--disable-pip-version-check", "install", "-qq", "--progress-bar", "off"]
    return [python, "-m", "pip", *quiet, *options]


def locked_requirement(lock: str, name: str) -> str:
    """Return a package's lines of a lock file, checksums included."""
    found = re.search(r"^" + name + r"==.*(?:\n .*)*", lock, flags=re.MULTILINE)
    if not found:
        sys.exit("make: requirements.lock has no " + name + "; make lock writes it anew")
    return found.group() + "\n"


def install_locked(python: str, lock: str, *options: str) -> None:
    """Install exactly a lock file's packages, each only where its file has a checksum named there."""
    # Nothing beside them: what torch's plain build asks for is in a lock file of its own.
    exactly = ["--require-hashes", "--no-deps", "--requirement", lock]
    subprocess.check_call(pip_install(python, *exactly, *options))


def has_cpu_build(python: str, lock: str) -> bool:
    """Install torch's CPU build; return False where pip looks in vain for a file that is locked."""
    command = pip_install(
        python, "--require-hashes", "--no-deps", "--requirement", lock, "--resume-retries", "5"
    )
    tried = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if tried.returncode == 0:
        return True
    # The three ways in which pip says so. A broken download is none, and no reason to fetch GBs more.
    no_such_file = ("No matching distribution", "ResolutionImpossible", "DO NOT MATCH THE HASHES")
    if not any(words in tried.stderr for words in no_such_file):
        print(tried.stderr, end="", file=sys.stderr)
        tried.check_returncode()
    return False


def unmet(python: str) -> str:
    """Return what installed packages ask for and don't find, a line each; empty when all is well."""
    check = [python, "-m", "pip", "--disable-pip-version-check", "check"]
    checked = subprocess.run(check, stdout=subprocess.PIPE, text=True)
    return checked.stdout if checked.returncode else ""


def install(python: str) -> None:
    """Install the lock file and ntklib itself into the environment of ``python``."""
    lock = os.path.join(ROOT, "requirements.lock")
    with tempfile.TemporaryDirectory(prefix="ntklib-environment-") as folder:
        # First, because the pip that comes with Python may not know how to go on with a broken download.
        only_pip = os.path.join(folder, "pip.lock")
        with open(lock) as whole, open(only_pip, "w") as part:
            part.write(locked_requirement(whole.read(), "pip"))
        install_locked(python, only_pip)
    if not has_cpu_build(python, os.path.join(ROOT, "requirements-cpu.lock")):
        print(
            "make: pip finds no locked CPU build of torch for this Python; taking the plain build", flush=True
        )
    install_locked(python, lock, "--resume-retries", "5")
    # The build backend is in the lock file, so nothing is fetched; it warns of every editable installation.
    os.environ["PYTHONWARNINGS"] = "ignore"
    subprocess.check_call(pip_install(python, "--no-deps", "--no-build-isolation", "--editable", ROOT))
    if re.search(r"^torch ", unmet(python), flags=re.MULTILINE):
        print("make: this torch needs GPU libraries (some GB): installing requirements-gpu.lock", flush=True)
        install_locked(python, os.path.join(ROOT, "requirements-gpu.lock"), "--resume-retries", "5")
    problems = unmet(python)
    if problems:
        sys.exit("make: the lock file doesn't fit this Python: " + problems + "make lock writes it anew")


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
            f"make: Python {'.'.join(map(str, MINIMUM))} or later is needed, and {sys.executable} is "
            f"{'.'.join(map(str, sys.version_info[:3]))}. Name another one: make book PYTHON=python3.12"
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
