"""How long `make report` takes: synthetic sentences in, seconds out, as JSON beside the machine's load.

Run from the root: ``.venv/bin/python -m benchmarks.report_time --sentences 7000 100000``
"""

import argparse
import csv
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import zipf

VOCABULARY = 40_000
ROOT = Path(__file__).parent.parent


def write_sentences(path: Path, sentences: int, seed: int = 0) -> None:
    """Write a CSV of about 20 tokens a sentence, Zipf-distributed, 600 of them with a polarity."""
    rng = np.random.default_rng(seed)
    polarity = zipf.polarities(VOCABULARY, rng)
    lengths = zipf.lengths(sentences, rng)
    tokens = rng.choice(VOCABULARY, lengths.sum(), p=zipf.frequencies(VOCABULARY))
    ends = np.cumsum(lengths)
    labels = zipf.labels(tokens, ends - lengths, polarity, rng)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for end, length, label in zip(ends, lengths, labels, strict=True):
            writer.writerow([" ".join(f"w{token}" for token in tokens[end - length : end]), int(label)])


def measure(sentences: int, jobs: int) -> dict[str, float | int | str]:
    """Seconds on the clock and of the processors, of one report."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder, "sentences.csv")
        write_sentences(corpus, sentences)
        load, before = os.getloadavg()[0], resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        arguments = [str(corpus), "--output", str(Path(folder, "report.html")), "--jobs", str(jobs)]
        subprocess.run([sys.executable, "-m", "pipeline.report", *arguments], cwd=ROOT, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "sentences": sentences,
            "jobs": jobs,
            "seconds": round(time.perf_counter() - started, 1),
            "processor seconds": round(
                after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1
            ),
            "load before": round(load, 2),
            "load after": round(os.getloadavg()[0], 2),
            "cores": os.cpu_count() or 0,
            "python": platform.python_version(),
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, nargs="+", default=[7_000, 100_000])
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    print(json.dumps([measure(count, options.jobs) for count in options.sentences], indent=2))
