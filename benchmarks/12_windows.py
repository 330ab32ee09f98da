"""Segments of simulated clips: how long, how far apart, which features, and what a split by segments leaks.

    python benchmarks/12_windows.py --seeds 5

Writes results/12/windows.json. A seed is another set of patients, 300 for training and 240 for testing, of the dataset
echo-cine; for the leak also another toss of the coin. Fitted on training patients only, scored on test patients, whose
segments' answers are averaged.
"""

import argparse

import numpy as np
from common import save
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from course_lib import data, sequences

LENGTHS = (3, 6, 12, 24, 48)  # frames, at 12 a second
TEXTURE = ["joint maximum", "joint entropy", "angular second moment", "contrast", "dissimilarity"]
TEXTURE += ["inverse difference moment", "correlation"]


def segment_features(values, length, stride):
    """Mean and standard deviation of each feature over each segment: (patients, segments, 2 · features)."""
    cut = np.stack([sequences.windows(clip, length, stride=stride).segments for clip in values])
    return np.concatenate([cut.mean(axis=2), cut.std(axis=2)], axis=-1)


def flat(segments):
    return segments.reshape(-1, segments.shape[-1])


def score(train, test, targets):
    """Mean absolute error of the ejection fraction, and accuracy of the rhythm, for segment features by patient."""
    each = train.shape[1]
    ridge = make_pipeline(StandardScaler(), Ridge(alpha=1.0))
    ridge.fit(flat(train), np.repeat(targets["train"]["ejection_fraction"], each))
    guess = ridge.predict(flat(test)).reshape(len(test), each).mean(axis=1)
    logistic = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    logistic.fit(flat(train), np.repeat(targets["train"]["rhythm"], each))
    chance = logistic.predict_proba(flat(test))[:, 1].reshape(len(test), each).mean(axis=1)
    return {
        "ejection_fraction_mae": np.abs(guess - targets["test"]["ejection_fraction"]).mean(),
        "rhythm_accuracy": np.mean((chance > 0.5) == targets["test"]["rhythm"]),
    }


def leak(segments, seed):
    """Share of a coin's tosses that the nearest neighbour repeats, if segments are split, and if patients are."""
    rng = np.random.default_rng(seed)
    patients, each, _ = segments.shape
    coin, owner = np.repeat(rng.integers(0, 2, patients), each), np.repeat(np.arange(patients), each)
    nearest = make_pipeline(StandardScaler(), KNeighborsClassifier(1))
    found = {}
    for name, unit in [("by_segment", np.arange(patients * each)), ("by_patient", owner)]:
        drawn = rng.permutation(unit.max() + 1)
        train = np.isin(unit, drawn[: int(0.7 * len(drawn))])
        nearest.fit(flat(segments)[train], coin[train])
        found[name] = nearest.score(flat(segments)[~train], coin[~train])
    return found


def run(seed):
    clips = data.load("echo-cine", n_patients=300, seed=seed)
    splits = {"train": clips.train, "test": clips.test}
    targets = {name: split.targets for name, split in splits.items()}
    values = {}
    for name, split in splits.items():
        values[name], names = sequences.frame_features(split.clips[..., 0])
    kinds = {
        "texture": [names.index(name) for name in TEXTURE],
        "motion": [names.index("motion")],
        "all": list(range(len(names))),
    }
    kinds["first-order"] = [k for k in kinds["all"] if k not in kinds["texture"] + kinds["motion"]]
    truth = targets["test"]["ejection_fraction"]
    found = {
        "guess_the_mean": {
            "ejection_fraction_mae": np.abs(truth - targets["train"]["ejection_fraction"].mean()).mean(),
        },
        "features": {},
        "length": {},
        "leak": {},
    }
    for kind, columns in kinds.items():
        cut = [segment_features(values[name][..., columns], 12, 6) for name in ("train", "test")]
        found["features"][kind] = score(*cut, targets)
    for length in LENGTHS:
        cut = [segment_features(values[name], length, max(1, length // 2)) for name in ("train", "test")]
        found["length"][length] = score(*cut, targets)
    for stride in (3, 6, 12, 18):
        found["leak"][stride] = leak(segment_features(values["test"], 12, stride), seed)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many sets of patients")
    seeds = list(range(parser.parse_args().seeds))
    results = {}
    for seed in seeds:
        results[seed] = run(seed)
        save("12/windows.json", results, seeds=seeds[: seed + 1], note="segments of 12 frames unless it says otherwise")


if __name__ == "__main__":
    main()
