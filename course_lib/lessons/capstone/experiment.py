"""The capstone's CNN, trained and scored without the notebook, for any file in MedMNIST's format.

    python course_lib/lessons/capstone/experiment.py --data pneumoniamnist --seeds 3
    python course_lib/lessons/capstone/experiment.py --data pneumoniamnist-dev.npz --seeds 3 --store

Prints one JSON document: for each seed, and as the mean, parameters, seconds of training, AUC, accuracy at 0.5 and at
the threshold chosen on validation. Progress goes to standard error.

--store keeps what lesson 17 shows, from the development file only: the runs in course_lib/lessons/capstone/results/development_runs.json, and in
course_lib/lessons/capstone/results/development_scores.npz the scores of seed 0 on its test part, as taken and changed. No image.
"""

import argparse
import contextlib
import json
import sys

import numpy as np

from course_lib import ROOT, data
from course_lib.lessons.capstone import model as capstone
from course_lib.tools.common import save

NOTE = (
    "A development file: its test part was cut from the official training split of PneumoniaMNIST. No result on "
    "PneumoniaMNIST, and easier than it. Seconds were taken on a machine shared with other work: upper bounds."
)


def mean_of(runs):
    names = [name for name, value in runs[0].items() if name != "seed" and value is not None]
    return {name: float(np.mean([run[name] for run in runs])) for name in names}


def store_scores(dataset, model, threshold):
    ill = capstone.ill_class(dataset.class_names)
    scores = []
    for change in capstone.CHANGES.values():
        images = change(dataset.test.x).astype(np.float32)
        scores.append(capstone.probabilities(model, images)[:, ill].astype(np.float16))
    np.savez_compressed(
        ROOT / "course_lib/lessons/capstone/results" / "development_scores.npz",
        ill=dataset.test.targets["label"] == ill,
        changes=np.array(list(capstone.CHANGES)),
        scores=np.array(scores),
        threshold=threshold,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="pneumoniamnist", help="name of a dataset, or path of an .npz file")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds: 0, 1, 2, …")
    parser.add_argument(
        "--store",
        action="store_true",
        help="keep the results of a development file in course_lib/lessons/capstone/results",
    )
    arguments = parser.parse_args()
    try:
        dataset = data.load(arguments.data)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    if arguments.store and not capstone.is_development(dataset):
        sys.exit(f"--store is for a development file, whose name ends in -dev; this one is {dataset.name}.")
    runs = []
    for seed in range(arguments.seeds):
        model, _, run = capstone.measure(dataset, seed)
        runs.append(run)
        print(f"seed {seed}: {json.dumps(run)}", file=sys.stderr, flush=True)
        if arguments.store:
            results = {"runs": runs, "mean": mean_of(runs)}
            with contextlib.redirect_stdout(sys.stderr):  # standard output is for the JSON document alone
                save("capstone/development_runs.json", results, seeds=list(range(seed + 1)), note=NOTE)
            if seed == 0:
                store_scores(dataset, model, run["threshold"])
    about = {"data": f"{dataset.name}.npz", "test_images": len(dataset.test)}
    if capstone.is_development(dataset):
        about["note"] = NOTE
    print(json.dumps(about | {"seeds": runs, "mean": mean_of(runs)}, indent=1))


if __name__ == "__main__":
    main()
