"""The explorer of the lesson from clips to sequences."""

import functools

import numpy as np
from matplotlib.patches import Rectangle

from course_lib import plot, sequences
from course_lib.data import sample
from course_lib.data.echo_cine import FRAMES_PER_SECOND, simulate_patient
from course_lib.explorers import Explorer, choice, slider
from course_lib.lessons.clips_to_sequences.model import find_sector

REAL, REGULAR, IRREGULAR = "real (1 s)", "simulated, regular (4 s)", "simulated, irregular (4 s)"
FEATURES = ("mean", "variance", "90th percentile", "contrast", "joint entropy", "motion")


@functools.cache
def _clip(name):
    """The clip (t, h, w), seconds between its frames, and its features (t, …) with their names."""
    if name == REAL:
        grey = sample("echo").image.mean(axis=-1)
        clip, step = np.where(find_sector(grey), grey, 0)[:, 20:210, 75:265], 1 / 30
    else:
        bytes_, _ = simulate_patient(int(name == IRREGULAR), (0, 0, 3))
        clip, step = bytes_ / np.float32(255), 1 / FRAMES_PER_SECOND
    return clip, step, *sequences.frame_features(clip)


def scrub() -> Explorer:
    """Scrub through a clip and cut it into windows: one feature over time, and its mean over each segment."""
    return Explorer(
        _draw_scrub,
        {
            "clip": choice("Clip", [REAL, REGULAR, IRREGULAR], IRREGULAR),
            "feature": choice("Feature", FEATURES),
            "now": slider("Frame", 0, 47, 14),
            "length": slider("Window length (frames)", 1, 48, 12),
            "stride": slider("Stride (frames)", 1, 24, 6),
            "padding": choice("Padding", sequences.PADDINGS),
        },
        alt="Left: one frame of an echocardiogram. Right, above: a feature over time, with a dot at that frame and a "
        "horizontal bar for the mean over each segment. Right, below: the segments as bars, those with the frame darker.",
        caption="A clip, cut. Left: the frame you are at. Right: the feature of every frame (line), its mean over each "
        "segment (bars), and below where the segments lie; dark ones contain the frame, hatched parts are padded.",
        size=(10, 4.2),
    )


def _draw_scrub(figure, clip, feature, now, length, stride, padding):
    frames, step, values, names = _clip(clip)
    curve = values[:, names.index(feature)]
    now = min(now, len(frames) - 1)
    cut = sequences.windows(curve, length, stride=stride, padding=padding)
    inside = (cut.starts <= now) & (now < cut.starts + length)

    spaces = figure.add_gridspec(2, 2, width_ratios=[1, 1.9], height_ratios=[1.6, 1])
    picture, above = figure.add_subplot(spaces[:, 0]), figure.add_subplot(spaces[0, 1])
    below = figure.add_subplot(spaces[1, 1], sharex=above)
    kind = "real" if clip == REAL else "simulated"
    plot.image(picture, frames[now], f"{kind}: frame {now}, {now * step:.2f} s", window=(0, frames.max()))

    end = max(len(frames), (cut.starts[-1] + length) if len(cut.starts) else 0)
    above.plot(np.arange(len(frames)) + 0.5, curve, ".-", color="0.45", lw=1, ms=4)
    for start, segment, is_in in zip(cut.starts, cut.segments, inside, strict=True):
        colour = plot.COLOURS["blue" if is_in else "sky"]
        above.hlines(segment.mean(), start, start + length, color=colour, lw=2.5 if is_in else 1.5)
    above.plot(now + 0.5, curve[now], "o", color=plot.COLOURS["vermilion"], ms=8)
    unit = " (bits)" if feature == "joint entropy" else ""
    above.set(title=f"{feature}{unit}", xlim=(0, end))
    above.tick_params(labelbottom=False)

    lanes = max(1, min(-(-length // stride), len(cut.starts)))  # so many windows overlap at one time
    for number, (start, valid, is_in) in enumerate(zip(cut.starts, cut.valid.sum(axis=1), inside, strict=True)):
        lane = -(number % lanes)
        style = {"fc": plot.COLOURS["blue" if is_in else "sky"], "ec": "white", "lw": 0.8}
        below.add_patch(Rectangle((start, lane - 0.45), valid, 0.9, **style))
        if valid < length:
            below.add_patch(
                Rectangle((start + valid, lane - 0.45), length - valid, 0.9, fill=False, hatch="////", ec="0.5")
            )
    below.axvline(now + 0.5, color=plot.COLOURS["vermilion"], lw=1.2)
    count = "1 segment" if len(cut.starts) == 1 else f"{len(cut.starts)} segments"
    words = f"{count} of {length * step:.2f} s; this frame is in {inside.sum()}"
    below.set(ylim=(0.6 - lanes, 0.6), yticks=[], xlabel="frame", title=words)
