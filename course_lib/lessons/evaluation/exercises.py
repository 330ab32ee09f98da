"""Exercises of the lesson on evaluation."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, progress

TOPIC = "evaluation"


# ---- accuracy_trap ------------------------------------------------------------------------------

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


# ---- sensitivity_specificity --------------------------------------------------------------------


def _sensitivity_specificity(truth, guess):
    ill, called_ill = truth == 1, guess == 1
    sensitivity = (ill & called_ill).sum() / ill.sum()  # of the ill, how many are found
    specificity = (~ill & ~called_ill).sum() / (~ill).sum()  # of the healthy, how many are left in peace
    return sensitivity, specificity


def _sensitivity_specificity_by_means(truth, guess):
    return guess[truth == 1].mean(), 1 - guess[truth == 0].mean()


def _sensitivity_specificity_inputs():
    rng = np.random.default_rng(0)
    return [
        (np.array([1, 1, 1, 0, 0, 0, 0, 0]), np.array([1, 1, 0, 0, 0, 0, 0, 1])),
        ((rng.random(40) < 0.3).astype(int), (rng.random(40) < 0.6).astype(int)),
    ]


def _rates(truth, guess):
    """TP, FN, FP, TN as floats."""
    return [float(((truth == t) & (guess == g)).sum()) for t, g in ((1, 1), (1, 0), (0, 1), (0, 0))]


def _with_rates(formula):
    return lambda truth, guess: formula(*_rates(truth, guess))


sensitivity_specificity = Coding(
    topic=TOPIC,
    name="sensitivity_specificity",
    reference=_sensitivity_specificity,
    also_correct=(_sensitivity_specificity_by_means,),
    inputs=_sensitivity_specificity_inputs,
    mistakes=(
        Mistake(
            _with_rates(lambda tp, fn, fp, tn: (tn / (tn + fp), tp / (tp + fn))),
            "You return them the wrong way round: the sensitivity, about the ill, comes first.",
        ),
        Mistake(
            _with_rates(lambda tp, fn, fp, tn: (tp / (tp + fp), tn / (tn + fn))),
            "You divide by how many were *called* ill or healthy. That gives the predictive values. Divide by how many "
            "*are* ill, or healthy.",
        ),
        Mistake(
            _with_rates(lambda tp, fn, fp, tn: (tp / (tp + fp), tn / (tn + fp))),
            "Your first value is the precision: it asks how many of those called ill are ill. Sensitivity starts from "
            "those who are ill.",
        ),
        Mistake(
            _with_rates(lambda tp, fn, fp, tn: (tp / (tp + fn), fp / (tn + fp))),
            "Your second value is the share of the healthy who are called ill, the false positive rate. Specificity "
            "counts the others.",
        ),
        Mistake(
            _with_rates(lambda tp, fn, fp, tn: (tp / (tp + fn + fp + tn), tn / (tp + fn + fp + tn))),
            "You divide by everybody. Each of the two looks at one group only: the ill, or the healthy.",
        ),
    ),
    hints=(
        "Both are shares of a group that is defined by the truth, never by the answer.",
        "`truth == 1` picks the ill. How many of them does `guess` call ill?",
        "`guess[truth == 1]` are the answers about the ill; do the same with 0, and mind what is counted.",
    ),
    why="These two do not depend on how many of the tested are ill, which is why they can travel between clinics.",
)


# ---- macro_f1 -----------------------------------------------------------------------------------


def _macro_f1(confusion):
    hits = np.diag(confusion)
    truly, called = confusion.sum(axis=1), confusion.sum(axis=0)  # rows are the truth, columns the answers
    return np.mean(2 * hits / (truly + called))  # twice the hits over everybody who is, or is called, of the class


def _macro_f1_by_rates(confusion):
    scores = []
    for k in range(len(confusion)):
        recall = confusion[k, k] / max(confusion[k].sum(), 1)
        precision = confusion[k, k] / max(confusion[:, k].sum(), 1)
        scores.append(2 * precision * recall / max(precision + recall, 1e-12))
    return sum(scores) / len(scores)


def _macro_f1_inputs():
    return [
        (np.array([[8, 2], [1, 9]]),),
        (np.array([[50, 3, 2], [4, 6, 0], [1, 2, 2]]),),
        (np.array([[40, 0, 5, 1], [6, 9, 0, 3], [2, 2, 20, 8], [0, 1, 7, 3]]),),
    ]


def _f1_parts(confusion):
    hits = np.diag(confusion)
    recall, precision = hits / confusion.sum(axis=1), hits / confusion.sum(axis=0)
    return recall, precision, 2 * precision * recall / (precision + recall)


def _f1_weighted(confusion):
    return np.average(_f1_parts(confusion)[2], weights=confusion.sum(axis=1))


def _f1_of_means(confusion):
    recall, precision, _ = _f1_parts(confusion)
    return 2 * recall.mean() * precision.mean() / (recall.mean() + precision.mean())


def _f1_arithmetic(confusion):
    recall, precision, _ = _f1_parts(confusion)
    return ((recall + precision) / 2).mean()


macro_f1 = Coding(
    topic=TOPIC,
    name="macro_f1",
    reference=_macro_f1,
    also_correct=(_macro_f1_by_rates,),
    inputs=_macro_f1_inputs,
    mistakes=(
        Mistake(
            lambda confusion: np.trace(confusion) / confusion.sum(),
            "This is the accuracy, which is also the micro F1. Macro means: one F1 for each class first, then a mean.",
        ),
        Mistake(
            _f1_weighted,
            "You weigh the classes by their size: that is the weighted F1. In the macro F1 a rare class counts as much "
            "as a frequent one.",
        ),
        Mistake(
            _f1_of_means,
            "You average precision and recall over the classes first, and combine them at the end. Combine them within "
            "each class, then average.",
        ),
        Mistake(
            _f1_arithmetic,
            "Within a class you take the ordinary mean of precision and recall. F1 is their harmonic mean.",
        ),
        Mistake(
            lambda confusion: _f1_parts(confusion)[0].mean(),
            "This is the mean recall (balanced accuracy): false alarms do not count in it yet.",
        ),
        Mistake(
            lambda confusion: _f1_parts(confusion)[2],
            "These are the F1 of the single classes, and they are right. Now one number: their mean.",
        ),
    ),
    hints=(
        "The diagonal holds the hits of each class. Sums along one axis give how many there truly are, along the other "
        "how many were called so.",
        "For each class: recall is hits / row sum, precision is hits / column sum.",
        "F1 of a class is the harmonic mean 2 P R / (P + R). In the end, average over classes.",
    ),
    why="Macro F1 does not let a frequent class hide a rare one, and in medicine the rare class is often the point.",
)


# ---- who_is_drawn -------------------------------------------------------------------------------

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


# ---- area_under_roc -----------------------------------------------------------------------------


def _area_under_roc(truth, score):
    ill, healthy = score[truth == 1], score[truth == 0]
    above = ill[:, None] > healthy[None, :]  # every ill patient against every healthy one
    ties = ill[:, None] == healthy[None, :]
    return above.mean() + ties.mean() / 2


def _area_under_roc_by_loops(truth, score):
    wins = [(a > b) + 0.5 * (a == b) for a in score[truth == 1] for b in score[truth == 0]]
    return float(np.mean(wins))


def _area_under_roc_inputs():
    rng = np.random.default_rng(3)
    truth = (rng.random(30) < 0.4).astype(int)
    return [
        (np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])),
        (truth, np.round(rng.normal(size=30) + truth, 1)),
        (np.array([0, 0, 0, 1, 1]), np.array([0.2, 0.5, 0.5, 0.5, 0.9])),
    ]


def _pairs(truth, score):
    return score[truth == 1][:, None], score[truth == 0][None, :]


def _auc_without_ties(truth, score):
    ill, healthy = _pairs(truth, score)
    return (ill > healthy).mean()


def _auc_with_full_ties(truth, score):
    ill, healthy = _pairs(truth, score)
    return (ill >= healthy).mean()


def _auc_turned(truth, score):
    return 1 - _area_under_roc(truth, score)


def _auc_paired_in_order(truth, score):
    ill, healthy = score[truth == 1], score[truth == 0]
    n = min(len(ill), len(healthy))
    return (ill[:n] > healthy[:n]).mean()


area_under_roc = Coding(
    topic=TOPIC,
    name="area_under_roc",
    reference=_area_under_roc,
    also_correct=(_area_under_roc_by_loops,),
    inputs=_area_under_roc_inputs,
    mistakes=(
        Mistake(_auc_without_ties, "Pairs with equal scores are neither won nor lost: count them half."),
        Mistake(_auc_with_full_ties, "You count a pair with equal scores as won. Count it half."),
        Mistake(_auc_turned, "You count the pairs in which the *healthy* one has the higher score."),
        Mistake(
            lambda truth, score: ((score >= 0.5) == (truth == 1)).mean(),
            "This is the accuracy at the threshold 0.5. The AUC needs no threshold: it only compares scores in pairs.",
        ),
        Mistake(
            _auc_paired_in_order,
            "You compare the first ill with the first healthy, the second with the second, and so on. Compare every ill "
            "one with every healthy one.",
        ),
    ),
    hints=(
        "Split the scores in two: those of the ill and those of the healthy.",
        "Two loops, or `a[:, None]` against `b[None, :]`, give all pairs.",
        "A pair is won (1) if the ill one scores higher, undecided (a half) if both are equal; then the mean.",
    ),
    why="The AUC knows nothing of thresholds or probabilities: it is about order alone.",
)


# ---- choose_threshold ---------------------------------------------------------------------------


def _highest_threshold(truth, score, share):
    """The highest of the scores at which at least this share of the ill is found."""
    return max(t for t in score if (score[truth == 1] >= t).mean() >= share)


def _choose_threshold(val_truth, val_score, test_truth, test_score):
    ill = val_score[val_truth == 1]  # the test patients are not looked at
    found = [(ill >= threshold).mean() for threshold in ill]
    return max(threshold for threshold, share in zip(ill, found, strict=True) if share >= 0.9)


def _choose_threshold_by_sorting(val_truth, val_score, test_truth, test_score):
    ill = np.sort(val_score[val_truth == 1])[::-1]
    return ill[int(np.ceil(0.9 * len(ill) - 1e-9)) - 1]


def _choose_threshold_inputs():
    rng = np.random.default_rng(5)
    inputs = []
    for n in (40, 61, 90):
        truth = (rng.random((2, n)) < 0.5).astype(int)
        score = 1 / (1 + np.exp(-rng.normal(1.5 * truth - 0.7, 1)))
        inputs.append((truth[0], score[0], truth[1], score[1]))
    return inputs


def _threshold_on_both(val_truth, val_score, test_truth, test_score):
    truth, score = np.concatenate([val_truth, test_truth]), np.concatenate([val_score, test_score])
    return _highest_threshold(truth, score, 0.9)


def _threshold_for_specificity(val_truth, val_score, test_truth, test_score):
    return min(t for t in val_score if (val_score[val_truth == 0] < t).mean() >= 0.9)


def _threshold_for_accuracy(val_truth, val_score, test_truth, test_score):
    right = [((val_score >= t) == (val_truth == 1)).mean() for t in val_score]
    return val_score[int(np.argmax(right))]


choose_threshold = Coding(
    topic=TOPIC,
    name="choose_threshold",
    reference=_choose_threshold,
    also_correct=(_choose_threshold_by_sorting,),
    inputs=_choose_threshold_inputs,
    mistakes=(
        Mistake(
            lambda val_truth, val_score, test_truth, test_score: _highest_threshold(test_truth, test_score, 0.9),
            "You chose the threshold on the test patients. Then the test no longer measures anything new: the promised "
            "sensitivity is met there by construction.",
        ),
        Mistake(
            _threshold_on_both,
            "You pooled validation and test. The test patients must not take part in the choice, not even a little.",
        ),
        Mistake(
            lambda val_truth, val_score, test_truth, test_score: val_score[val_truth == 1].min(),
            "Your threshold finds every ill patient of the validation set. It may be higher, and spare more of the "
            "healthy.",
        ),
        Mistake(
            _threshold_for_specificity,
            "You reach the wanted share among the healthy: that is the specificity. The task asks for the sensitivity.",
        ),
        Mistake(
            _threshold_for_accuracy,
            "You maximise the accuracy. The task asks for a sensitivity: missing an illness costs more than a false "
            "alarm.",
        ),
        Mistake(
            lambda val_truth, val_score, test_truth, test_score: 0.5,
            "0.5 is a habit, not a choice: nothing says that this threshold reaches the wanted sensitivity.",
        ),
    ),
    hints=(
        "Of the four arguments you need two only. Which?",
        "It is enough to try the scores of the ill as thresholds: between two of them the sensitivity does not change.",
        "For each such threshold compute the share of the ill with a score at or above it. Keep those that reach 0.9; "
        "return the highest.",
    ),
    why="Chosen on validation and frozen, the threshold meets patients it has never seen, as it will in a clinic.",
)


# ---- ppv ----------------------------------------------------------------------------------------


def _ppv(sensitivity, specificity, prevalence):
    true_alarms = sensitivity * prevalence  # as shares of everybody who is tested
    false_alarms = (1 - specificity) * (1 - prevalence)
    return true_alarms / (true_alarms + false_alarms)


def _ppv_by_odds(sensitivity, specificity, prevalence):
    odds = sensitivity / (1 - specificity) * prevalence / (1 - prevalence)
    return odds / (1 + odds)


ppv = Coding(
    topic=TOPIC,
    name="ppv",
    reference=_ppv,
    also_correct=(_ppv_by_odds,),
    inputs=lambda: [(0.9, 0.9, 0.5), (0.95, 0.8, 0.02), (0.6, 0.99, 0.1)],
    mistakes=(
        Mistake(
            lambda sensitivity, specificity, prevalence: sensitivity / (sensitivity + 1 - specificity),
            "You did not use the prevalence, so this is right only if half of the tested are ill.",
        ),
        Mistake(
            lambda sensitivity, specificity, prevalence: (
                sensitivity * prevalence / (sensitivity * prevalence + specificity * (1 - prevalence))
            ),
            "In the denominator you count the healthy who are rightly called healthy. Which healthy people get an alarm?",
        ),
        Mistake(
            lambda sensitivity, specificity, prevalence: (
                specificity * (1 - prevalence) / (specificity * (1 - prevalence) + (1 - sensitivity) * prevalence)
            ),
            "This is the negative predictive value: how sure one can be after a *negative* answer.",
        ),
        Mistake(
            lambda sensitivity, specificity, prevalence: sensitivity * prevalence,
            "This is the share of true alarms among everybody. Divide it by all alarms.",
        ),
        Mistake(
            lambda sensitivity, specificity, prevalence: (
                sensitivity * prevalence / (sensitivity * prevalence + (1 - specificity))
            ),
            "The false alarms come from the healthy only: weigh them by the share of the healthy.",
        ),
    ),
    hints=(
        "Imagine 1,000 people. How many are ill, and how many of them get an alarm?",
        "How many of the healthy get an alarm, although they should not?",
        "The predictive value is the share of the true alarms among all alarms.",
    ),
    why="A test is not good or bad by itself: who is tested decides what a positive answer means.",
)


# ---- temperature_changes ------------------------------------------------------------------------

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


# ---- find_the_shortcut --------------------------------------------------------------------------

find_the_shortcut = Choice(
    topic=TOPIC,
    name="find_the_shortcut",
    answer="c",
    replies={
        "a": "New patients of the same hospital carry the same marker for the same reason. The shortcut works there too.",
        "b": "A narrower interval around a number that measures the wrong thing.",
        "c": "The brain is the same in both versions of the image, so every change of the answer comes from the marker.",
        "d": "Cross-validation splits the same hospital again and again: in every fold the marker goes with the disease.",
    },
    hints=("In which of the four does the marker no longer go together with the disease?",),
)
