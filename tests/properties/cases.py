"""How many cases a property is tried on, and how many there were."""

import functools
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

DEEP = bool(os.environ.get("NTKLIB_DEEP"))
"""Whether this is ``make test-deep``."""
TIMES_DEEPER = 15


class Tried:
    """The number of cases that ran to their end."""

    count = 0


def cases(number: int, /, **strategies: SearchStrategy[Any]) -> Callable[[Callable[..., None]], Any]:
    """Try a property on ``number`` cases, on ``TIMES_DEEPER`` times as many in ``make test-deep``.

    The cases are derived from the test's name, the same on every machine, and no time limits one.
    """

    def decorate(test: Callable[..., None]) -> Any:
        @functools.wraps(test)
        def counted(*arguments: Any, **drawn: Any) -> None:
            # A model is made here and not while it is drawn: that it can be made is tried too.
            made = {name: value() if isinstance(value, partial) else value for name, value in drawn.items()}
            test(*arguments, **made)
            Tried.count += 1

        return settings(
            max_examples=number * (TIMES_DEEPER if DEEP else 1),
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )(given(**strategies)(counted))

    return decorate
