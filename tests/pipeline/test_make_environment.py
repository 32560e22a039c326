"""make environment: only files with a locked checksum are installed, and failures say what to do."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipeline import environment


def write_wheel(folder: Path, version: str = "1.0", asks_for: str = "") -> Path:
    """Write a wheel of a package with one module, and return its path."""
    info = f"tiny-{version}.dist-info"
    requires = f"Requires-Dist: {asks_for}\n" if asks_for else ""
    wheel = folder / f"tiny-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "value = 1\n")
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n{requires}"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs a lock file from a folder of wheels, without any index."""
    for name, value in (("NO_INDEX", "1"), ("FIND_LINKS", str(tmp_path)), ("CONFIG_FILE", "/dev/null")):
        monkeypatch.setenv(f"PIP_{name}", value)

    def into_scratch_folder(requirement: str) -> Path:
        lock = tmp_path / "tiny.lock"
        lock.write_text(requirement)
        target = tmp_path / "installed"
        environment.install_locked(sys.executable, str(lock), "--target", str(target))
        return target

    return into_scratch_folder


def test_a_file_with_the_locked_checksum_is_installed_without_what_it_asks_for(tmp_path, install):
    wheel = write_wheel(tmp_path, asks_for="nowhere-to-be-found")
    checksum = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert (install(f"tiny==1.0 --hash=sha256:{checksum}\n") / "tiny.py").read_text() == "value = 1\n"


def test_a_file_with_another_checksum_is_refused(tmp_path, install, capfd):
    write_wheel(tmp_path)
    with pytest.raises(subprocess.CalledProcessError):
        install(f"tiny==1.0 --hash=sha256:{'0' * 64}\n")
    assert "DO NOT MATCH THE HASHES" in capfd.readouterr().err
    assert not (tmp_path / "installed" / "tiny.py").exists()


def test_a_requirement_without_a_checksum_is_refused(tmp_path, install, capfd):
    write_wheel(tmp_path)
    with pytest.raises(subprocess.CalledProcessError):
        install("tiny==1.0\n")
    assert "Hashes are required" in capfd.readouterr().err


@pytest.mark.parametrize("wanted", ["1.0 --hash=sha256:" + "0" * 64, "1.0+cpu --hash=sha256:" + "0" * 64])
def test_without_a_locked_cpu_build_the_plain_one_is_next(tmp_path, install, monkeypatch, wanted):
    write_wheel(tmp_path)
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "installed"))
    (tmp_path / "cpu.lock").write_text(f"tiny=={wanted}\n")
    assert not environment.has_cpu_build(sys.executable, str(tmp_path / "cpu.lock"))


def test_a_locked_cpu_build_is_installed(tmp_path, install, monkeypatch):
    checksum = hashlib.sha256(write_wheel(tmp_path, "1.0+cpu").read_bytes()).hexdigest()
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "installed"))
    (tmp_path / "cpu.lock").write_text(f"tiny==1.0+cpu --hash=sha256:{checksum}\n")
    assert environment.has_cpu_build(sys.executable, str(tmp_path / "cpu.lock"))
    assert (tmp_path / "installed" / "tiny.py").exists()


def test_a_broken_installation_of_the_cpu_build_is_no_reason_to_take_another(
    tmp_path, install, monkeypatch, capfd
):
    checksum = hashlib.sha256(write_wheel(tmp_path, "1.0+cpu").read_bytes()).hexdigest()
    (tmp_path / "file").touch()
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "file" / "below"))
    (tmp_path / "cpu.lock").write_text(f"tiny==1.0+cpu --hash=sha256:{checksum}\n")
    with pytest.raises(subprocess.CalledProcessError):
        environment.has_cpu_build(sys.executable, str(tmp_path / "cpu.lock"))
    assert "file" in capfd.readouterr().err


def test_a_package_is_found_in_the_lock_file_with_all_its_checksums():
    expected = "pip==26 \\\n    --hash=sha256:b \\\n    --hash=sha256:c\n"
    lock = "pip-tools==7 \\\n    --hash=sha256:a\n" + expected + "zip==1\n"
    assert environment.locked_requirement(lock, "pip") == expected
    with pytest.raises(SystemExit, match=r"requirements\.lock has no pip"):
        environment.locked_requirement("zip==1\n", "pip")


def test_what_an_installed_package_lacks_is_said(tmp_path, monkeypatch):
    wheel = write_wheel(tmp_path, asks_for="nowhere-to-be-found")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    assert "tiny 1.0 requires nowhere-to-be-found, which is not installed." in environment.unmet(
        sys.executable
    )


def test_this_environment_lacks_nothing():
    assert environment.unmet(sys.executable) == ""


def test_an_old_python_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 11, 4))
    with pytest.raises(SystemExit, match=r"Python 3\.11\.5 or later is needed, and .* is 3\.11\.4"):
        environment.main(str(tmp_path / "venv"))
    assert not (tmp_path / "venv").exists()
