"""The capstone's CNN without the notebook: stored runs of a development file, or the score of any file.

    COURSE_CAPSTONE_DATA=pneumoniamnist-dev.npz python -m course_lib.lessons.capstone.experiment
    python -m course_lib.lessons.capstone.experiment --data pneumoniamnist --seeds 0 1 2

The first stores what the lesson shows: for each seed what was measured, and the scores of the test part, as taken and
changed. No image. The second stores nothing: it prints one JSON document, each seed and the mean; progress goes to
standard error.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from course_lib import data
from course_lib.lessons.capstone import model as capstone
from course_lib.tools.experiment import main

RUNS = {"development": range(2)}


def development(seed, quick=False):
    """A development file: its test part was cut from the official training split of PneumoniaMNIST. No result on
    PneumoniaMNIST, and easier than it. Seconds were taken on a machine shared with other work: upper bounds."""
    dataset = _generated() if quick else data.load(os.environ.get("COURSE_CAPSTONE_DATA", "pneumoniamnist"))
    if not capstone.is_development(dataset):
        sys.exit(
            f"Results are stored of a development file alone, whose name ends in -dev; this one is {dataset.name}. Set "
            "COURSE_CAPSTONE_DATA to its path, or give --data to print what another file scores."
        )
    model, _, measured = capstone.measure(dataset, seed)
    del measured["seed"]
    if quick:
        del measured["seconds"]
        return measured
    ill = capstone.ill_class(dataset.class_names)
    changed = [change(dataset.test.x).astype(np.float32) for change in capstone.CHANGES.values()]
    arrays = {
        "ill": dataset.test.targets["label"] == ill,
        "changes": np.array(list(capstone.CHANGES)),
        "scores": np.float16([capstone.probabilities(model, images)[:, ill] for images in changed]),
        "threshold": measured["threshold"],
    }
    return measured, {"arrays": arrays}


def _generated():
    """A small development file: no X-rays."""
    with tempfile.TemporaryDirectory() as folder:
        capstone.write_generated(path := Path(folder, "generated-dev.npz"), images=(64, 32, 32))
        return data.load(path)


def score(name, seeds):
    """Print what the file or dataset `name` scores."""
    try:
        dataset = data.load(name)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    runs = []
    for seed in seeds:
        runs.append(capstone.measure(dataset, seed)[2])
        print(f"seed {seed}: {json.dumps(runs[-1])}", file=sys.stderr, flush=True)
    measured = [key for key, value in runs[0].items() if key != "seed" and value is not None]
    mean = {key: float(np.mean([run[key] for run in runs])) for key in measured}
    about = {"data": f"{dataset.name}.npz", "test_images": len(dataset.test)}
    if capstone.is_development(dataset):
        about["note"] = " ".join(development.__doc__.split())
    print(json.dumps(about | {"seeds": runs, "mean": mean}, indent=1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--data")
    parser.add_argument("--seeds", nargs="+", type=int, default=range(3))
    options, _ = parser.parse_known_args()
    if options.data:
        score(options.data, options.seeds)
    else:
        main("capstone", RUNS, {"development": development}, tolerance={"development": 0.07})
