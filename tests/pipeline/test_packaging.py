"""pyproject.toml, requirements.lock and environment.yml say the same, and name no machine."""

import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline import lock
from pipeline.chapters import ROOT
from pipeline.lock import split, versions

# The same software under conda-forge's name.
CONDA_NAMES = {"torch": "pytorch-cpu", "build": "python-build"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements(*extras):
    """Return name → version range of the library and of some of its extras."""
    lines = PROJECT["dependencies"] + [
        line for extra in extras for line in PROJECT["optional-dependencies"][extra]
    ]
    return {canonicalize_name(r.name): str(r.specifier) for r in map(Requirement, lines)}


def locked():
    """Return name → version of the lock file."""
    pairs = [line.split("==") for line in versions((ROOT / "requirements.lock").read_text())]
    assert len(pairs) == len(dict(pairs)), "a package is locked twice"
    return {canonicalize_name(name): version for name, version in pairs}


def test_lock_has_one_exact_version_inside_every_range():
    versions = locked()
    for line in PROJECT["dependencies"] + [
        line for extra in ("book", "test", "cluster") for line in PROJECT["optional-dependencies"][extra]
    ]:
        requirement = Requirement(line)
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), f"{line}: {version} is locked"


@pytest.mark.parametrize(
    "file",
    [
        "requirements.lock",
        "requirements-gpu.lock",
        "requirements-audit.lock",
        "environment.yml",
        "pyproject.toml",
    ],
)
def test_no_index_and_no_path_is_named(file):
    text = (ROOT / file).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(--(?!hash=)|-i |-f )", text, flags=re.MULTILINE)
    assert "+cpu" not in text


@pytest.mark.parametrize("file", ["requirements.lock", "environment.yml", "pyproject.toml"])
def test_no_gpu_package_is_named(file):
    assert not re.search(r"^\s*(- )?(nvidia|triton|cuda)", (ROOT / file).read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("kind", ["", "-cpu", "-gpu", "-audit"])
def test_every_locked_package_has_a_checksum(kind):
    found = lock.requirements((ROOT / f"requirements{kind}.lock").read_text())
    assert found
    for requirement in found:
        first, *checksums = requirement.rstrip("\n").split(" \\\n")
        assert re.fullmatch(r"[\w.-]+==[\w.+]+( ; .+)?", first)
        assert checksums, f"{first} has no checksum"
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}", line) for line in checksums)


def test_lock_serves_later_pythons_too():
    """papermill asks for aiohttp on Python 3.12 alone: a lock file made on 3.11 for 3.11 would lack it."""
    assert re.search(
        r"^aiohttp==\S+ ; python_full_version == '3.12", (ROOT / "requirements.lock").read_text(), re.M
    )


def test_gpu_libraries_are_split_off_with_their_checksums():
    draft = "# comment\nattrs==26.1.0 \\\n    --hash=sha256:a\n"
    draft += "triton==3.9 ; sys_platform == 'linux' \\\n    --hash=sha256:b\n"
    draft += "nvidia-nccl-cu13==2.30 \\\n    --hash=sha256:c\n    --hash=sha256:d\n"
    ours, gpu = split(lock.requirements(draft))
    assert ours == ["attrs==26.1.0 \\\n    --hash=sha256:a\n"]
    assert [requirement.count("--hash") for requirement in gpu] == [1, 2]


def test_cpu_build_is_of_the_locked_torch():
    (cpu_build,) = versions((ROOT / "requirements-cpu.lock").read_text())
    assert cpu_build == f"torch=={locked()['torch']}+cpu"


def test_conda_environment_equals_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    conda = [line for line in environment["dependencies"] if isinstance(line, str)]
    (pip,) = [line["pip"] for line in environment["dependencies"] if isinstance(line, dict)]
    assert pip[-2:] == ["--no-deps", "-e ."]
    found = {canonicalize_name(r.name): str(r.specifier) for r in map(Requirement, conda + pip[:-2])}
    assert found.pop("python") == PROJECT["requires-python"]
    wanted = {
        CONDA_NAMES.get(name, name): bounds
        for name, bounds in requirements("book", "test", "cluster").items()
    }
    assert found == wanted


def test_every_bound_has_its_reason():
    text = (ROOT / "pyproject.toml").read_text()
    lines = re.findall(r'^  "([a-z][\w-]*[<>=!~][^"]*)",?(.*)$', text, flags=re.MULTILINE)
    assert len(lines) >= len(requirements("book", "test", "cluster")) - 2
    assert [bound for bound, rest in lines if not re.match(r"\s*# \S+", rest)] == []


def test_library_alone_does_not_ask_for_the_book_tools():
    assert not requirements().keys() & requirements_of("book", "test", "cluster")


def requirements_of(*extras):
    """Return the names that some extras add."""
    return {
        canonicalize_name(Requirement(line).name)
        for extra in extras
        for line in PROJECT["optional-dependencies"][extra]
    }
