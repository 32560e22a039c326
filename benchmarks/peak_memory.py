"""Peak memory of one side of a comparison beyond its inputs, measured in a process of its own.

The system keeps a high-water mark of resident memory for each process. It is set back after the inputs are
made and after a call on tiny inputs, which loads all code; what it rises to during the call, less what was
resident before, is the peak, to a fraction of a megabyte. Linux alone has it.
"""

import gc
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
RESET = Path("/proc/self/clear_refs")
TINY = 8


def resident(field: str) -> int:
    """Bytes of ``VmRSS`` (now) or ``VmHWM`` (the most since the last reset)."""
    lines = dict(line.split(":", 1) for line in STATUS.read_text(encoding="utf-8").splitlines())
    return 1024 * int(lines[field].split()[0])


def extra_bytes(run: Callable[[], Any]) -> int | None:
    """Most resident bytes during a call, less those before it; None where the system does not tell."""
    gc.collect()
    try:
        RESET.write_text("5", encoding="utf-8")
    except OSError:
        return None
    before = resident("VmRSS")
    result = run()
    peak = resident("VmHWM")
    del result
    return max(0, peak - before)


def main(name: str, side: str, size: int) -> int | None:
    """Measure one side of the named comparison."""
    from benchmarks.catalogue import COMPARISONS

    comparison = COMPARISONS[name]
    run = getattr(comparison, side)
    run(comparison.prepare(TINY))
    inputs = comparison.prepare(size)
    return extra_bytes(lambda: run(inputs))


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
