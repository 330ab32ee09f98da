"""Exercises of the lesson on evaluation."""

import numpy as np
from scipy import stats

from course_lib.exercises import Choice, Coding, Mistake, Wrong, progress

TOPIC = "evaluation"


def _wrong(differs_on, *answers):
    """Wrong answers that all differ on the same arguments."""
    return [Wrong(answer, differs_on) for answer in answers]


accuracy_trap = Choice(
    topic=TOPIC,
    name="accuracy_trap",
    answer="c",
    replies={
        "a": "Count the errors: A makes 20 in 1,000 people, B makes many more. So A's accuracy is not the lower one.",
        "b": "A's accuracy is higher, that is true. But what does A do for the 20 people who are ill?",
        "c": "A is wrong 20 times and B 102 times, so A has the higher accuracy, and finds nobody. When almost all are "
        "healthy, accuracy says almost only how the healthy are treated.",
        "d": "They do differ: count how many of the 1,000 answers are wrong for each of the two.",
    },
    hints=("Count the wrong answers of A and of B among the 1,000 people, then ask who is helped.",),
)


def _sensitivity_specificity(truth, guess):
    ill, called_ill = truth == 1, guess == 1
    sensitivity = (ill & called_ill).sum() / ill.sum()  # of the ill, how many are found
    specificity = (~ill & ~called_ill).sum() / (~ill).sum()  # of the healthy, how many are left in peace
    return sensitivity, specificity


def _sensitivity_specificity_by_counting(truth, guess):
    pairs = list(zip(truth, guess, strict=True))
    tp, tn = sum(t and g for t, g in pairs), sum(not t and not g for t, g in pairs)
    return tp / sum(bool(t) for t in truth), tn / sum(not t for t in truth)


def _sensitivity_specificity_inputs():
    rng = np.random.default_rng(0)
    many = rng.random((2, 60))
    return [
        (np.array([1, 1, 1, 0, 0, 0, 0, 0]), np.array([1, 1, 0, 0, 0, 0, 0, 1])),
        (np.array([0, 1, 0, 0]), np.array([1, 0, 0, 0])),  # the only ill one is missed
        (np.array([1, 0, 1, 1, 0]), np.array([1, 1, 1, 0, 1])),  # all of the healthy get an alarm
        (many[0] < 0.3, many[1] < 0.6),
        ((many[1] < 0.7).astype(np.uint8), (many[0] < 0.2).astype(np.uint8)),
    ]


def _with_counts(formula):
    """An answer made of TP, FN, FP and TN; 0/0 gives NaN."""

    def answer(truth, guess):
        counts = [np.sum((truth == t) & (guess == g)) for t, g in ((1, 1), (1, 0), (0, 1), (0, 0))]
        return formula(*map(np.float64, counts))

    return answer


_CASE = (np.array([1, 1, 1, 0, 0, 0, 0, 0, 0]), np.array([1, 1, 0, 1, 1, 0, 0, 1, 0]))

_SENSITIVITY_SPECIFICITY_MISTAKES = [
    Mistake(_with_counts(lambda tp, fn, fp, tn: (tn / (tn + fp), tp / (tp + fn))),
            "Your results are the right two, the wrong way round: the share of the ill comes first."),
    Mistake(_with_counts(lambda tp, fn, fp, tn: (tp / (tp + fp), tn / (tn + fn))),
            "Your results are the two predictive values: shares of those who were *called* ill or healthy. Take "
            "shares of those who *are* ill, or healthy."),
    Mistake(_with_counts(lambda tp, fn, fp, tn: (tp / (tp + fp), tn / (tn + fp))),
            "Your first results are those of the precision: it asks how many of those called ill are ill. Start "
            "from those who are ill."),
    Mistake(_with_counts(lambda tp, fn, fp, tn: (tp / (tp + fn), fp / (tn + fp))),
            "Your second results are the shares of the healthy who are called ill, the false positive rates. The "
            "other healthy are to be counted."),
    Mistake(_with_counts(lambda tp, fn, fp, tn: (tp / (tp + fn + fp + tn), tn / (tp + fn + fp + tn))),
            "Your results are shares of everybody. Each of the two looks at one group only: the ill, or the "
            "healthy."),
]  # fmt: skip
_SENSITIVITY_SPECIFICITY_WRONG = [
    *_wrong(_CASE,
        _with_counts(lambda tp, fn, fp, tn: (tp / (tp + fn),) * 2),
        _with_counts(lambda tp, fn, fp, tn: ((tp + tn) / (tp + fn + fp + tn),) * 2),
        _with_counts(lambda tp, fn, fp, tn: (100 * tp / (tp + fn), 100 * tn / (tn + fp))),
        _with_counts(lambda tp, fn, fp, tn: (fn / (tp + fn), fp / (tn + fp))),
        _with_counts(lambda tp, fn, fp, tn: (round(tp / (tp + fn), 2), round(tn / (tn + fp), 2))),
        _with_counts(lambda tp, fn, fp, tn: (tp / (tp + fn), tn / (tn + fn))),
        _with_counts(lambda tp, fn, fp, tn: ((tp + 1) / (tp + fn + 2), (tn + 1) / (tn + fp + 2))),
        _with_counts(lambda tp, fn, fp, tn: (tp, tn)), _with_counts(lambda tp, fn, fp, tn: tp / (tp + fn)),
        lambda t, g: (g[t == 1].mean(), (~g)[t == 0].mean()), lambda t, g: (np.mean(g[t]), 1 - np.mean(g[1 - 1 * t])),
        lambda t, g: (np.nan, np.nan)),
]  # fmt: skip

sensitivity_specificity = Coding(
    topic=TOPIC,
    name="sensitivity_specificity",
    reference=_sensitivity_specificity,
    also_correct=(
        lambda t, g: (g[t == 1].mean(), 1 - g[t == 0].mean()),
        _sensitivity_specificity_by_counting,
    ),
    inputs=_sensitivity_specificity_inputs,
    mistakes=_SENSITIVITY_SPECIFICITY_MISTAKES,
    wrong=_SENSITIVITY_SPECIFICITY_WRONG,
    hints=(
        "Both are shares of a group that is defined by the truth, never by the answer.",
        "`truth == 1` picks the ill. How many of them does `guess` call ill?",
        "`guess[truth == 1]` are the answers about the ill; do the same with 0, and mind what is counted.",
    ),
    why="These two do not depend on *how many* of the tested are ill, but they do on *who* is: late disease is found more "
    "easily than early disease, so they do not simply travel from clinic to clinic (Ransohoff & Feinstein 1978, "
    "doi:10.1056/NEJM197810262991705).",
)


def _by_patient(score, patient):
    patients = np.unique(patient)  # sorted, each once
    means = np.array([score[patient == one].mean() for one in patients])
    return patients, means


def _by_patient_with_bincount(score, patient):
    patients, place = np.unique(patient, return_inverse=True)
    return patients, np.bincount(place, weights=score) / np.bincount(place)


def _by_patient_with_a_dict(score, patient):
    slices = {}
    for one, value in zip(patient.tolist(), score.tolist(), strict=True):
        slices.setdefault(one, []).append(value)
    return sorted(slices), [sum(slices[one]) / len(slices[one]) for one in sorted(slices)]


def _by_patient_inputs():
    rng = np.random.default_rng(1)
    mixed = rng.permutation(np.repeat(rng.permutation(1000)[:25], rng.integers(1, 8, 25)))
    return [
        (np.array([0.9, 0.1, 0.2, 0.6, 0.4, 0.3]), np.array([7, 3, 7, 3, 7, 12])),
        (rng.random(len(mixed)), mixed),
        (rng.normal(0, 5, 12), np.repeat([40, 2, 17, 8], 3)),  # logits, and patients not in order
        (np.array([1, 0, 0, 1, 1, 0]), np.array([5, 5, 5, 2, 2, 2])),  # whole numbers have means with fractions
        (np.array([0.25, 0.5, 1.0]), np.array([4, 4, 4])),
        (np.array([0.7, 0.2, 0.5], np.float32), np.array([30, 10, 20])),  # a single slice of each
    ]


def _each_patient(rule):
    """An answer with another rule than the mean."""
    return lambda s, p: (
        np.unique(p),
        np.array([rule(s[p == p]) for p in np.unique(p)]),
    )


def _by_first_appearance(score, patient):
    patients = np.array(list(dict.fromkeys(patient.tolist())))
    return patients, np.array([score[patient == one].mean() for one in patients])


def _by_neighbours(score, patient):
    """Each run of equal numbers as a patient of its own."""
    starts = np.flatnonzero(np.r_[True, np.diff(patient) != 0])
    return patient[starts], np.add.reduceat(score, starts) / np.diff(np.r_[starts, len(score)])


_MIXED = (np.array([0.3, 0.1, 0.2, 0.6, 0.6]), np.array([8, 3, 8, 3, 3]))

_BY_PATIENT_MISTAKES = [
    Mistake(_by_first_appearance,
            "Your results are those of patients in the order in which they appear. Wanted is the order of their "
            "numbers."),
    Mistake(_by_neighbours,
            "Your results are those of slices that stand side by side. A patient's slices may lie anywhere in the "
            "array."),
    Mistake(_each_patient(np.max),
            "Your results are the largest score of each patient. One odd slice decides then; take the mean."),
    Mistake(_each_patient(np.sum),
            "Your results are sums: they grow with the number of slices. Take the mean."),
    Mistake(_each_patient(np.median),
            "Your results are the medians of each patient's scores. The task asks for the mean."),
    Mistake(lambda s, p: (p, np.array([s[p == one].mean() for one in p])),
            "Your results have one entry for each slice. Each patient is to be listed once."),
    Mistake(lambda s, p: _by_patient(s, p)[::-1],
            "Your results are the right two, the wrong way round: the patients come first, then their means."),
]  # fmt: skip
_BY_PATIENT_WRONG = [
    *_wrong(_MIXED,
        lambda s, p: (np.unique(p), s[np.unique(p, return_index=True)[1]]),
        lambda s, p: (np.arange(len(np.unique(p))), _by_patient(s, p)[1]), lambda s, p: _by_patient(s, p)[1],
        lambda s, p: (np.unique(p), np.sort(_by_patient(s, p)[1])),
        lambda s, p: (np.unique(p)[::-1], _by_patient(s, p)[1][::-1]),
        lambda s, p: (np.unique(p), np.bincount(p, s)[np.unique(p)] / (len(s) / len(np.unique(p)))),
        lambda s, p: (np.unique(p), (_by_patient(s, p)[1] >= 0.5).astype(float)),
        lambda s, p: (np.unique(p), np.round(_by_patient(s, p)[1], 2)),
        lambda s, p: (np.arange(p.max() + 1), np.bincount(p, s) / np.bincount(p)),
        lambda s, p: (np.unique(p), np.full(len(np.unique(p)), s.mean()))),
    Wrong(lambda s, p: (np.unique(p), _by_patient(s, p)[1].astype(s.dtype)), (np.array([1, 0]), np.array([2, 2]))),
    Wrong(lambda s, p: (np.unique(p), np.clip(_by_patient(s, p)[1], 0, 1)), (np.array([2.5, -1]), np.array([1, 2]))),
]  # fmt: skip

by_patient = Coding(
    topic=TOPIC,
    name="by_patient",
    reference=_by_patient,
    also_correct=(_by_patient_with_bincount, _by_patient_with_a_dict),
    inputs=_by_patient_inputs,
    mistakes=_BY_PATIENT_MISTAKES,
    wrong=_BY_PATIENT_WRONG,
    hints=(
        "`np.unique(patient)` lists the patients, sorted, each once.",
        "`patient == one` is True for the slices of one patient, wherever they stand.",
        "Collect the mean score of these slices, patient by patient, and return the list of patients with it.",
    ),
    why="Patients come to a clinic, not slices: from here on, what is counted is the patient.",
)


def _macro_f1(confusion):
    hits = np.diag(confusion)
    everybody = confusion.sum(axis=1) + confusion.sum(axis=0)  # truly of the class (rows), and called so (columns)
    f1 = np.zeros(len(hits))  # stays 0 for a class that nobody is in and nobody is called
    np.divide(2 * hits, everybody, out=f1, where=everybody > 0)
    return f1.mean()


def _macro_f1_by_rates(confusion):
    scores = []
    for k in range(len(confusion)):
        recall = confusion[k, k] / max(confusion[k].sum(), 1)
        precision = confusion[k, k] / max(confusion[:, k].sum(), 1)
        scores.append(2 * precision * recall / (precision + recall) if precision + recall > 0 else 0)
    return sum(scores) / len(scores)


def _macro_f1_inputs():
    return [
        (np.array([[8, 2], [1, 9]]),),
        (np.array([[50, 3, 2], [4, 6, 0], [1, 2, 2]]),),
        (np.array([[90, 10, 0], [20, 30, 0], [4, 1, 0]]),),  # the rare class is never called
        (np.array([[40, 0, 5, 1], [6, 9, 0, 3], [2, 2, 20, 8], [0, 1, 7, 3]]),),
        (np.array([[6, 0, 1], [0, 0, 0], [2, 0, 5]]),),  # nobody is in the second class, and nobody called so
        (np.array([[0.0, 5.0], [3.0, 12.0]]),),  # of the first class nobody is found
        (np.array([[7, 2, 1], [0, 0, 0], [1, 3, 6]]),),  # called, but nobody is
    ]


def _f1_parts(confusion):
    """Recall, precision and F1 of each class, 0 where nobody counts."""
    hits = np.diag(confusion).astype(float)
    recall, precision = (hits / np.maximum(confusion.sum(axis=axis), 1) for axis in (1, 0))
    return recall, precision, 2 * precision * recall / np.maximum(precision + recall, 1e-12)


def _f1_plain(confusion):
    """The formulas as they stand in the table: NaN for a class that is never called."""
    hits = np.diag(confusion).astype(float)
    with np.errstate(invalid="ignore"):
        recall, precision = (hits / confusion.sum(axis=axis) for axis in (1, 0))
        return 2 * precision * recall / (precision + recall)


def _f1_of_means(confusion):
    recall, precision, _ = _f1_parts(confusion)
    return 2 * recall.mean() * precision.mean() / (recall.mean() + precision.mean())


_TABLE, _RARE = (np.array([[30, 4, 1], [7, 9, 2], [0, 3, 3]]),), (np.array([[8, 1, 0], [2, 5, 0], [1, 1, 0]]),)

_MACRO_F1_MISTAKES = [
    Mistake(lambda c: _f1_plain(c).mean(),
            "Right until a class is never called: then its precision is 0/0, and your result is NaN. Such a class "
            "counts 0."),
    Mistake(lambda c: np.nanmean(_f1_plain(c)),
            "Your results are those of leaving a class out when nobody is called so. It is to count 0: that class "
            "is the one which macro F1 is meant to notice."),
    Mistake(lambda c: np.trace(c) / c.sum(),
            "Your results are the accuracy, which is also the micro F1. Macro means: one F1 for each class, then a "
            "mean."),
    Mistake(lambda c: np.average(_f1_parts(c)[2], weights=c.sum(axis=1)),
            "Your results are the weighted F1, in which a class counts by its size. In the macro F1 a rare class "
            "counts as much as a frequent one."),
    Mistake(_f1_of_means,
            "Your results are those of averaging precision and recall over the classes first. Combine them within "
            "each class, then average."),
    Mistake(lambda c: np.mean(_f1_parts(c)[:2]),
            "Your results are ordinary means of precision and recall. F1 is their harmonic mean."),
    Mistake(lambda c: _f1_parts(c)[0].mean(),
            "Your results are the mean recall (balanced accuracy): false alarms do not count in it."),
]  # fmt: skip
_MACRO_F1_WRONG = [
    *_wrong(_RARE,
        lambda c: np.nan_to_num(_f1_plain(c).mean()), lambda c: np.nan_to_num(_f1_plain(c), nan=1.0).mean(),
        lambda c: _f1_parts(c)[2][c.sum(axis=0) > 0].mean()),
    *_wrong(_TABLE,
        lambda c: np.median(_f1_parts(c)[2]), lambda c: _f1_parts(c)[2][1], lambda c: _f1_parts(c)[1].mean(),
        lambda c: stats.hmean(np.maximum(_f1_parts(c)[2], 1e-09)),
        lambda c: np.mean(np.sqrt(_f1_parts(c)[0] * _f1_parts(c)[1])), lambda c: round(_macro_f1(c), 2),
        lambda c: _macro_f1(c[:2, :2]),
        lambda c: np.mean(np.diag(c) / (c.sum(axis=0) + c.sum(axis=1) - np.diag(c) + 1e-09))),
    Wrong(lambda c: _f1_parts(c)[2].sum() / 3, (np.array([[8, 2], [1, 9]]),)),
]  # fmt: skip

macro_f1 = Coding(
    topic=TOPIC,
    name="macro_f1",
    reference=_macro_f1,
    also_correct=(_macro_f1_by_rates, lambda c: np.mean(2 * np.diag(c) / np.maximum(c.sum(axis=0) + c.sum(axis=1), 1))),
    inputs=_macro_f1_inputs,
    mistakes=_MACRO_F1_MISTAKES,
    wrong=_MACRO_F1_WRONG,
    hints=(
        "The diagonal holds the hits of each class. Sums along one axis give how many there truly are, along the other "
        "how many were called so.",
        "For each class: recall is hits / row sum, precision is hits / column sum. Ask before you divide by 0.",
        "F1 of a class is the harmonic mean 2 P R / (P + R), 0 if there are no hits. In the end, average over classes.",
    ),
    why="Macro F1 does not let a frequent class hide a rare one, and in medicine the rare class is often the point.",
)


who_is_drawn = Choice(
    topic=TOPIC,
    name="who_is_drawn",
    answer="b",
    replies={
        "a": "That is the interval by image. Slices of one patient resemble each other, so it is too narrow.",
        "b": "Slices of one patient are right or wrong together. What would differ next time is who comes to the clinic, "
        "so patients are drawn, each with all slices.",
        "c": "Training again shows how much the weights' start matters. It says nothing about other patients.",
        "d": "Pixels are not independent observations at all; such an interval would be far too narrow.",
    },
    hints=("Imagine the study repeated somewhere else. What would be different: the slices, or the people?",),
)


def _patient_bootstrap(correct, patient, seed, repeats):
    rng = np.random.default_rng(seed)
    slices = [np.flatnonzero(patient == one) for one in np.unique(patient)]  # the places of each patient's slices
    shares = np.empty(repeats)
    for r in range(repeats):
        drawn = rng.integers(len(slices), size=len(slices))  # as many as there are; some come twice, some not at all
        shares[r] = correct[np.concatenate([slices[i] for i in drawn])].mean()
    return shares


def _patient_sums(correct, patient):
    """Sum and number of each patient's slices."""
    place = np.unique(patient, return_inverse=True)[1]
    return np.bincount(place, weights=correct), np.bincount(place)


def _patient_bootstrap_by_counts(correct, patient, seed, repeats):
    total, size = _patient_sums(correct, patient)
    times = np.random.default_rng(seed).multinomial(len(size), np.full(len(size), 1 / len(size)), size=repeats)
    return times @ total / (times @ size)


def _patient_bootstrap_in_python(correct, patient, seed, repeats):
    import random

    chance, slices = random.Random(seed), {}
    for one, value in zip(patient.tolist(), correct.tolist(), strict=True):
        slices.setdefault(one, []).append(value)
    shares = []
    for _ in range(repeats):
        values = [value for own in chance.choices(list(slices.values()), k=len(slices)) for value in own]
        shares.append(sum(values) / len(values))
    return shares


def _patient_bootstrap_inputs():
    rng = np.random.default_rng(2)
    few = (np.array([1, 0, 1, 1, 1, 0, 1, 0, 0, 1, 0, 0]), np.array([9, 4, 9, 2, 9, 4, 9, 30, 4, 9, 9, 30]))
    patient = rng.permutation(np.repeat(rng.permutation(500)[:20], rng.integers(1, 12, 20)))
    skill = dict(zip(np.unique(patient), rng.beta(1, 1, 20), strict=True))
    right = rng.random((2, len(patient))) < [[skill[p] for p in patient]] * 2
    return [
        *((*few, seed, 1000) for seed in (0, 1, 2, 3, 0)),
        *((right[0], patient, seed, 600) for seed in (0, 7)),
        (right[0].astype(int) - right[1], patient, 4, 700),  # a difference of two models: -1, 0 or 1
        (np.array([1.0, 0.0, 0.0, 1.0, 1.0]), np.array([1, 2, 3, 4, 5]), 5, 2000),  # a single slice of each
        (np.ones(6, int), np.array([1, 1, 2, 2, 3, 3]), 6, 50),  # all of them right
    ]


def _gap(values, others):
    """The largest gap between two samples' cumulated shares (Kolmogorov & Smirnov), at the values of the second."""
    at = np.unique(others) + 1e-6
    return max(abs((values <= limit).mean() - (others <= limit).mean()) for limit in at[:: max(1, len(at) // 500)])


def _patient_bootstrap_accept(result, correct, patient, seed, repeats):
    if np.shape(result) != (repeats,):
        return f"wanted is one share for each of the {repeats} repeats; your result has the shape {np.shape(result)}."
    total, size = _patient_sums(correct, patient)
    ours = _patient_bootstrap_by_counts(correct, patient, 987654, 20_000)
    if len(size) <= 5 and (strange := [v for v in result if abs(ours - v).min() > 1e-6]):
        return (
            f"no drawing of {len(size)} whole patients gives {strange[0]:.6g}, which is among your values: draw as many "
            "as there are, each with all slices as often as the patient is drawn, and take the mean over these slices."
        )
    if _gap(result, ours) < 2.6 * np.sqrt(1 / repeats + 1 / len(ours)):  # a right answer fails once in 300,000 times
        return None
    if abs(result.mean() - ours.mean()) > ours.std() / 3:
        return "your values lie about another share than that of all slices: their mean is too far away from it."
    if not 0.85 < result.std() / ours.std() < 1.15:
        spread = "little" if result.std() < ours.std() else "much"
        return f"your values vary too {spread} from one repeat to the next: what is drawn, and how many times?"
    return "your values are not spread as those of whole patients, drawn with replacement."


def _patient_bootstrap_accept_all(results, inputs):
    """Chance, from the seed: the same seed twice agrees, others differ."""
    known = {}
    for result, (correct, _, seed, repeats) in zip(results, inputs, strict=True):
        if len(np.unique(correct)) == 1:
            continue
        seeds = known.setdefault((len(correct), correct.tobytes(), repeats), {})
        if not np.array_equal(seeds.setdefault(seed, result), result):
            return "The same seed twice gave other values. Make the generator inside the function, from the seed."
    for seeds in known.values():
        if len({np.asarray(result).tobytes() for result in seeds.values()}) < len(seeds):
            return "Two seeds gave the same values. Use the seed for the drawing."
    return None


def _drawing(draw):
    """An answer that takes other slices: draw(rng, patient, numbers of the patients) gives their places."""

    def answer(correct, patient, seed, repeats):
        rng, numbers = np.random.default_rng(seed), np.unique(patient)
        return np.array([correct[draw(rng, patient, numbers)].mean() for _ in range(repeats)])

    return answer


def _patient_means(correct, patient, seed, repeats):
    total, size = _patient_sums(correct, patient)
    rng = np.random.default_rng(seed)
    return (total / size)[rng.integers(len(size), size=(repeats, len(size)))].mean(axis=1)


def _slices_of(patient, drawn):
    return np.concatenate([np.flatnonzero(patient == one) for one in drawn])


_SMALL = (np.array([1, 0, 1, 1, 0, 0, 1]), np.array([1, 1, 1, 1, 2, 2, 3]))
_SEEDS = [(*_SMALL, seed, 300) for seed in (0, 1, 2, 3, 0)]

_PATIENT_BOOTSTRAP_MISTAKES = [
    Mistake(_drawing(lambda rng, patient, numbers: rng.integers(len(patient), size=len(patient))),
            "Your results are those of drawing single slices, as if each came from a patient of its own. Draw "
            "patients."),
    Mistake(_drawing(lambda rng, patient, numbers: np.isin(patient, rng.choice(numbers, len(numbers)))),
            "Your results are those of counting each drawn patient once (`np.isin` asks only *whether* one was "
            "drawn). Who is drawn twice has to count twice."),
    Mistake(_patient_means,
            "Your results are means of the patients' own shares. The task asks for the mean over all slices drawn, "
            "in which a patient with many slices counts more."),
    Mistake(_drawing(lambda rng, patient, numbers: _slices_of(patient, rng.permutation(numbers))),
            "Your results are those of drawing without replacement: then everybody is in each time, and nothing "
            "varies."),
    Mistake(lambda c, p, s, r: np.full(r, _patient_bootstrap(c, p, s, 1)[0]),
            "Your results are one and the same drawing, repeated. Make the generator once, before the loop."),
    Mistake(lambda c, p, s, r: np.percentile(_patient_bootstrap(c, p, s, r), [2.5, 97.5]),
            "Your results are the limits of the interval already. Return all the shares that were drawn: we want to "
            "see them first."),
]  # fmt: skip
_PATIENT_BOOTSTRAP_WRONG = [
    *_wrong(_SEEDS,
        lambda c, p, s, r: _patient_bootstrap(c, p, 42, r), lambda c, p, s, r: _patient_bootstrap(c, p, s % 2, r),
        lambda c, p, s, r: _patient_bootstrap(c, p, None, r)),
    *_wrong((*_SMALL, 0, 300),
        lambda c, p, s, r: _patient_bootstrap(c, p, s, 1000),
        lambda c, p, s, r: np.random.default_rng(s).normal(c.mean(), 0.2, r),
        lambda c, p, s, r: np.tile(_patient_bootstrap(c, p, s, 5), r)[:r],
        lambda c, p, s, r: 1 - _patient_bootstrap(c, p, s, r),
        lambda c, p, s, r: np.round(_patient_bootstrap(c, p, s, r), 2),
        _drawing(lambda rng, p, numbers: _slices_of(p, rng.choice(numbers, len(numbers) - 1))),
        _drawing(lambda rng, p, numbers: _slices_of(p, rng.choice(numbers, 2 * len(numbers)))),
        _drawing(lambda rng, p, numbers: rng.integers(len(p), size=len(numbers))),
        lambda c, p, s, r: np.full(r, np.nan)),
    Wrong(lambda c, p, s, r: _patient_bootstrap(c, np.sort(p), s, r),
        (_SMALL[0], np.array([3, 1, 2, 1, 1, 2, 1]), 0, 300)),
    Wrong(_drawing(lambda rng, p, numbers: _slices_of(p, rng.choice(p, len(numbers)))), (*_SMALL, 0, 600)),
]  # fmt: skip

patient_bootstrap = Coding(
    topic=TOPIC,
    name="patient_bootstrap",
    reference=_patient_bootstrap,
    also_correct=(_patient_bootstrap_by_counts, _patient_bootstrap_in_python),
    inputs=_patient_bootstrap_inputs,
    accept=_patient_bootstrap_accept,
    accept_all=_patient_bootstrap_accept_all,
    mistakes=_PATIENT_BOOTSTRAP_MISTAKES,
    wrong=_PATIENT_BOOTSTRAP_WRONG,
    hints=(
        "Find the places of each patient's slices once, before the loop: `np.flatnonzero(patient == one)`.",
        "`rng = np.random.default_rng(seed)` before the loop; `rng.integers(n, size=n)` draws n of n with replacement.",
        "`np.concatenate` puts the places of all who were drawn into one array, those of a patient drawn twice both times.",
    ),
    why="The middle 95 % of these shares are the interval. With the difference of two models' answers in place of "
    "`correct`, the same function compares the two on the same patients.",
)


def _area_under_roc(truth, score):
    ill, healthy = score[truth == 1], score[truth == 0]
    above = ill[:, None] > healthy[None, :]  # every ill one against every healthy one
    ties = ill[:, None] == healthy[None, :]
    return above.mean() + ties.mean() / 2


def _area_under_roc_by_loops(truth, score):
    wins = [(a > b) + 0.5 * (a == b) for a in score[truth == 1] for b in score[truth == 0]]
    return float(np.mean(wins))


def _area_under_roc_by_ranks(truth, score):
    ill = np.sum(truth == 1)
    won = stats.rankdata(score)[truth == 1].sum() - ill * (ill + 1) / 2
    return won / (ill * (len(truth) - ill))


def _area_under_roc_inputs():
    rng = np.random.default_rng(3)
    truth = (rng.random(30) < 0.4).astype(int)
    return [
        (np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])),
        (np.array([0, 0, 0, 1, 1]), np.array([0.2, 0.5, 0.5, 0.5, 0.9])),
        (truth, np.round(rng.normal(size=30) + truth, 1)),
        (truth[::-1] == 1, rng.normal(-3, 4, size=30)),  # logits, and booleans
        (np.array([1, 0, 1, 0, 1, 0, 0]), np.array([5, 1, 3, 3, 2, 4, 2])),  # a reader's marks from 1 to 5
        (np.array([0, 1, 1]), np.array([0.3, 0.3, 0.3])),  # the same score for all
        (np.array([1, 0, 0, 1]), np.array([3e-12, 1e-12, 2e-12, 1.5e-12])),  # nearly 0, but not ties
        (np.array([1, 1, 0]), np.array([0.1, 0.2, 0.9], np.float32)),  # each pair is lost
    ]


def _auc_paired_in_order(truth, score):
    ill, healthy = score[truth == 1], score[truth == 0]
    n = min(len(ill), len(healthy))
    return (ill[:n] > healthy[:n]).mean() + (ill[:n] == healthy[:n]).mean() / 2


def _auc_against_mean(truth, score):
    ill, healthy = score[truth == 1], score[truth == 0].mean()
    return (ill > healthy).mean() + (ill == healthy).mean() / 2


def _auc_by_pairs(rule):
    return lambda t, s: np.mean(rule(s[t == 1][:, None], s[t == 0][None, :]))


_SCORED = (np.array([0, 1, 0, 1, 0]), np.array([0.2, 0.2, 0.7, 0.3, 0.1]))

_AREA_UNDER_ROC_MISTAKES = [
    Mistake(_auc_by_pairs(lambda ill, healthy: ill > healthy),
            "Your results are those of counting a tie as lost. It is neither won nor lost: count it half."),
    Mistake(_auc_by_pairs(lambda ill, healthy: ill >= healthy),
            "Your results are those of counting a tie as won. Count it half."),
    Mistake(lambda t, s: _area_under_roc(1 - t, s),
            "Your results are the shares of pairs in which the *healthy* one has the higher score."),
    Mistake(lambda t, s: ((s >= 0.5) == (t == 1)).mean(),
            "Your results are the accuracy at the threshold 0.5. The AUC needs no threshold: it only compares "
            "scores in pairs."),
    Mistake(_auc_paired_in_order,
            "Your results are those of comparing the first ill with the first healthy, the second with the second, "
            "and so on. Compare every ill one with every healthy one."),
    Mistake(_auc_against_mean,
            "Your results are those of comparing each ill one with the mean of the healthy. Compare with every "
            "single one."),
]  # fmt: skip
_AREA_UNDER_ROC_WRONG = [
    *_wrong(_SCORED,
        _auc_by_pairs(lambda a, b: (a > b) + 0.25 * (a == b)), _auc_by_pairs(lambda a, b: np.clip(a - b, 0, 1)),
        _auc_by_pairs(lambda a, b: a - b), lambda t, s: 2 * _area_under_roc(t, s) - 1,
        lambda t, s: _area_under_roc(t, s) * np.sum(t == 1) * np.sum(t == 0), lambda t, s: _area_under_roc(t, s > 0.5),
        lambda t, s: np.corrcoef(t, s)[0, 1], lambda t, s: np.mean(s[t == 1] > np.median(s[t == 0])),
        _auc_by_pairs(lambda a, b: (a > b)[:, :1])),
    Wrong(_auc_by_pairs(lambda a, b: (a > b) + 0.5 * np.isclose(a, b)), (np.array([1, 0]), np.array([3e-12, 1e-12]))),
    Wrong(lambda t, s: max(_area_under_roc(t, s), _area_under_roc(1 - t, s)), (np.array([1, 0]), np.array([0.1, 0.2]))),
    Wrong(lambda t, s: _area_under_roc(t, np.round(s, 1)), (np.array([1, 0]), np.array([0.24, 0.21]))),
    Wrong(lambda t, s: _area_under_roc(t, np.clip(s, 0, 1)), (np.array([1, 0]), np.array([3.0, 2.0]))),
]  # fmt: skip

area_under_roc = Coding(
    topic=TOPIC,
    name="area_under_roc",
    reference=_area_under_roc,
    also_correct=(_area_under_roc_by_loops, _area_under_roc_by_ranks),
    inputs=_area_under_roc_inputs,
    mistakes=_AREA_UNDER_ROC_MISTAKES,
    wrong=_AREA_UNDER_ROC_WRONG,
    hints=(
        "Split the scores in two: those of the ill and those of the healthy.",
        "Two loops, or `a[:, None]` against `b[None, :]`, give all pairs.",
        "A pair is won (1) if the ill one scores higher, undecided (a half) if both are equal; then the mean.",
    ),
    why="The AUC knows nothing of thresholds or probabilities: it is about order alone.",
)


def _choose_threshold(truth, score, share):
    ill = score[truth == 1]
    found = [(ill >= threshold).mean() for threshold in ill]  # between two scores of the ill nothing changes
    return float(max(threshold for threshold, part in zip(ill, found, strict=True) if part >= share))


def _choose_threshold_by_sorting(truth, score, share):
    ill = np.sort(score[truth == 1])[::-1]
    return ill[int(np.ceil(share * len(ill) - 1e-9)) - 1]


def _choose_threshold_inputs():
    rng = np.random.default_rng(5)

    def case(ill, healthy, share, kind=float):
        truth = rng.permutation(np.repeat([1, 0], [ill, healthy]))
        return truth, rng.normal(1.5 * truth - 0.7, 1).astype(kind), share  # logits

    return [
        (np.array([1, 0, 1, 1, 0, 1]), np.array([0.9, 0.6, 0.3, 0.7, 0.2, 0.5]), 0.75),
        (np.r_[np.ones(10, int), 0, 0], np.r_[np.arange(1, 11), 3, 12] / 10, 0.9),  # exactly nine of ten
        case(20, 41, 0.9),
        case(20, 30, 0.95),
        case(40, 20, 0.8),
        case(12, 40, 0.95),
        case(37, 37, 0.6, np.float32),
        (np.array([1, 0, 1, 1, 0, 1, 1, 0]), np.array([5, 3, 2, 4, 5, 4, 4, 1]), 0.75),  # a reader's marks, with ties
        (np.array([0, 1, 1, 0, 1]) == 1, np.array([0.8, 0.35, 0.1, 0.05, 0.6]), 1.0),  # all of the ill
    ]


def _threshold_for_specificity(truth, score, share):
    return min(t for t in np.r_[score, np.inf] if (score[truth == 0] < t).mean() >= share)


def _threshold_for(measure):
    """The first score as threshold at which a measure of sensitivity, specificity and accuracy is largest."""

    def answer(truth, score, share):
        ill, healthy = score[truth == 1], score[truth == 0]
        values = [
            measure((ill >= t).mean(), (healthy < t).mean(), ((score >= t) == (truth == 1)).mean()) for t in score
        ]
        return score[int(np.argmax(values))]

    return answer


_TEN = (np.array([1] * 10 + [0] * 2), np.array([*range(1, 11), 3, 12]) / 10)

_CHOOSE_THRESHOLD_MISTAKES = [
    Mistake(lambda t, s, q: max((v for v in s if (s[t == 1] >= v).mean() > q), default=-np.inf),
            "Your results are those of *more than* the share. At exactly the share the task is fulfilled."),
    Mistake(lambda t, s, q: s[t == 1].min(),
            "Your results find every ill one. The threshold may be higher, and spare more of the healthy."),
    Mistake(lambda t, s, q: _choose_threshold(t, s, 0.9),
            "Your results are right for a share of 0.9 only. Use the share that is given."),
    Mistake(lambda t, s, q: np.quantile(s[t == 1], 1 - q),
            "Your results are quantiles, interpolated between two of the ill. Such a threshold can find one too "
            "few: count."),
    Mistake(lambda t, s, q: np.sort(s[t == 1])[int((1 - q) * np.sum(t == 1))],
            "Nearly. Your results are those of `int((1 - share) * n)`, and in a computer (1 − 0.9)·10 is a little "
            "less than 1, so one place is lost. Count with `share` itself."),
    Mistake(_threshold_for_specificity,
            "Your results reach the share among the healthy: that is the specificity. The task asks for the "
            "sensitivity."),
    Mistake(_threshold_for(lambda sensitivity, specificity, accuracy: accuracy),
            "Your results are those of the largest accuracy. The task asks for a sensitivity: missing an illness "
            "may cost more than a false alarm."),
    Mistake(_threshold_for(lambda sensitivity, specificity, accuracy: sensitivity + specificity),
            "Your results are those of the largest sum of sensitivity and specificity (Youden's index). The task "
            "promises a sensitivity."),
    Mistake(lambda t, s, q: 0.5,
            "0.5 is a habit, not a choice: nothing says that this threshold reaches the wanted sensitivity."),
]  # fmt: skip
_CHOOSE_THRESHOLD_WRONG = [
    *_wrong((*_TEN, 0.9),
        lambda t, s, q: np.sort(s[t == 1])[::-1][min(int(q * sum(t)), sum(t) - 1)],
        lambda t, s, q: np.quantile(s[t == 1], 1 - q, method="lower"), lambda t, s, q: np.quantile(s[t == 1], q),
        lambda t, s, q: _choose_threshold(1 - t, s, q),
        lambda t, s, q: np.mean(s[t == 1] >= _choose_threshold(t, s, q)),
        lambda t, s, q: round(_choose_threshold(t, s, q)), lambda t, s, q: _choose_threshold(t, s, q) - 0.05,
        lambda t, s, q: q, lambda t, s, q: np.flatnonzero(s == _choose_threshold(t, s, q))[0], lambda t, s, q: np.nan),
    Wrong(lambda t, s, q: _choose_threshold(t, s, 0.95), (*_TEN, 0.5)),
    Wrong(lambda t, s, q: max(v for v in np.linspace(0, 1, 101) if np.mean(s[t == 1] >= v) >= q or v == 0),
        (np.array([1, 1, 0]), np.array([-2.0, 3.0, 0.0]), 1.0)),
    Wrong(lambda t, s, q: np.sort(np.unique(s[t == 1]))[::-1][int(np.ceil(q * len(np.unique(s[t == 1])))) - 1],
        (np.array([1, 1, 1, 1, 0]), np.array([4, 4, 4, 2, 1]), 0.75)),
]  # fmt: skip

choose_threshold = Coding(
    topic=TOPIC,
    name="choose_threshold",
    reference=_choose_threshold,
    also_correct=(
        _choose_threshold_by_sorting,
        lambda t, s, q: max(v for v in set(s.tolist()) if np.mean(s[t == 1] >= v) >= q),
    ),
    inputs=_choose_threshold_inputs,
    mistakes=_CHOOSE_THRESHOLD_MISTAKES,
    wrong=_CHOOSE_THRESHOLD_WRONG,
    hints=(
        "Only the scores of the ill matter. Which of the two arrays tells who is ill?",
        "It is enough to try the scores of the ill as thresholds: between two of them the sensitivity does not change.",
        "For each such threshold compute the share of the ill with a score at or above it. Keep those that reach `share`; "
        "return the highest.",
    ),
    why="Chosen on validation and frozen, the threshold meets patients it has never seen, as it will in a clinic.",
)


def _ppv(sensitivity, specificity, prevalence):
    true_alarms = sensitivity * prevalence  # as shares of everybody who is tested
    false_alarms = (1 - specificity) * (1 - prevalence)
    return true_alarms / (true_alarms + false_alarms)


def _ppv_per_million(sensitivity, specificity, prevalence):
    ill = 1e6 * np.asarray(prevalence)
    found, alarmed = sensitivity * ill, (1 - specificity) * (1e6 - ill)
    return found / (found + alarmed)


_SCREENING = (0.8, 0.9, 0.013)

_PPV_MISTAKES = [
    Mistake(lambda a, b, p: a / (a + 1 - b) + 0 * p,
            "Your results do not change with the prevalence: they are right only if half of the tested are ill."),
    Mistake(lambda a, b, p: a * p / (a * p + b * (1 - p)),
            "Your results are those with the healthy who are rightly left in peace in the denominator. Which "
            "healthy people get an alarm?"),
    Mistake(lambda a, b, p: b * (1 - p) / (b * (1 - p) + (1 - a) * p),
            "Your results are the negative predictive value: how sure one can be after a *negative* answer."),
    Mistake(lambda a, b, p: a * p,
            "Your results are the shares of true alarms among everybody. Wanted is their share among all alarms."),
    Mistake(lambda a, b, p: a * p / (a * p + (1 - b)),
            "Your results are those of false alarms from everybody. They come from the healthy only: weigh them by "
            "the share of the healthy."),
]  # fmt: skip
_PPV_WRONG = [
    *_wrong(_SCREENING,
        lambda a, b, p: _ppv(b, a, p), lambda a, b, p: _ppv(a, b, 1 - p), lambda a, b, p: 100 * _ppv(a, b, p),
        lambda a, b, p: 1 - _ppv(a, b, p), lambda a, b, p: np.round(_ppv(a, b, p), 2),
        lambda a, b, p: _ppv(a, b, 0.02), lambda a, b, p: a * p + (1 - b) * (1 - p), lambda a, b, p: np.nan * p),
    *_wrong((0.9, 0.81, 0.0205),
        lambda a, b, p: np.round(1000 * a * p) / np.round(1000 * (a * p + (1 - b) * (1 - p))),
        lambda a, b, p: a * np.round(1000 * p) / (a * np.round(1000 * p) + (1 - b) * np.round(1000 * (1 - p)))),
    Wrong(lambda a, b, p: _ppv(a, b, p / (1 - p + 1e-12)), (0.8, 0.9, 0.3)),
    Wrong(lambda a, b, p: np.clip(a / (1 - b + 1e-12) * p, 0, 1), (0.8, 0.9, 0.1)),
    Wrong(lambda a, b, p: np.mean(_ppv(a, b, p)), (0.8, 0.9, np.array([0.1, 0.5]))),
]  # fmt: skip

ppv = Coding(
    topic=TOPIC,
    name="ppv",
    reference=_ppv,
    also_correct=(
        _ppv_per_million,
        lambda a, b, p: 1 / (1 + (1 - b) * (1 - p) / np.maximum(a * p, 1e-300)),
    ),
    integers=False,  # shares
    inputs=lambda: [
        (0.9, 0.9, 0.5),
        (0.95, 0.8, 0.02),
        (0.9, 0.81, 0.0205),  # a share of 1,000 people that is no whole number
        (0.6, 0.99, 0.1),
        (0.7, 1.0, 0.3),  # no false alarms
        (0.8, 0.7, 1),  # all are ill
        (0.8, 0.7, 0),
        (0.97, 0.51, np.array([0.75, 0.25, 0.05, 0.001])),
    ],
    mistakes=_PPV_MISTAKES,
    wrong=_PPV_WRONG,
    hints=(
        "Think of a share of everybody who is tested. Which share is ill *and* gets an alarm?",
        "Which share is healthy, and gets an alarm all the same?",
        "The predictive value is the share of the true alarms among all alarms.",
    ),
    why="A test is not good or bad by itself: who is tested decides what a positive answer means.",
)


def _upper_limit(n, level):
    # The largest share p with which "none of n" is not yet too rare: (1 − p) to the power n is half of 1 − level.
    return 1 - ((1 - level) / 2) ** (1 / n)


def _upper_limit_by_trying(n, level):
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 - middle) ** n > (1 - level) / 2 else (low, middle)
    return high


_UPPER_LIMIT_MISTAKES = [
    Mistake(lambda n, level: 1 - (1 - level) ** (1 / n),
            "Your results are one-sided limits: all of 1 − level lies on one side. Ours are two-sided, with half of "
            "it on either side."),
    Mistake(lambda n, level: 3 / n,
            "Your results are the rule of three: near the *one-sided* limit of 95 %, and never right for few "
            "patients."),
    Mistake(lambda n, level: 0.0,
            "Your results are 0, as the bootstrap says. That nobody was seen among n does not mean that there is "
            "nobody."),
    Mistake(lambda n, level: ((1 - level) / 2) ** (1 / n),
            "Your results are the *lower* limit for n of n: one minus what is asked for."),
    Mistake(lambda n, level: 1 - ((1 + level) / 2) ** (1 / n),
            "Your results belong to the other end: there, seeing none would be what happens nearly always."),
    Mistake(lambda n, level: stats.norm.ppf((1 + level) / 2) ** 2 / (n + stats.norm.ppf((1 + level) / 2) ** 2),
            "Your results are Wilson's limits, an approximation that is a little narrower. The task asks for exact "
            "ones."),
]  # fmt: skip
_UPPER_LIMIT_WRONG = [
    *_wrong((20, 0.9),
        lambda n, level: 1 - 0.025 ** (1 / n), lambda n, level: _upper_limit(10, level),
        lambda n, level: 1 - level ** (1 / n), lambda n, level: 1 - ((1 - level) / 2) ** n,
        lambda n, level: (1 - (1 - level) / 2) ** (1 / n), lambda n, level: 100 * _upper_limit(n, level),
        lambda n, level: round(_upper_limit(n, level), 2), lambda n, level: _upper_limit(n + 1, level),
        lambda n, level: -np.log((1 - level) / 2) / n, lambda n, level: 1 - ((1 - level) / 2) ** (1 // n),
        lambda n, level: np.inf),
    *_wrong((20, 0.95),
        lambda n, level: min(1, 3.69 / n), lambda n, level: 1.96 * np.sqrt(0.25 / n)),
]  # fmt: skip

upper_limit = Coding(
    topic=TOPIC,
    name="upper_limit",
    reference=_upper_limit,
    also_correct=(
        lambda n, level: stats.beta.ppf((1 + level) / 2, 1, n),
        lambda n, level: stats.binomtest(0, n).proportion_ci(level, method="exact").high,
        lambda n, level: -np.expm1(np.log((1 - level) / 2) / n),
        _upper_limit_by_trying,
    ),
    inputs=lambda: [(10, 0.95), (40, 0.95), (1, 0.95), (120, 0.9), (41, 0.99), (500, 0.95), (3, 0.5)],
    mistakes=_UPPER_LIMIT_MISTAKES,
    wrong=_UPPER_LIMIT_WRONG,
    hints=(
        "If the share is p, how probable is it that none of n patients is such a case? All n have to be others.",
        "Look for the p at which that probability has fallen to half of what the level leaves over.",
        "For 95 % half of what is left over is 0.025. Solve (1 − p) to the power n = 0.025 for p, then for any level.",
    ),
    why="None of 40 still allows 9 in 100: an interval of no width says that there were few patients, not that we are sure.",
)


temperature_changes = Choice(
    topic=TOPIC,
    name="temperature_changes",
    answer="d",
    replies={
        "a": "The largest of four logits stays the largest when all are divided by the same positive number. So no "
        "answer changes, and no accuracy.",
        "b": "The confusion matrix counts answers, and the largest logit of an image stays the largest.",
        "c": "Something does change. Compute softmax of (2, 0), and of (2, 0) divided by 2.",
        "d": "The order of an image's classes stays, so its answer stays; only how sure the network claims to be changes.",
    },
    hints=("Take the logits (2, 0). Divide by T = 2 and compute the softmax by hand.",),
)


find_the_shortcut = Choice(
    topic=TOPIC,
    name="find_the_shortcut",
    answer="a",
    replies={
        "a": "The brain is the same in both versions of the image, so every change of the answer comes from the marker.",
        "b": "The interval would become no narrower, and in any case it lies around a number that measures the wrong thing.",
        "c": "New patients of the same hospital carry the same marker for the same reason. The shortcut works there too.",
        "d": "Cross-validation splits the same hospital again and again: in every fold the marker goes with the disease.",
    },
    hints=("In which of the four does the marker no longer go together with the disease?",),
)
