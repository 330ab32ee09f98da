"""The capstone's CNN, trained and scored without the notebook, for any file in MedMNIST's format.

    python benchmarks/17_pneumonia.py --data pneumoniamnist --seeds 3
    python benchmarks/17_pneumonia.py --data my-folder/pneumoniamnist-dev.npz --seeds 3

Prints one JSON document: for each seed, and as the mean, parameters, seconds of training, AUC, accuracy at 0.5 and at
the threshold chosen on validation. Progress goes to the other stream, standard error.
"""

import argparse
import json
import sys

import numpy as np

from course_lib import capstone, data


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="pneumoniamnist", help="name of a dataset, or path of an .npz file")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds: 0, 1, 2, …")
    arguments = parser.parse_args()
    try:
        dataset = data.load(arguments.data)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    runs = []
    for seed in range(arguments.seeds):
        _, _, run = capstone.measure(dataset, seed)
        print(f"seed {seed}: {run}", file=sys.stderr, flush=True)
        runs.append(run)
    names = [name for name, value in runs[0].items() if name != "seed" and value is not None]
    mean = {name: float(np.mean([run[name] for run in runs])) for name in names}
    kind = "development file: no result on the official test split" if capstone.is_development(dataset) else "file"
    print(json.dumps({"data": dataset.name, "kind": kind, "seeds": runs, "mean": mean}, indent=1))


if __name__ == "__main__":
    main()
