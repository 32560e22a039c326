"""How long importing ntklib takes, alone and with all names, and whether the help needs torch."""

import json
import statistics
import subprocess
import sys
from typing import Any

from benchmarks.measure import REPETITIONS, ROOT

EVERYTHING = """
import json, time
moments = [time.process_time()]
import torch
moments.append(time.process_time())
import ntklib
moments.append(time.process_time())
from ntklib import *
moments.append(time.process_time())
print(json.dumps([after - before for before, after in zip(moments, moments[1:])]))
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
    """Processor seconds of importing torch, ntklib, then every public name of it; and of ``--help``."""
    imports = [answer(EVERYTHING) for _ in range(REPETITIONS + 1)][1:]
    helps = [answer(HELP) for _ in range(REPETITIONS + 1)][1:]
    return {
        "seconds_torch": statistics.median(torch for torch, _, _ in imports),
        "seconds_package": statistics.median(package for _, package, _ in imports),
        "seconds_ntklib": statistics.median(package + names for _, package, names in imports),
        "target": 1.0,
        "seconds_help": statistics.median(seconds for seconds, _ in helps),
        "help_imports_torch": any(imported for _, imported in helps),
        "repetitions": REPETITIONS,
    }
