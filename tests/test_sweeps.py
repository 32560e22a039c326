import functools
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ntklib import MLP, sweep, train
from ntklib.result_files import function_fingerprint, load_result, point_key, save_result

POINTS = [{"base": base, "power": power} for base in (2, 3) for power in range(3)]


def power_of(base, power):
    return base**power


def trained_scores(seed, width):
    network = MLP(activation="tanh").network(width=width, vocabulary_size=40, seed=seed)
    generator = np.random.default_rng(seed)
    docs = [generator.integers(40, size=9) for _ in range(60)]
    labels = generator.integers(2, size=60)
    return train(network, (docs, labels), learning_rate=0.01, epochs=4, progress=False).scores


def noted(folder, number, scale=1):
    """Leave a file for each call, so that calls can be counted across processes."""
    count = len(list(folder.glob(f"{number}-*")))
    (folder / f"{number}-{count}").touch()
    return np.arange(3.0) * number * scale


def calls(folder):
    return sorted(path.name for path in folder.iterdir())


def process_of(number):
    return os.getpid()


@pytest.mark.parametrize("jobs", [2, -1])
def test_the_environment_limits_the_processes(jobs, monkeypatch):
    monkeypatch.setenv("NTKLIB_PROCESSES", "1")
    assert set(sweep(process_of, [{"number": n} for n in range(4)], jobs=jobs)) == {os.getpid()}


def test_a_limit_that_is_no_number_is_refused(monkeypatch):
    monkeypatch.setenv("NTKLIB_PROCESSES", "many")
    with pytest.raises(ValueError, match=r"NTKLIB_PROCESSES must be a number of processes, .*'many'"):
        sweep(power_of, POINTS)


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_the_points(jobs):
    assert sweep(power_of, POINTS, jobs=jobs) == [1, 2, 4, 1, 3, 9]


def test_networks_trained_in_one_process_and_in_two_are_equal_to_the_last_bit():
    points = [{"seed": seed, "width": 96} for seed in range(3)]
    for alone, parallel in zip(
        sweep(trained_scores, points), sweep(trained_scores, points, jobs=2), strict=True
    ):
        pd.testing.assert_frame_equal(alone, parallel, check_exact=True)


def test_each_point_runs_on_one_thread_and_the_callers_threads_come_back():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert sweep(lambda _: torch.get_num_threads(), [{"_": 0}]) == [1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_second_sweep_calls_nothing_and_gives_the_same(jobs, tmp_path):
    folder, cache = tmp_path / "calls", tmp_path / "cache"
    folder.mkdir()
    points = [{"folder": folder, "number": number} for number in range(4)]
    first = sweep(noted, points, cache=cache, jobs=jobs)
    second = sweep(noted, points, cache=cache, jobs=jobs)
    np.testing.assert_array_equal(first, second)
    assert calls(folder) == ["0-0", "1-0", "2-0", "3-0"]


def test_only_new_points_are_computed_and_repeated_ones_once(tmp_path):
    folder, cache = tmp_path / "calls", tmp_path / "cache"
    folder.mkdir()
    sweep(noted, [{"folder": folder, "number": 1}], cache=cache)
    points = [{"folder": folder, "number": number} for number in (2, 1, 2)]
    np.testing.assert_array_equal(sweep(noted, points, cache=cache), np.outer([2, 1, 2], np.arange(3.0)))
    assert calls(folder) == ["1-0", "2-0"]


def test_results_found_before_an_interrupt_are_not_computed_again(tmp_path):
    folder, cache = tmp_path / "calls", tmp_path / "cache"
    folder.mkdir()
    stop = tmp_path / "stop"
    stop.touch()

    def stopping(number):
        if number == 2 and stop.exists():
            raise KeyboardInterrupt
        return noted(folder, number)

    points = [{"number": number} for number in range(4)]
    with pytest.raises(KeyboardInterrupt):
        sweep(stopping, points, cache=cache)
    stop.unlink()
    assert len(sweep(stopping, points, cache=cache)) == 4
    assert calls(folder) == ["0-0", "1-0", "2-0", "3-0"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half of a file", b"text"])
def test_a_broken_file_in_the_cache_is_computed_again(content, tmp_path):
    expected = sweep(power_of, POINTS, cache=tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(content)
    assert sweep(power_of, POINTS, cache=tmp_path) == expected
    assert all(load_result(path)[0] for path in tmp_path.iterdir())


def test_a_result_never_comes_from_a_function_that_changed():
    scale, other = 2, 3
    offset = np.arange(3)

    def make(factor):
        return lambda x: x * factor + offset

    assert function_fingerprint(make(scale)) == function_fingerprint(make(scale))
    assert function_fingerprint(make(scale)) != function_fingerprint(make(other))
    before = function_fingerprint(make(scale))
    offset[0] = 7
    assert function_fingerprint(make(scale)) != before
    assert function_fingerprint(lambda x: x) != function_fingerprint(lambda x: -x)
    partial = functools.partial(power_of, power=2)
    assert function_fingerprint(partial) != function_fingerprint(functools.partial(power_of, power=3))
    assert function_fingerprint(lambda x, power=2: x**power) != function_fingerprint(
        lambda x, power=3: x**power
    )


def test_a_change_in_a_function_that_is_called_changes_the_fingerprint(monkeypatch):
    def outer(number):
        return power_of(number, 2)

    before = function_fingerprint(outer)
    monkeypatch.setitem(globals(), "power_of", lambda base, power: base - power)
    assert function_fingerprint(outer) != before


def test_a_change_in_a_value_used_inside_a_comprehension_changes_the_fingerprint(monkeypatch):
    def outer(numbers):
        return [power_of(number, len(POINTS)) for number in numbers if number in {"a", "b"}]

    before = function_fingerprint(outer)
    assert function_fingerprint(outer) == before
    monkeypatch.setitem(globals(), "POINTS", POINTS[:-1])
    assert function_fingerprint(outer) != before


def test_recursive_functions_have_a_fingerprint():
    def factorial(n):
        return n * factorial(n - 1) if n else 1

    assert function_fingerprint(factorial) == function_fingerprint(factorial)


def test_points_differ_by_name_value_and_content_of_arrays():
    points = [
        {"a": 1},
        {"a": 2},
        {"b": 1},
        {"a": 1.0},
        {"a": np.arange(2)},
        {"a": np.arange(3)},
        {"a": 1, "b": 1},
    ]
    assert len({point_key("f", point) for point in points}) == len(points)


RESULTS = {
    "numbers": [1, -2.5, True, None, "text", float("inf")],
    "nested": {"a": (1, [2, {"b": 0.1 + 0.2}])},
    "arrays": [np.eye(2), np.arange(3), np.array(["a", "é"]), np.float32(0.1), np.array([], dtype=np.int32)],
    "frame": pd.DataFrame({"x": [1.5, np.nan], "n": [1, 2]}, index=pd.Index([0.25, 0.5], name="time")),
    "classes": pd.DataFrame(
        [[1.0, 2.0]], columns=pd.MultiIndex.from_tuples([("good", 0), ("good", 1)], names=["probe", "class"])
    ),
    "phrases": pd.DataFrame([[1.0]], columns=pd.Index([(1, 2)], name="probe", tupleize_cols=False)),
    "words": pd.DataFrame({"word": ["a", "b"], "score": [1.0, 2.0]}),
    "series": pd.Series([1.0, 2.0], index=["a", "b"], name="score"),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_kept_result_comes_back_equal_and_of_the_same_types(name, tmp_path):
    save_result(tmp_path / "result.npz", RESULTS[name])
    found, value = load_result(tmp_path / "result.npz")
    assert found
    assert type(value) is type(RESULTS[name])
    if isinstance(value, pd.DataFrame):
        pd.testing.assert_frame_equal(value, RESULTS[name], check_exact=True)
    elif isinstance(value, pd.Series):
        pd.testing.assert_series_equal(value, RESULTS[name], check_exact=True)
    elif name == "arrays":
        for one, other in zip(value, RESULTS[name], strict=True):
            assert type(one) is type(other)
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
    else:
        assert repr(value) == repr(RESULTS[name])


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def test_a_pickle_in_the_cache_is_not_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Path("result.npz").open("wb") as file:
        np.savez(file, structure=np.array(Malicious(), dtype=object))
    assert load_result(Path("result.npz")) == (False, None)
    assert not Path("executed").exists()


@pytest.mark.parametrize("result", [{1, 2}, object(), {1: 2}, np.array([object()])])
def test_a_result_that_cannot_be_kept_is_refused_by_type(result, tmp_path):
    with pytest.raises(TypeError, match="cannot be cached: return numbers") as error:
        sweep(lambda _: result, [{"_": 0}], cache=tmp_path)
    assert "in sweep at point {'_': 0}" in error.value.__notes__
    assert list(tmp_path.iterdir()) == []


def test_an_argument_with_no_content_is_refused_when_caching(tmp_path):
    with pytest.raises(TypeError, match=r"'base', a .*, has no content to hash"):
        sweep(power_of, [{"base": (i for i in range(3)), "power": 1}], cache=tmp_path)


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_keeps_its_type_and_names_the_point(jobs):
    points = [{"base": 0, "power": power} for power in (1, 0, -1)]
    with pytest.raises(ZeroDivisionError) as error:
        sweep(power_of, points, jobs=jobs)
    assert "in sweep at point {'base': 0, 'power': -1}" in error.value.__notes__


def test_nothing_is_printed_off_a_terminal(capfd):
    sweep(power_of, POINTS)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("points", "options", "error", "message"),
    [
        ([], {}, ValueError, "points is empty"),
        ([3], {}, TypeError, r"points\[0\] must map names of arguments to values, not 3"),
        ([{"base": 1, 2: 3}], {}, TypeError, r"points\[0\] must map names"),
        (POINTS, {"jobs": 0}, ValueError, "jobs must be a number of processes, or -1 .*, not 0"),
    ],
)
def test_bad_input_is_refused_by_name(points, options, error, message):
    with pytest.raises(error, match=message):
        sweep(power_of, points, **options)


def test_a_cache_that_cannot_be_written_is_found_before_the_first_point(tmp_path):
    file = tmp_path / "a file"
    file.write_text("no folder", encoding="utf-8")
    computed = []
    with pytest.raises(OSError, match="a file"):
        sweep(lambda seed: computed.append(seed), [{"seed": 0}], cache=file / "cache")
    assert computed == []
