"""Segments of simulated clips: how long, how far apart, which features, and what a split by segments leaks.

    python course_lib/lessons/clips_to_sequences/experiment.py --seeds 5

Writes course_lib/lessons/clips_to_sequences/results/windows.json. A seed is another set of patients, 300 for training and 240 for testing, of the dataset
echo-cine; for the leak also another toss of the coin. Fitted on training patients only, scored on test patients, whose
segments' answers are averaged.
"""

import argparse

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from course_lib import data, sequences
from course_lib.tools.common import save

LENGTHS = (3, 6, 12, 24, 48)  # frames, at 12 a second
TEXTURE = ["joint maximum", "joint entropy", "angular second moment", "contrast", "dissimilarity"]
TEXTURE += ["inverse difference moment", "correlation"]


def segment_features(values, length, stride):
    """Mean and standard deviation of each feature over each segment: (patients, segments, 2 · features)."""
    cut = np.stack([sequences.windows(clip, length, stride=stride).segments for clip in values])
    return np.concatenate([cut.mean(axis=2), cut.std(axis=2)], axis=-1)


def flat(segments):
    return segments.reshape(-1, segments.shape[-1])


def ejection_fraction(train, test, targets):
    """Mean absolute error from segment features, by patient."""
    each = train.shape[1]
    ridge = make_pipeline(StandardScaler(), Ridge(alpha=1.0))
    ridge.fit(flat(train), np.repeat(targets["train"]["ejection_fraction"], each))
    guess = ridge.predict(flat(test)).reshape(len(test), each).mean(axis=1)
    return np.abs(guess - targets["test"]["ejection_fraction"]).mean()


def rhythm(train, test, targets):
    """Accuracy from segment features, by patient."""
    each = train.shape[1]
    logistic = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    logistic.fit(flat(train), np.repeat(targets["train"]["rhythm"], each))
    chance = logistic.predict_proba(flat(test))[:, 1].reshape(len(test), each).mean(axis=1)
    return np.mean((chance > 0.5) == targets["test"]["rhythm"])


def pixels(splits):
    """Mean absolute error of the ejection fraction from all pixel values of four segments of 12 frames per patient."""
    flat = {name: split.x.reshape(-1, 12 * 48 * 48) for name, split in splits.items()}
    target = {name: split.targets["ejection_fraction"] for name, split in splits.items()}
    centre = flat["train"].mean(axis=0)
    ridge = Ridge(alpha=10.0).fit(flat["train"] - centre, np.repeat(target["train"], 4))
    guess = {name: ridge.predict(flat[name] - centre).reshape(-1, 4).mean(axis=1) for name in flat}
    return {name: np.abs(guess[name] - target[name]).mean() for name in flat}


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
        values[name], names = sequences.frame_features(split.x[..., 0])
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
        "pixel_values_mae": pixels(splits),
        "features": {},
        "length": {},
        "leak": {},
    }
    for kind, columns in kinds.items():
        cut = [segment_features(values[name][..., columns], 12, 6) for name in ("train", "test")]
        found["features"][kind] = {
            "ejection_fraction_mae": ejection_fraction(*cut, targets),
            "rhythm_accuracy": rhythm(*cut, targets),
        }
    for length in LENGTHS:
        cut = [segment_features(values[name], length, max(1, length // 2)) for name in ("train", "test")]
        found["length"][length] = {"ejection_fraction_mae": ejection_fraction(*cut, targets)}
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
        save(
            "clips_to_sequences/windows.json",
            results,
            seeds=seeds[: seed + 1],
            note="segments of 12 frames unless it says otherwise",
        )


if __name__ == "__main__":
    main()
