"""What the stored runs say of the test patients. It stands apart from model.py: what reads the runs does not make them old."""

import functools

import numpy as np

from course_lib import evaluate, results
from course_lib.lessons.restoration.model import agreement, detail, edge_strength, seen

MEASURES = {
    "psnr": ("psnr", lambda truth, values: values.mean()),
    "detail": ("edges", lambda truth, sums: detail(sums)),
    "agreement": ("edges", lambda truth, sums: agreement(sums)),
    "edge strength": ("edges", lambda truth, sums: edge_strength(sums)),
    "accuracy": ("read", lambda truth, read: (truth == read).mean()),
}


@functools.cache
def _arrays(part):
    return [results.arrays(f"restoration/{part}", seed) for seed in results.load(f"restoration/{part}")]


def answers(name, key):
    """What a method ("noise, L1", "noise, median") gave: (seeds, n, …); three copies of what has no seeds. psnr: means of each
    patient; edges: sums of `products`, (seeds, patients, 3); read: the class that the reader names for each slice."""
    runs = [run[f"{name}, {key}"] for run in _arrays("losses") if f"{name}, {key}" in run]
    runs = runs or 3 * [_arrays("classical")[0][f"{name}, {key}"]]
    return np.stack(runs) if key == "read" else np.stack(runs).astype(float)


def _truth(key):
    """Label and patient of each slice, or twice the number of each patient."""
    label, patient = (_arrays("classical")[0][name] for name in ("label", "patient"))
    return (label, patient) if key == "read" else 2 * (np.unique(patient),)


def each_seed(name, measure):
    """A method's `measure`, one of MEASURES, on all test patients, for each seed: (seeds,)."""
    key, metric = MEASURES[measure]
    return np.array([metric(_truth(key)[0], answer) for answer in answers(name, key)])


def gain(name, baseline, measure):
    """By how much a method's `measure` is above the baseline's, over seeds and patients: an Estimate. Networks of one seed share
    their patients and first weights, so that they are compared seed by seed, with "no difference"."""
    key, metric = MEASURES[measure]
    truth, groups = _truth(key)
    first, second = answers(baseline, key), answers(name, key)
    if len(first) != len(second) or len(first) < 4:
        return evaluate.recipes(metric, truth, first, second, groups=groups, bounds=(0, 100))

    def change(truth, pair):
        return metric(truth, pair[:, 1]) - metric(truth, pair[:, 0])

    same, pairs = np.stack([3 * [first[0]]] * 2, axis=2), np.stack([first, second], axis=2)
    return evaluate.recipes(change, truth, same, pairs, groups=groups, bounds=(-100, 100))


def events(name, kind):
    """What became of masses ("lost") or of healthy slices ("grown") that a method repaired: booleans (seeds, n), and the
    patient of each (n,). name: "hole, mass only, L1", "noise, total variation", "hole, nothing" …

    Lost: a mass that the marker finds on the intact slice and no longer on the restored one; in a hole only those count
    that it does not find with the hole left black. Grown: a healthy slice without an alarm before and with one after.
    """
    stored = _arrays("classical")[0]
    size, patient, task = stored["size"], stored["who"], name.partition(",")[0]

    def after(name):
        found = [run[name] for run in _arrays("patients") if name in run] or 3 * [stored[f"{name}, marked"]]
        return np.stack([seen(pixels, size) for pixels in found])

    before = seen(stored["intact, marked"], size)
    if kind == "lost":
        shows_anyway = after("hole, nothing")[0] if task == "hole" else np.zeros_like(before)
        counted = (size > 0) & before & ~shows_anyway
        return ~after(name)[:, counted], patient[counted]
    counted = (size == 0) & ~before
    return after(name)[:, counted], patient[counted]


def invented(name, kind):
    """The share of `events`, the mean over seeds, with its interval by patient; exact limits where few are on one side."""
    event, patient = events(name, kind)
    share, n = event.mean(0), len(np.unique(patient))
    if n * min(share.mean(), 1 - share.mean()) >= evaluate.FEW_EVENTS:
        return evaluate.bootstrap(np.mean, share, groups=patient)
    limits = evaluate.exact_limits(share.mean() * n, n)
    return evaluate.Estimate(float(share.mean()), *limits, n, "patients", "exact limits")


def more_invented(name, baseline, kind):
    """By how much the share of `events` is above the baseline's, over seeds and patients: an Estimate, compared as in `gain`."""
    (first, patient), (second, _) = events(baseline, kind), events(name, kind)
    if len(first) == len(second) > 3:
        first, second = np.zeros((3, len(patient))), second - first.astype(float)
    return evaluate.recipes(lambda _, event: event.mean(), patient, first, second, groups=patient, bounds=(-1, 1))
