"""make mutation: an even sample, and counts in which only what a test noticed is noticed."""

import json
import tomllib

from pipeline.chapters import ROOT
from pipeline.mutation import exit_codes, sample, summary
from tests.imports import imported_names

MUTANTS = {
    "ntklib/a.py": {f"a__mutmut_{i}": code for i, code in enumerate([1, 0, 33, 36, None, 3, -11, 1])},
    "ntklib/b.py": {"b__mutmut_1": 1, "b__mutmut_2": 0},
}


def test_exit_codes_are_read_from_mutmut_and_modules_without_mutants_left_out(tmp_path):
    (tmp_path / "ntklib").mkdir()
    for name, codes in (("a", MUTANTS["ntklib/a.py"]), ("c", {})):
        (tmp_path / "ntklib" / f"{name}.py.meta").write_text(json.dumps({"exit_code_by_key": codes}))
    assert exit_codes(tmp_path) == {"ntklib/a.py": MUTANTS["ntklib/a.py"]}


def test_sample_takes_the_same_share_of_every_module_each_time():
    half = sample(MUTANTS, 0.5)
    assert [len([name for name in half if name.startswith(letter)]) for letter in "ab"] == [4, 1]
    assert half == sample(MUTANTS, 0.5)
    assert sorted(sample(MUTANTS, 1)) == sorted([*MUTANTS["ntklib/a.py"], *MUTANTS["ntklib/b.py"]])
    assert len(sample(MUTANTS, 0.01)) == 2  # at least one of each


def test_untested_untried_and_crashed_mutants_do_not_count_as_noticed():
    found = summary(MUTANTS, sample(MUTANTS, 1))
    assert found["noticed"] == 5 / 9  # four killed and a timeout, of nine that were tried
    assert found["total"] == {
        "killed": 4,
        "timeout": 1,
        "survived": 2,
        "no tests": 1,
        "not tried": 1,
        "other": 1,
    }
    assert found["unnoticed"] == {
        "a__mutmut_1": "survived",
        "a__mutmut_2": "no tests",
        "a__mutmut_6": "other",
        "b__mutmut_2": "survived",
    }
    assert (found["mutants"], found["chosen"], found["tried"]) == (10, 10, 9)


def test_only_the_chosen_are_counted():
    found = summary(MUTANTS, ["a__mutmut_0", "b__mutmut_2"])
    assert found["modules"] == {"ntklib/a.py": {"killed": 1}, "ntklib/b.py": {"survived": 1}}
    assert (found["mutants"], found["tried"], found["noticed"]) == (10, 2, 0.5)
    assert summary(MUTANTS, ["a__mutmut_4"])["noticed"] is None  # the one that was not tried


def test_what_the_tests_of_a_mutation_run_import_is_copied():
    """Tests run in a copy of the project, which has the mutants: a folder that is missing ends the run."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    copied = {*settings["source_paths"], *settings["also_copy"], "tests"}
    waiting = [ROOT / path for path in settings["pytest_add_cli_args_test_selection"]]
    seen = set()
    while waiting:
        file = waiting.pop()
        seen.add(file)
        assert file.relative_to(ROOT).parts[0] in copied, file
        for name in imported_names(file):
            module = ROOT.joinpath(*name.split("."))
            found = {module.with_suffix(".py"), module / "__init__.py"} - seen
            waiting += [place for place in found if place.is_file()]
    assert ROOT / "benchmarks" / "scale.py" in seen
