"""How long importing ntklib takes beyond torch, and whether the command line's help needs torch."""

import json
import statistics
import subprocess
import sys
from typing import Any

from benchmarks.measure import REPETITIONS, ROOT

EVERYTHING = """
import json, time
start = time.process_time()
import torch
middle = time.process_time()
from ntklib import *
print(json.dumps([middle - start, time.process_time() - middle]))
"""
HELP = """
import json, sys, time
start = time.process_time()
from ntklib.__main__ import app
try:
    app(["--help"], standalone_mode=True)
except SystemExit:
    pass
print(json.dumps([time.process_time() - start, "torch" in sys.modules]))
"""


def answer(code: str) -> Any:
    """Run code in a fresh interpreter and return what its last line prints."""
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return json.loads(finished.stdout.splitlines()[-1])


def measure_imports() -> dict[str, Any]:
    """Processor seconds of importing torch, then every public name of ntklib; and of ``--help``."""
    imports = [answer(EVERYTHING) for _ in range(REPETITIONS + 1)][1:]
    helps = [answer(HELP) for _ in range(REPETITIONS + 1)][1:]
    return {
        "seconds_torch": statistics.median(torch for torch, _ in imports),
        "seconds_ntklib": statistics.median(rest for _, rest in imports),
        "target": 1.0,
        "seconds_help": statistics.median(seconds for seconds, _ in helps),
        "help_imports_torch": any(imported for _, imported in helps),
        "repetitions": REPETITIONS,
    }
