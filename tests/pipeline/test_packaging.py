"""pyproject.toml, requirements.lock and environment.yml say the same, and name no machine."""

import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.chapters import ROOT
from pipeline.lock import portable

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
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def test_lock_has_one_exact_version_inside_every_range():
    versions = locked()
    for line in PROJECT["dependencies"] + [
        line for extra in ("book", "test", "cluster") for line in PROJECT["optional-dependencies"][extra]
    ]:
        requirement = Requirement(line)
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), f"{line}: {version} is locked"


@pytest.mark.parametrize("file", ["requirements.lock", "environment.yml", "pyproject.toml"])
def test_no_index_no_path_and_no_gpu_package_is_named(file):
    text = (ROOT / file).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(--|-i |-f )", text, flags=re.MULTILINE)
    assert not re.search(r"^\s*(- )?(nvidia|triton|cuda)", text, flags=re.MULTILINE)
    assert "+cpu" not in text


def test_lock_is_made_portable():
    draft = [
        "# comment",
        "",
        "torch==2.13.0+cpu",
        "nvidia-nccl-cu13==2.30",
        "triton==3.9",
        "attrs==26.1.0  # via x",
    ]
    assert portable(draft) == ["attrs==26.1.0", "torch==2.13.0"]


def test_conda_environment_equals_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    conda = [line for line in environment["dependencies"] if isinstance(line, str)]
    (pip,) = [line["pip"] for line in environment["dependencies"] if isinstance(line, dict)]
    assert pip[-2:] == ["--no-deps", "-e ."]
    found = {canonicalize_name(r.name): str(r.specifier) for r in map(Requirement, conda + pip[:-2])}
    python, pip_itself = found.pop("python"), found.pop("pip")
    assert python == PROJECT["requires-python"]
    assert pip_itself == ">=25.1"
    wanted = {CONDA_NAMES.get(name, name): bounds for name, bounds in requirements("book", "test", "cluster").items()}
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
