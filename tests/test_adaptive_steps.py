"""Steps between output times: where they end, and what is tried next."""

import pytest

from ntklib.adaptive_steps import advance


def tried(times, first_step, answers):
    """What is tried, as (time, step), when each trial is answered by (accepted, next step)."""
    trials = []
    waiting = iter(answers)

    def attempt(now, size):
        trials.append((now, size))
        return next(waiting, (True, first_step))

    assert list(advance(times, first_step, attempt)) == times
    return trials


@pytest.mark.parametrize(
    ("first_step", "steps"),
    [
        (1.0, [(0.0, 1.0)]),
        (1 - 1e-13, [(0.0, 1.0)]),  # or a step of rounding would be left
        (1 - 1e-11, [(0.0, 0.5), (0.5, 0.5)]),
        (0.7, [(0.0, 0.5), (0.5, 0.5)]),
        (0.4, [(0.0, 0.4), (0.4, 0.3), (0.7, pytest.approx(0.3))]),
    ],
)
def test_a_step_that_all_but_reaches_the_time_leaves_half_to_the_next(first_step, steps):
    assert tried([1.0], first_step, []) == steps


def test_a_refused_step_is_tried_again_from_the_same_time():
    assert tried([1.0], 1.0, [(False, 0.25), (True, 2.0)]) == [(0.0, 1.0), (0.0, 0.25), (0.25, 0.75)]


def test_a_step_cut_short_by_a_time_does_not_shorten_those_after_it():
    answers = [(True, 0.1), (True, 9.0)]
    assert tried([0.125, 1.125, 2.0], 1.0, answers) == [(0.0, 0.125), (0.125, 1.0), (1.125, 0.875)]


def test_no_step_is_taken_to_time_zero():
    assert tried([0.0], 1.0, []) == []


def test_an_output_time_is_reached_exactly():
    """Its last step is a rounded difference, which added up again would miss the time."""
    assert 0.03 + (0.29 - 0.03) != 0.29
    starts = [now for now, _ in tried([0.29, 1.0], 0.03, [(True, 9.0)])]
    assert starts == [0.0, 0.03, 0.29]
