"""Steps of a method that adapts them, from one output time to the next."""

from collections.abc import Callable, Iterable, Iterator


def advance(
    times: Iterable[float], first_step: float, attempt: Callable[[float, float], tuple[bool, float]]
) -> Iterator[float]:
    """Take steps from time 0 on, so that each output time ends one, and yield it then.

    Parameters
    ----------
    times : iterable of float
        Increasing, the first one 0 or later.
    first_step : float
        Above 0.
    attempt : callable
        Takes (time, step), tries that step, and returns whether it was accepted and what to try next.

    Yields
    ------
    float
        Each output time, when the steps have reached it.

    Examples
    --------
    >>> list(advance([1.0, 2.0], 0.4, lambda time, step: (True, print(round(time, 3), step) or 2 * step)))
    0.0 0.4
    0.4 0.6
    1.0 1.0
    [1.0, 2.0]
    """
    now, step = 0.0, first_step
    for time in times:
        while now < time:
            remaining = time - now
            last = step >= remaining * (1 - 1e-12)
            size = remaining if last else min(step, remaining / 2)
            accepted, proposed = attempt(now, size)
            if accepted:
                now = time if last else now + size
            # A step cut short to hit an output time says nothing against the longer one.
            step = max(step, proposed) if accepted and last else proposed
        yield time
