"""Explorers of the lesson on evaluation."""

import functools

import numpy as np

from course_lib import evaluate, ops, plot, results
from course_lib.explorers import Explorer, choice, slider

DISEASES = {"any lesion": None, "mass": 1, "white-matter lesions": 2, "infarct": 3}


@functools.cache
def _stored_scores(disease):
    """Truth (n,) and probability of the disease (n,) on the test slices, from the network stored as seed 0."""
    stored = results.arrays("evaluation/cnn", 0)
    label, logits = stored["test_label"], stored["test"].astype(float)
    probability = ops.softmax(logits)
    if DISEASES[disease] is None:
        return label > 0, 1 - probability[:, 0]
    return label == DISEASES[disease], probability[:, DISEASES[disease]]


@functools.cache
def _rates(disease):
    """Sensitivity and false positive rate at every threshold, from the highest to the lowest: arrays (n + 1,)."""
    truth, score = _stored_scores(disease)
    order = np.argsort(-score)
    sensitivity = np.concatenate([[0], np.cumsum(truth[order]) / truth.sum()])
    return sensitivity, np.concatenate([[0], np.cumsum(~truth[order]) / (~truth).sum()])


def threshold_and_prevalence() -> Explorer:
    """One network, one threshold, 1,000 slices: what do its answers mean?"""
    return Explorer(
        _draw_threshold_and_prevalence,
        {
            "disease": choice("What is looked for", DISEASES),
            "threshold": slider("Threshold on the probability", 0.0, 1.0, 0.5, step=0.01),
            "prevalence": slider("Ill among those tested (%)", 0.5, 75.0, 25.0, step=0.5),
        },
        alt="Four panels: histograms of the network's probability for ill and healthy slices with the threshold; a table "
        "of 1,000 slices; the ROC curve and the precision-recall curve, each with the point of the threshold.",
        caption="Stored test scores of the small CNN (simulated lesions). The first and third panel belong to the network "
        "alone. The table of 1,000 slices and the precision-recall curve depend on who is tested.",
        size=(11.5, 3.7),
    )


def _draw_threshold_and_prevalence(figure, disease, threshold, prevalence):
    truth, score = _stored_scores(disease)
    share = prevalence / 100
    sensitivity, false_positive_rate = _rates(disease)
    called = score >= threshold
    found, spared = called[truth].mean(), evaluate.specificity(truth, called)
    ppv, npv = evaluate.predictive_values(found, spared, share)

    scores, people, roc, recall = figure.subplots(1, 4, width_ratios=[1.15, 1, 1, 1])
    for group, name, colour in ((~truth, "healthy", "sky"), (truth, "ill", "orange")):
        count, edges = np.histogram(score[group], 20, (0, 1))
        scores.stairs(count / group.sum(), edges, fill=True, color=plot.COLOURS[colour], alpha=0.65, label=name)
    scores.axvline(threshold, color="black", lw=1.5)
    scores.set(
        xlim=(-0.02, 1.02), xlabel="probability given", ylabel="share of the slices", title="scores and threshold"
    )
    scores.legend(fontsize=8, loc="upper center", frameon=True, framealpha=1, edgecolor="none")  # over the line

    table = 1000 * np.array([[found * share, (1 - found) * share], [(1 - spared) * (1 - share), spared * (1 - share)]])
    shown = [f"{value:.0%}" if np.isfinite(value) else "–" for value in (ppv, npv)]
    plot.numbers(people, table, f"1,000 slices tested\nPPV {shown[0]}, NPV {shown[1]}", format=".0f", limit=1000)
    people.set_xticks([0, 1], ["called ill", "called\nhealthy"])
    people.set_yticks([0, 1], ["ill", "healthy"])
    people.tick_params(length=0)

    roc.plot(false_positive_rate, sensitivity)
    roc.plot([0, 1], [0, 1], ":", color="0.6", lw=1)
    roc.plot(1 - spared, found, "o", ms=8, color=plot.COLOURS["vermilion"])
    roc.set(
        xlabel="1 − specificity", ylabel="sensitivity", title=f"ROC: sensitivity {found:.2f}\nspecificity {spared:.2f}"
    )

    precision, _ = evaluate.predictive_values(sensitivity[1:], 1 - false_positive_rate[1:], share)
    recall.plot(sensitivity[1:], precision)
    recall.axhline(share, ls=":", color="0.6", lw=1)
    if np.isfinite(ppv):
        recall.plot(found, ppv, "o", ms=8, color=plot.COLOURS["vermilion"])
    recall.set(xlabel="sensitivity (recall)", ylabel="precision (PPV)", title="precision and recall")
    for ax in (roc, recall):
        ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
