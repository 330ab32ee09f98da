"""Explorers of the lesson on a model in use. TensorFlow is imported when the first picture is drawn."""

import functools
import html
import textwrap

import ipywidgets as widgets
import numpy as np

from course_lib import data, ops, plot, results
from course_lib.explorers import Explorer, choice, rows, slider
from course_lib.images import simulate_scanner
from course_lib.lessons.explanations.model import largest_slices
from course_lib.lessons.in_use import model as lesson
from course_lib.lessons.in_use import monitoring, serve

# ---- The demo page -------------------------------------------------------------------------------


def demo_page() -> Explorer:
    """An image in; probability, calibration and explanation out, or a refusal with its reason."""
    return Explorer(
        _draw_demo_page,
        {"file": choice("File", lesson.demo_files(), value=lesson.demo_files()[1][1])},
        alt="A page with three panels: the picture in the chosen file, the same with a Grad-CAM map over it, and the "
        "calibrated probability of each class. Above, the answer in words and the warning: not a medical device.",
        caption="The demo page, here with a simulated mass. For teaching only: not a medical device. In JupyterLab the list "
        "above it offers other files, and a button takes one of yours; what cannot be answered is refused, with the reason.",
        size=(10, 4.1),
        layout=_page_layout,
    )


def _page_layout(explorer):
    files, said = explorer.controls["file"], widgets.HTML()
    upload = widgets.FileUpload(
        accept=".png,.jpg,.jpeg,.dcm",
        description="A file of yours",
        tooltip="PNG, JPEG or DICOM; it stays on this machine",
        layout={"width": "220px"},
    )

    def take(_change):
        for name, content in _uploaded(upload.value):
            files.options = (*files.options, (f"yours: {name[:40]}", content))
            files.value = content

    def say(_change=None):
        said.value = f'<p role="status">{html.escape(_words(files.value))}</p>'

    upload.observe(take, "value")
    files.observe(say, "value")
    say()
    return widgets.VBox([rows(files, upload), said])


def _uploaded(value):
    """Pairs (name, bytes) of what a FileUpload holds: a tuple of dicts, or in ipywidgets 7.7 a dict by name."""
    if isinstance(value, dict):
        return [(name, bytes(file["content"])) for name, file in value.items()]
    return [(file["name"], bytes(file["content"])) for file in value]


def _draw_demo_page(figure, file):
    picture, result = _answer(file)
    figure.suptitle(textwrap.fill(_words(file), 95) + f"\n{serve.WARNING}", fontsize=10.5)
    left, middle, right = figure.subplots(1, 3, width_ratios=[1, 1, 1.15])
    if picture is None:
        left.text(0.5, 0.5, "no picture", ha="center", va="center", transform=left.transAxes)
        left.set_axis_off()
    else:
        plot.image(left, picture, "what the model is given\n", window=(0, 1))
    if isinstance(result, serve.Answer):
        names = lesson.release().card["classes"]
        count, share = result.like_this
        likeliest = names[int(result.probability.argmax())]
        plot.overlay(middle, picture, result.heat, f"Grad-CAM for “{likeliest}”,\nwhich may mislead (lesson 11)")
        places = np.arange(len(names))
        right.barh(places, result.probability, color=plot.COLOURS["blue"])
        right.set_yticks(places, [name.replace(" ", "\n") for name in names])
        right.set(xlim=(0, 1), ylim=(len(names) - 0.4, -0.6), xlabel="calibrated probability")
        right.set_title(f"answers this sure were right in {share:.0%}\nof {count} validation images")
    else:
        middle.set_axis_off()
        right.set_axis_off()
        middle.text(0.5, 0.5, "refused: no answer", ha="center", va="center", transform=middle.transAxes, fontsize=13)


def _words(file):
    """The answer about a file in a sentence or two."""
    _, result = _answer(file)
    if isinstance(result, serve.Refusal):
        return f"No answer. {result}"
    verdict = "A lesion is suspected" if result.found else "No lesion is suspected"
    card = lesson.release().card
    return (
        f"{verdict}: probability of any lesion {result.lesion:.2f}, threshold {card['threshold']:.2f}. Distance from known "
        f"images {result.distance:.1f} (up to {card['largest_distance']:.1f} is answered)."
    )


@functools.lru_cache(maxsize=64)
def _answer(file):
    """The picture in a file (size, size) or None, and the Answer or Refusal."""
    picture = None
    try:
        image = serve.read_image(file, lesson.release().card["input"])
        picture = image[0, ..., 0]
        return picture, serve.answer(lesson.release(), image)
    except serve.Refusal as refusal:
        return picture, refusal


# ---- Another scanner -----------------------------------------------------------------------------

_PER_CLASS = 20


def another_scanner() -> Explorer:
    """Move the scanner away from the one of the training, and watch accuracy, confidence and refusals."""
    return Explorer(
        _draw_another_scanner,
        {
            "noise": slider("Noise σ", 0.0, 0.1, 0.02, step=0.01),
            "gamma": slider("Contrast: gamma", 0.5, 2.0, 1.0, step=0.05),
            "blur": slider("Blur: full width in pixels", 0.0, 5.0, 1.5, step=0.25),
        },
        alt="Left: a brain slice, as it is and as the other scanner shows it. Middle: bars of accuracy, mean confidence and "
        "share refused, for the known and the other scanner. Right: histograms of the distance from known images for both, "
        "with the limit beyond which images are refused.",
        caption="Simulated lesions, simulated scanners; 80 test slices of as many patients, so an accuracy here is good to "
        "about ±0.1. The limit was chosen on validation patients of the known scanner.",
        size=(11, 3.7),
    )


def _draw_another_scanner(figure, noise, gamma, blur):
    images, _ = _slices()
    changed, known, other = judged(noise, gamma, blur)[0], judged()[1:], judged(noise, gamma, blur)[1:]
    before, after, bars, distances = figure.subplots(1, 4, width_ratios=[1, 1, 1.25, 1.7])
    place = _PER_CLASS + 3
    plot.image(before, images[place, ..., 0], "a slice with a mass,\nas it is", window=(0, 1))
    plot.image(after, changed[place, ..., 0], "\non the other scanner", window=(0, 1))
    edges = np.geomspace(3, 150, 45)
    for offset, values, colour, name in ((-0.2, known, "sky", "known"), (0.2, other, "vermilion", "other")):
        bars.bar(np.arange(3) + offset, values[:3], 0.38, color=plot.COLOURS[colour], label=name)
        count, _ = np.histogram(np.clip(values[3], edges[0], edges[-1]), edges)
        distances.stairs(count, edges, fill=True, color=plot.COLOURS[colour], alpha=0.65)
    bars.set_xticks(range(3), ["accuracy", "mean\nconfidence", "refused"], fontsize=9)
    bars.set(ylim=(0, 1.28), yticks=[0, 0.5, 1])
    bars.legend(ncols=2, loc="upper center", fontsize=8)
    limit = lesson.release().card["largest_distance"]
    distances.axvline(limit, color="black", lw=1.5)
    distances.text(limit * 1.1, 0.93, "refused →", transform=distances.get_xaxis_transform(), in_layout=False)
    distances.set(xscale="log", xlabel="distance from known images", ylabel="slices", ylim=(0, 42))


@functools.cache
def _slices():
    """One slice (the one with the largest lesion) of each of 20 test patients of each class: images, labels."""
    test = data.load("brain-lesions").test
    chosen = largest_slices(test, range(4), slice(_PER_CLASS))
    return test.x[chosen], test.targets["label"][chosen]


@functools.lru_cache(maxsize=16)
def judged(noise=0.0, gamma=1.0, blur=0.0):
    """The slices on another scanner; of them accuracy, mean largest probability, share refused, and the distances (n,)."""
    (images, label), release = _slices(), lesson.release()
    changed = simulate_scanner(images, noise=noise, gamma=gamma, blur=blur)
    logits, features = serve.look(release.model, changed)
    probability, distance = (
        ops.softmax(logits / release.card["temperature"]),
        release.familiar.distance(features["early"]),
    )
    refused = distance > release.card["largest_distance"]
    return changed, (probability.argmax(1) == label).mean(), probability.max(1).mean(), refused.mean(), distance


# ---- Monitoring ----------------------------------------------------------------------------------

CHANGES = {"nothing changes": 0, "a quarter": 1, "half": 2, "three quarters": 3, "all of it": 4}
_DAYS, _CHANGE = 60, 30


def watch() -> Explorer:
    """A clinic whose scanner changes on day 31: when does the alarm ring, and how often for nothing?"""
    return Explorer(
        _draw_watch,
        {
            "change": choice("The scanner changes by", CHANGES, "a quarter"),
            "patients": slider("Patients a day", 2, 40, 16),
            "limit": slider("Alarm when the sum exceeds", 1.0, 20.0, 12.0, step=0.5),
        },
        alt="Left: daily mean of the log distance over 60 days, with the day of the change. Middle: the cumulative sum of the "
        "same days, with the alarm limit. Right: a histogram of the day of the first alarm over 400 simulated clinics.",
        caption="Left and middle: one simulated clinic, its scanner changed from day 31 on (dotted). Right: 400 such clinics. "
        "Alarms before the change are false. Distances are stored (model of seed 0); the sum is in standard deviations of a day.",
        size=(11, 3.6),
    )


def _draw_watch(figure, change, patients, limit):
    means, reference, spread = _streams(CHANGES[change], patients)
    sums = monitoring.cusum((means - reference) / spread, reference=0, slack=0.5)
    first = monitoring.first_alarm(sums, limit)
    days = np.arange(1, _DAYS + 1)
    left, middle, right = figure.subplots(1, 3)
    left.plot(days, means[0], ".-", lw=1)
    left.axhline(reference, color="0.6", lw=1)
    left.set(ylabel="mean log distance", title="one clinic, day by day")
    middle.plot(days, sums[0])
    middle.axhline(limit, color=plot.COLOURS["vermilion"], lw=1.5)
    rings = f"first alarm on day {first[0]:.0f}" if np.isfinite(first[0]) else "no alarm"
    middle.set(ylabel="cumulative sum S", title=f"piled up:\n{rings}", ylim=(0, None))
    right.hist(first[np.isfinite(first)], np.arange(0.5, _DAYS + 1), color=plot.COLOURS["blue"])
    false, late = (first <= _CHANGE).mean(), ((first > _CHANGE) & np.isfinite(first)).mean()
    right.set(
        title=f"before the change {false:.0%}\nafter it {late:.0%}, never {1 - false - late:.0%}", ylabel="clinics"
    )
    for ax in (left, middle, right):
        ax.axvline(_CHANGE + 0.5, color="black", ls=":", lw=1.2)
        ax.set(xlabel="day", xlim=(0, _DAYS + 1))


@functools.lru_cache(maxsize=32)
def _streams(change, patients):
    """Daily means of 400 clinics, (400, days), and mean and standard deviation of a day of validation patients."""
    stored = results.arrays("in_use/scanners", 0)

    def days(score, groups, number, seed):
        return monitoring.daily_means(np.log(score), groups, patients, number, repeats=400, seed=seed)

    known = days(stored["val"], stored["val_groups"], _DAYS, 0)
    before, after = (days(stored["test"][k], stored["test_groups"], _CHANGE, seed) for seed, k in ((1, 0), (2, change)))
    return np.concatenate([before, after], 1), known.mean(), known.std()
