# %% tags=["anywhere", "hide-input"] jupyter={"source_hidden": true}
# Does nothing where course_lib is installed.
import importlib.util

if importlib.util.find_spec("course_lib") is None:
    raise SystemExit("This notebook needs course_lib: see 'Two commands' in the course's README.")

# %% [markdown] tags=["slide"]
# # 12 · From clips to sequences
#
# **How does a moving image become a sequence that a network can read?**
#
# After this lesson you can
# - open a clip, remove what is burnt into it, play it, and draw its motion along a line;
# - say what a short clip at a low frame rate can and cannot tell about a heart;
# - cut clips into segments of fixed length, and say which label such a segment deserves;
# - describe frames by intensity, texture and motion, and measure a baseline that a recurrent network (lesson 13) has to beat.
#
# | | |
# |---|---|
# | You need | [05](05_medical_images.ipynb) for DICOM and the split by patient, [10](10_evaluation.ipynb) for intervals. No calculus. |
# | Time | about MINUTES minutes to read and solve; the cells run in less than 60 seconds |
# | Data | one **real** echocardiogram of a second (pydicom); `echo-cine`, whose motion is **simulated** on its frames. Numbers about the latter are no numbers about patients. |
# | Without code | sections 1 to 4, 7, 8 and the summary: 30 minutes |

# %%
import dataclasses

import matplotlib.pyplot as plt
import numpy as np
from pydicom import dcmread, examples
from scipy import ndimage, stats
from skimage.feature import graycomatrix, graycoprops
from sklearn.neighbors import KNeighborsClassifier

from course_lib import claims, data, evaluate, plot, results, sequences
from course_lib.claims import claim, exchange, moved, said
from course_lib.data import echo_cine
from course_lib.lessons.clips_to_sequences import exercises, explorers
from course_lib.lessons.clips_to_sequences import model as lesson

# %% [markdown] tags=["term"]
# ## 1. A real clip
#
# The article, the anonymous Chinese text that this course follows, proposes recurrent networks for "video and dynamic images" (2.2). Here is one: an ultrasound clip of a beating
# heart. A clip is an array with time as its first axis, $x[t, i, j]$: frame $t$, row $i$, column $j$.

# %% tags=["nbval-check-output"]
echo = data.sample("echo")
header = dcmread(examples.get_path("ybr_color"), stop_before_pixels=True)
grey = echo.image.mean(axis=-1)  # the colours hold no Doppler signal, only coloured symbols
frame_seconds = float(header.FrameTime) / 1000
print(f"{grey.shape[0]} frames of {grey.shape[1]} × {grey.shape[2]} pixels, {frame_seconds:.4f} s apart")
print(f"heart rate in the header: {header.HeartRate} (not filled in)")
print(f"compressed with a loss, {header.LossyImageCompressionRatio}:1, and no view is named: {header.get('ViewName')}")
still = (np.diff(grey, axis=0) == 0).all(axis=(1, 2))
print("frames that repeat the one before, pixel by pixel:", np.flatnonzero(still) + 1)

# %% [markdown]
# There is no heart rate, and two frames are copies of the frame before. Such things are usual, and nobody announces them. So look before you compute.
#
# Letters, symbols and a depth scale are burnt into the pixels. A network would happily learn from them, because a hospital's
# screen layout is an easier clue than a heart. What is burnt in never changes, while the ultrasound picture always
# flickers. So we keep the largest connected region that changes, the **sector**, and cut the clip to it.

# %%
def find_sector(clip, threshold=1 / 255):
    """Pixels (h, w) of the largest connected region that changes over time."""
    regions, _ = ndimage.label(clip.std(axis=0) > threshold)
    largest = 1 + np.bincount(regions.ravel())[1:].argmax()  # region 0 is what does not change
    return ndimage.binary_fill_holes(regions == largest)


sector = find_sector(grey)
rows, columns = np.flatnonzero(sector.any(axis=1)), np.flatnonzero(sector.any(axis=0))
box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
clip, sector = np.where(sector, grey, 0)[:, *box], sector[box]
bright_and_still = (grey.std(axis=0) < 1 / 255) & (grey.mean(axis=0) > 10 / 255)
inside = (clip.std(axis=0) < 1 / 255) & (clip.mean(axis=0) > 10 / 255)
print(f"bright pixels that never change: {bright_and_still.sum()} before, {inside.sum()} after")

# %% tags=["hide-input"] jupyter={"source_hidden": true}
fig, axes = plt.subplots(1, 4, figsize=(11.5, 2.9))
plot.image(axes[0], grey[0], "as stored", window=(0, 0.5))
plot.image(axes[1], np.where(bright_and_still, grey[0], 0), "bright, and never changes", window=(0, 0.3))
plot.image(axes[2], grey[0, :48, :64], "its upper left corner", window=(0, 0.5))
plot.image(axes[3], clip[0], "the sector, cut out", window=(0, 0.5))
plot.show(
    fig,
    alt="An ultrasound frame with text at its borders; only the text, symbols and the bar of buttons; the upper left corner, where the letters PLA stand; the ultrasound sector alone, without text.",
    caption="A real echocardiogram, and what was burnt into it. The last picture is what we go on with.",
)

# %% [markdown]
# What are the letters at the upper left? A cardiologist may take them for a view, since the parasternal long axis is called PLAX. Ask the header:

# %% tags=["nbval-check-output"]
print(f"Patient's Name in the header: {header.PatientName}")
print(f"Patient ID in the header:     {header.PatientID}")

# %% [markdown]
# **The burnt-in letters are the patient's name**, as the header has it. A program that removes the name from the header leaves it in every frame of this clip, and nothing in the header says so: *Burned In Annotation* is not filled in. Comparing what is burnt in with what the header holds takes one line and finds it.
# Our rule removes what stands *beside* the picture. A name on top of it, or a clock that runs there, would pass it, so somebody has to look.
#
# Now the clip can move. Run the cell again to play it again.

# %%
plot.clip(
    clip[:, :, 40:],  # hardly anything is seen further left
    frame_ms=67,
    window=(0, 0.55),
    alt="A beating heart in an ultrasound sector: a dark oval cavity, wider below, with a bright flap that opens and closes in it, while the whole picture sways a little.",
    caption="The real clip at half its speed. It plays five times; where nothing moves you see the first frame, and the strip below tells the story.",
)

# %% tags=["hide-input"] jupyter={"source_hidden": true}
fig, axes = plt.subplots(1, 6, figsize=(11, 2.2))
for ax, t in zip(axes, [0, 4, 9, 15, 19, 28]):
    plot.image(ax, clip[t, :, 40:], f"frame {t}, {t * frame_seconds:.2f} s", window=(0, 0.55))
plot.show(
    fig,
    alt="Six frames. At 0.00 and 0.13 seconds a bright flap closes the cavity; at 0.30 it is gone and the cavity is wide; at 0.50 it lies half closed; at 0.63 it is open again; at 0.93 it is closed.",
    caption="Six of the 30 frames. By its looks this is an apical view of the left ventricle (the upper dark oval), with the mitral valve as the bright flap at its lower end. The header does not say so; it is our reading.",
)

# %% [markdown] tags=["term"]
# ## 2. One line over time: M-mode
#
# A clip has three axes, a page has two. **M-mode** (M for motion) keeps one line of the image and draws it for every
# frame: depth downwards, time to the right, $m[i, t] = x[t, i, j_0]$ for a chosen column $j_0$.
#
# **Exercise.** Write it. `clip` is (frames, rows, columns); return (rows, frames).

# %% tags=["nbval-check-output"]
def m_mode(clip, column):
    return ...  # your code here


m_mode = exercises.m_mode.check(m_mode)

# %%
column = 180 - columns[0]  # through the flap
line = m_mode(clip, column)

# %% tags=["hide-input"] jupyter={"source_hidden": true}
seconds = (0, len(clip) * frame_seconds)
fig, axes = plt.subplots(1, 2, figsize=(10, 3.8), width_ratios=[1, 1.7])
plot.image(axes[0], clip[0], "the line", window=(0, 0.55))
axes[0].axvline(column, color=plot.COLOURS["orange"], lw=1.5)
axes[1].imshow(line, aspect="auto", extent=(*seconds, len(line), 0), vmin=0, vmax=0.45)
axes[1].set(xlabel="time (s)", ylabel="depth (pixels)", title="M-mode along it")
notes = [("valve closed", (0.1, 100), (0.06, 55)), ("open", (0.33, 104), (0.31, 128)), ("closed", (0.9, 103), (0.84, 128))]
for words, place, text in notes:
    axes[1].annotate(words, place, text, color="white", arrowprops={"color": "white", "arrowstyle": "->"})
plot.show(
    fig,
    alt="Left: the first frame with an orange vertical line. Right: that line over one second. A thin bright trace at depth 100 ends at 0.23 s, returns faintly at 0.45 s, and is bright again from 0.7 s on.",
    caption="M-mode of the real clip. The bright trace is the flap whenever it crosses the line.",
)

# %% [markdown]
# ## 3. Where is the beat?
#
# Muscle is bright and blood is dark, so the simplest signal is a mean intensity. Take a box in the cavity. When the heart
# contracts, its walls move into the box, and the mean rises. For comparison we also take the mean over the whole sector.

# %%
top, left = rows[0], columns[0]
cavity = clip[:, 80 - top : 115 - top, 165 - left : 205 - left].mean(axis=(1, 2))
whole = clip[:, sector].mean(axis=1)
alike = np.corrcoef(clip[:, sector])  # (30, 30): how similar is each frame to each other one?

# %% tags=["hide-input"] jupyter={"source_hidden": true}
fig, axes = plt.subplots(1, 2, figsize=(10, 3.6), width_ratios=[1.5, 1])
times = np.arange(len(clip)) * frame_seconds
axes[0].plot(times, cavity, "o-", ms=3, label="box in the cavity")
axes[0].plot(times, whole, "s-", ms=3, label="whole sector")
axes[0].set(xlabel="time (s)", ylabel="mean intensity", ylim=(0, 0.14))
axes[0].legend()
drawn = axes[1].imshow(alike, vmin=0.4, vmax=1, cmap="cividis")
axes[1].set(xlabel="frame", ylabel="frame", title="correlation of frames")
fig.colorbar(drawn, ax=axes[1], shrink=0.8)
plot.show(
    fig,
    alt="Left: the box's mean rises to a peak near 0.13 seconds, falls, and stays low, rising a little at the end; the sector's mean drifts upwards by a third. Right: a matrix bright on its diagonal and darker away from it.",
    caption="Left: the blue curve has its peak at a contraction; the other one drifts with the probe. Right: if the beat came back within the clip, a bright line would run beside the diagonal.",
)

# %% [markdown]
# **Question.** What is this patient's heart rate?
# - a) 60 per minute: one contraction in one second
# - b) about twice that: in the M-mode the valve opens twice
# - c) below a limit that we can compute; more cannot be said
# - d) nothing at all can be said

# %% tags=["nbval-check-output"]
exercises.heart_rate.check("…")

# %% tags=["nbval-check-output"]
peak = cavity.argmax()
seen = (len(clip) - 1 - peak) * frame_seconds
print(f"smallest cavity at {peak * frame_seconds:.2f} s, and not again in the {seen:.2f} s that are left")
print(f"so a beat takes longer than that: fewer than {60 / seen:.0f} beats per minute")
bins = np.fft.rfftfreq(len(clip), frame_seconds)[:4] * 60
print("a spectrum of this second knows only these rates per minute:", *np.round(bins).astype(int))

# %% tags=["hide-input"] jupyter={"source_hidden": true}
claim(
    "The cavity is smallest once in this clip: in its second half the box stays below four fifths of the peak, and no frame there looks like that of the peak.",
    bool(peak < 10 and cavity[15:].max() < 0.8 * cavity[peak] and alike[peak, 15:].max() < 0.8),
)

# %% [markdown]
# Even this limit leans on two things that nobody has checked: that the header's frame time is right, and that a box which
# stays while the probe moves still looks at the same place. The valve does swing open twice, but in one filling: first when
# the ventricle relaxes, then when the atrium contracts. And to say whether a rhythm is *regular* takes several beats, so
# several seconds. How long a clip must be is a medical decision before it is a technical one.
#
# ## 4. Segments of fixed length
#
# Patients' clips have different lengths, and a network wants arrays of one shape. So the article's first step (3.2.1) is to cut
# the series into **segments of fixed length**. A window of $\ell$ frames starts at frame 0 and moves on by the **stride**
# $s$. Of $T$ frames it makes
#
# $$n = \left\lfloor \frac{T-\ell}{s} \right\rfloor + 1$$
#
# whole segments. You know this formula: it is the output size of a convolution (lesson 01). Neighbours share $\ell - s$ frames, if $s<\ell$.
#
# **Exercise.** Cut a sequence (frames, …) into segments; return an array (segments, length, …). The stride may be larger than the length.

# %% tags=["nbval-check-output"]
def cut(sequence, length, stride):
    return ...  # your code here


cut = exercises.cut.check(cut)

# %% [markdown] tags=["term"]
# What is left at the end is dropped, or **padded**: with zeros, or by repeating the last frame. `sequences.windows` does
# all three and returns which frames are real, because a network has to be told (lesson 13 calls that a mask).

# %% tags=["nbval-check-output"]
frames = np.arange(1, 11)
print("yours:", *cut(frames, 4, 4).tolist())
for padding in sequences.PADDINGS:
    made = sequences.windows(frames, 4, stride=4, padding=padding)
    print(f"{padding:>6}:", *made.segments.tolist(), " real frames:", made.valid.sum(axis=1))

# %% [markdown] tags=["term"]
# **What is a segment's label?** If a label belongs to moments ("valve open" in frame 12), a rule turns the labels of the
# frames into one: any of them, most of them, the last one. Choose it and write it down. If the label belongs to the
# *patient*, each segment gets a copy of it. Then you have to ask whether a single segment still shows what the label is about.
#
# Our simulated clips can answer that, since their volumes are known. They run for four seconds at 12 frames a second. The **stroke volume** is the blood that the left ventricle pumps out in one beat. The **ejection fraction** is the stroke volume, divided by the largest volume of that beat. What can a window of one second show of it, at twelve frames a second? We ask regular hearts whose true curve we know.

# %%
def heart(patient, rate):
    """The same patient with a regular beat at another rate; the clip begins somewhere within a beat."""
    beats = (np.arange(16) - 3 - patient.beats[3] % 1) * 60 / rate
    return dataclasses.replace(patient, beats=beats, interval=60 / rate)


patients = [p for p in echo_cine.patients("train", n_patients=100) if not p.rhythm]
clock = np.arange(echo_cine.FRAMES) / echo_cine.FRAMES_PER_SECOND
lengths = np.array([3, 6, 9, 12, 18, 24, 36])
stroke = {}
for rate in (45, 60, 100):
    curves = [heart(p, rate).relative_volume(clock) / (p.ejection_fraction / 100) for p in patients]
    shares = [[np.ptp(cut(v, n, 1), axis=1) for v in curves] for n in lengths]
    stroke[rate] = np.array([np.quantile(part, 0.05) for part in shares])  # 19 of 20 segments see at least so much
missed = {}
for per_second in (6, 12, 24, 48):
    beat = np.arange(0, 1, 1 / per_second)  # one beat, at 60 beats per minute
    read = [1 - (v := heart(p, 60).relative_volume(beat)).min() / v.max() for p in patients]
    missed[per_second] = 100 * np.array(read) - [p.ejection_fraction for p in patients]

# %% tags=["hide-input"] jupyter={"source_hidden": true}
fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.4))
for (rate, shares), style in zip(stroke.items(), ("o-", "s--", "^-.")):
    axes[0].plot(lengths / 12, shares, style, label=f"{rate} beats per minute")
axes[0].set(xlabel="window length (s)", ylabel="share of the stroke", ylim=(0, 1.05), title="19 of 20 windows see at least")
axes[0].legend(loc="lower right")
axes[1].boxplot(list(missed.values()), tick_labels=list(missed), whis=(0, 100))
axes[1].axhline(0, ls=":", color="0.5")
axes[1].set(xlabel="frames a second", ylabel="read off − true (points)", title="ejection fraction, read off the frames")
plot.show(
    fig,
    alt="Left: three rising lines, the share of the stroke that a window sees against its length, for three heart rates. Right: four boxes below zero, of the error of the ejection fraction at 6, 12, 24 and 48 frames a second.",
    caption="50 simulated patients with regular beats. Left: at 12 frames a second. Right: one beat of a second, the largest and the smallest volume that any frame shows; there is no noise and no network, only frames that are too few.",
)

# %% tags=["hide-input"] jupyter={"source_hidden": true}
claim(
    "A window of half a second can miss most of the stroke at 60 beats per minute and below. One second shows more than four fifths of it at 60 and at 100, and not at 45, where a beat takes 1.33 s.",
    max(stroke[45][1], stroke[60][1]) < 0.5 and min(stroke[60][3], stroke[100][3]) > 0.8 > stroke[45][3],
)
claim(
    "At twelve frames a second the ejection fraction comes out too low, because the end of a contraction that lasts three frames falls between two of them; at 48 frames a second this error is less than a quarter as large.",
    missed[12].mean() < -0.5 and abs(missed[48].mean()) < abs(missed[12].mean()) / 4,
)

# %% [markdown]
# So one second at twelve frames *can* show the stroke of a heart that is not slow, a little too small. Several beats help, since each is caught at other moments. It *can hardly* show whether a rhythm is regular, for which distances between beats have to be compared: one or two beats fit into it (lesson 13 measures what a network makes of that). Nor is it a clinical frame rate: the real clip above has 30 frames a second.
#
# **Question.** You cut clips into segments of half a second and give each the ejection fraction of its patient. What is
# wrong with that?
# - a) nothing: all segments come from the same patient
# - b) many segments do not show what the label is about
# - c) the ejection fraction must be divided by the number of segments
# - d) the segments must not overlap

# %% tags=["nbval-check-output"]
exercises.whole_stroke.check("…")

# %% [markdown]
# **Predict**, then move: (1) A window of 12 frames, stride 6: in how many segments is a frame in the middle? (2) On the real
# clip, which feature notices the two copied frames? (3) Pad the real clip with zeros: what happens to the last mean?
# (4) Make the window longer, step by step. What becomes of the beat in the bars?

# %%
explorers.scrub().show()

# %% tags=["hide-input"] jupyter={"source_hidden": true}
curve = sequences.first_order(echo_cine.simulate_patient(1, (0, 0, 3))[0] / 255)["mean"]
spread = [sequences.windows(curve, length, stride=1).segments.mean(axis=1).std() for length in (3, 12, 24)]
padded = sequences.windows(whole, 12, stride=12, padding="zero").segments.mean(axis=1)
claim(
    "The means of windows of a second differ less than half as much as those of a quarter of a second, and the last mean of the zero-padded real clip is the smallest.",
    bool(spread[1] < spread[0] / 2 and padded.argmin() == len(padded) - 1),
)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# (1) In two: with half of the length as the stride, every frame is covered twice, but for those at the ends. (2) Only the motion, which is 0 at frames 11 and 28; each other feature looks at one frame at a time, and a copy has the values of its original. (3) It falls, because the padded zeros are averaged as if they were black frames. (4) The bars become level: a window of a whole beat and more has the same mean wherever it lies, so that the mean has lost the beat.
#
# </details>
#
# ## 5. Features: what is in a frame?
#
# A frame of 48×48 **pixel values** is 2,304 numbers, a segment of 12 frames twelve times as many, far more than there are
# patients. Section 8 shows what comes of it. The article's second step (3.2.1) is therefore to compute **features**. Everybody has
# computed "entropy", and no two programs agreed, so the Image Biomarker Standardisation Initiative (IBSI; Zwanenburg et
# al. 2020) defined names and formulas and published reference values. We use its names, and `tests/test_sequences.py`
# reproduces its values.
#
# ### How bright, how spread: first-order statistics
# With $N$ pixels $x_k$ in the region of interest, the mean is $\mu=\frac1N\sum_k x_k$, and
#
# $$\text{variance } \sigma^2=\frac1N\sum_k (x_k-\mu)^2, \qquad \text{skewness } \frac1N\sum_k \Big(\frac{x_k-\mu}{\sigma}\Big)^3, \qquad \text{(excess) kurtosis } \frac1N\sum_k \Big(\frac{x_k-\mu}{\sigma}\Big)^4 - 3$$
#
# Skewness is positive when a few bright pixels stand against many dark ones. The 3 makes the kurtosis of a normal
# distribution 0; the program pyradiomics leaves it out, so its values are larger by 3. Same name, other number.

# %%
pixels = clip[0][sector].astype(float)
ours = sequences.first_order(clip, roi=sector)  # a dict: name -> one value per frame
assert np.isclose(ours["skewness"][0], stats.skew(pixels)) and np.isclose(ours["kurtosis"][0], stats.kurtosis(pixels))
for name in ("mean", "variance", "skewness", "kurtosis", "90th percentile"):
    print(f"{name:16} {ours[name][0]:7.4f}")
scrambled = np.random.default_rng(0).permutation(pixels)
assert np.isclose(sequences.first_order(scrambled[None])["kurtosis"], ours["kurtosis"][0])  # where does not matter

# %% [markdown] tags=["term"]
# The last line is their weakness: scramble all pixels, and nothing changes. They say how much, never where.
#
# ### What lies beside what: texture
# First make few **grey levels** of the intensities. Then count how often level $i$ has level $j$ as its right-hand
# neighbour. That table is the **grey-level co-occurrence matrix** (GLCM; Haralick et al. 1973). A pair has no first and second, so it is counted both ways, which makes the table symmetric. Divided by its sum it holds shares, so that images of any size can be compared. By hand, on a 4×4 image
# with levels 0 to 3: row 0 gives the pairs 0–0, 0–1 and 1–2, and so on.

# %% tags=["hide-input"] jupyter={"source_hidden": true}
small = np.array([[0, 0, 1, 2], [0, 1, 1, 3], [2, 2, 3, 3], [0, 1, 2, 3]])
by_hand = np.array([[1, 3, 0, 0], [0, 1, 2, 1], [0, 0, 1, 2], [0, 0, 0, 1]])  # row: left pixel; column: right pixel
assert np.array_equal(graycomatrix(small, [1], [0], levels=4)[:, :, 0, 0], by_hand)
symmetric = by_hand + by_hand.T
fig, axes = plt.subplots(1, 4, figsize=(11, 3))
tables = [(small, "image, 4 levels", "g"), (by_hand, "pairs, left to right", "g")]
tables += [(symmetric, "symmetric", "g"), (symmetric / symmetric.sum(), "normalised", ".2f")]
for ax, (table, title, style) in zip(axes, tables):
    plot.numbers(ax, table, title, format=style)
for ax in axes[1:]:
    ax.set_xticks(range(4), range(4))
    ax.set_yticks(range(4), range(4))
    ax.set(xlabel="level j", ylabel="level i")
plot.show(
    fig,
    alt="Four 4×4 tables: an image with levels 0 to 3; the counts of its horizontal pairs; the same plus its transpose; the same divided by 24.",
    caption="From an image to its co-occurrence matrix. scikit-image's default is the second table; IBSI's definition is the last. Set `symmetric=True, normed=True`.",
)

# %% [markdown]
# **Exercise.** Write it: `image` holds whole numbers from 0 to `levels` − 1, not all of which need occur. Pair each pixel with its right neighbour, count
# both ways, normalise.

# %% tags=["nbval-check-output"]
def co_occurrence(image, levels):
    return ...  # your code here


co_occurrence = exercises.co_occurrence.check(co_occurrence)

# %% [markdown]
# Features are sums over the matrix $p$:
#
# $$\text{contrast } \sum_{ij}(i-j)^2 p_{ij}, \qquad \text{angular second moment } \sum_{ij}p_{ij}^2, \qquad \text{joint entropy } -\sum_{ij}p_{ij}\log_2 p_{ij}$$
#
# Contrast is large when neighbours differ, the angular second moment when few pairs dominate, and the entropy (in bits)
# when all pairs are alike. Look into the fine print again: scikit-image's entropy takes the natural logarithm, its "ASM" is
# pyradiomics' "joint energy", and its "energy" is the square root of that. The direction is a choice too; we take four
# (right, down, both diagonals) and average.

# %%
p = co_occurrence(small, 4)  # yours
i, j = np.indices(p.shape)
contrast, second_moment = ((i - j) ** 2 * p).sum(), (p**2).sum()
entropy = -(p[p > 0] * np.log2(p[p > 0])).sum()
matrix = graycomatrix(small, [1], [0], levels=4, symmetric=True, normed=True)
theirs = [graycoprops(matrix, name)[0, 0] for name in ("contrast", "ASM", "entropy")]
assert np.allclose([contrast, second_moment, entropy * np.log(2)], theirs)
print(f"contrast {contrast:.3f}, angular second moment {second_moment:.3f}, joint entropy {entropy:.3f} bits")

# %% [markdown]
# **How many grey levels?** Too few, and the texture is gone. Too many, and the matrix has more cells than the image has
# pairs. And the number itself changes the features. Your matrix on a piece of the real frame:

# %%
piece, levels = clip[0, 60:150, 60:170], [4, 8, 16, 32, 64]
texture = {}
for level in levels:
    p = co_occurrence(sequences.quantise(piece, level, limits=(0, 0.75)).astype(int), level)
    i, j = np.indices(p.shape)
    texture[level] = ((i - j) ** 2 * p).sum()
print("contrast by number of grey levels:", {level: round(float(c), 2) for level, c in texture.items()})

# %% tags=["hide-input"] jupyter={"source_hidden": true}
claim(
    "The contrast of one and the same picture depends on how many grey levels somebody chose: twice as many levels make it two and a half to four times as large.",
    all(2.5 < texture[2 * level] / texture[level] < 4.2 for level in levels[1:-1]),
)

# %% [markdown]
# We keep 16 levels, of equal width between fixed limits, the same for all frames and patients.
#
# **Question.** Two groups publish the GLCM contrast of the *same* image: 0.3 and 5. Both computed correctly. Which
# difference in their methods explains it?
# - a) one used four times as many grey levels
# - b) one counted pairs in one direction, the other both ways
# - c) one had added a constant to all pixels first
# - d) one had turned the image by 180°

# %% tags=["nbval-check-output"]
exercises.two_contrasts.check("…")

# %% [markdown] tags=["term"]
# ### What changes: motion
# The simplest feature that knows two frames is the mean absolute difference from the frame before,
# $\frac1N\sum_k |x_k[t]-x_k[t-1]|$. (Frame 0 has none before it; it gets the value of frame 1.) Together we have 22 numbers per frame: a **sequence of feature vectors**, which is what
# a recurrent network reads.

# %%
values, names = sequences.frame_features(clip, limits=(0, 0.75), roi=sector)
print(values.shape, "=", "(frames, features)")

# %% tags=["hide-input"] jupyter={"source_hidden": true}
fig, axes = plt.subplots(1, 5, figsize=(11.5, 2.5))
for ax, name in zip(axes, ["mean", "skewness", "contrast", "joint entropy", "motion"]):
    ax.plot(times, values[:, names.index(name)])
    ax.set(xlabel="time (s)", title=name)
assert (values[still.nonzero()[0] + 1, names.index("motion")] == 0).all()
plot.show(
    fig,
    alt="Five curves over one second. Mean, contrast and entropy rise slowly and fall at the end; skewness falls. Motion drops to zero twice.",
    caption="Features of the real clip. The slow rise is the moving probe. Motion is zero at the two copied frames.",
)

# %% [markdown] tags=["term"]
# ## 6. Many patients, one scale
#
# One clip is no data set. `echo-cine` has simulated patients: frames of the real clip, deformed for each patient, whose left ventricle contracts with a
# known ejection fraction and a regular or irregular rhythm. We take 300 for training, 120 for choices, and 240 for the test; no two of them share an anatomy. (The first run generates them.) Which rules of the simulation decide a result is written with it:

# %%
cine = data.load("echo-cine", n_patients=300)
print(cine.note)
splits = {"train": cine.train, "val": cine.val, "test": cine.test}
ef = {name: split.targets["ejection_fraction"].astype(float) for name, split in splits.items()}
rhythm = {name: split.targets["rhythm"] for name, split in splits.items()}

# %% tags=["hide-input"] jupyter={"source_hidden": true}
fig, axes = plt.subplots(2, 8, figsize=(11, 3.2))
for row, patient in zip(axes, (ef["train"].argmin(), ef["train"].argmax())):
    for ax, t in zip(row, range(8)):
        plot.image(ax, cine.train.x[patient, 2 * t, :, :, 0], f"{t / 6:.2f} s", window=(0, 0.8))
    row[0].set_ylabel(f"EF {ef['train'][patient]:.0f} %")
plot.show(
    fig,
    alt="Two rows of eight small ultrasound frames. In the first the dark cavity keeps its size; in the second it becomes small and wide again.",
    caption="The simulated patients with the smallest and the largest ejection fraction (EF): anatomy from a real frame, simulated motion, speckle and noise.",
)

# %%
def segment_features(values, length, stride):
    """Mean and standard deviation of each feature over each segment: (patients, segments, 2 · features)."""
    segments = np.stack([sequences.windows(one, length, stride=stride).segments for one in values])
    return np.concatenate([segments.mean(axis=2), segments.std(axis=2)], axis=-1)


features = {name: sequences.frame_features(split.x[..., 0])[0] for name, split in splits.items()}
segments = {name: segment_features(table, 12, 6) for name, table in features.items()}
print({name: table.shape for name, table in segments.items()}, "(patients, segments, numbers)")

# %% [markdown] tags=["term"]
# Energy is in the hundreds, motion in the hundredths. A penalised or gradient-trained model would see the first only, so
# each feature is **standardised**: minus its mean, divided by its standard deviation (NumPy's, divided by $n$). Whose mean? And a feature that is the same in all training rows, such as the minimum, which is the black around the sector, is only centred.
#
# **Exercise.** Standardise two tables (rows, features). Return both. Divide a feature that never varies in `train` by 1, as in lesson 08.

# %% tags=["nbval-check-output"]
def standardise(train, test):
    return ...  # your code here: two tables


standardise = exercises.standardise.check(standardise)

# %%
def on_one_scale(tables):
    """Tables (patients, segments, values) of each split, standardised with the training patients' numbers."""
    flat = {name: table.reshape(-1, table.shape[-1]).astype(float) for name, table in tables.items()}
    return {name: standardise(flat["train"], flat[name])[1].reshape(tables[name].shape) for name in tables}


scaled = on_one_scale(segments)
varies = np.ptp(segments["train"], axis=(0, 1)) > 0
off = np.abs(scaled["test"].mean(axis=(0, 1))).max()
print(f"{varies.sum()} of {len(varies)} numbers vary; the test's means lie up to {off:.2f} from 0, and stay there")

# %% tags=["hide-input"] jupyter={"source_hidden": true}
assert np.allclose(scaled["train"].mean(axis=(0, 1)), 0, atol=1e-3)
assert np.allclose(scaled["train"].std(axis=(0, 1))[varies], 1, atol=1e-3)

# %% [markdown]
# ## 7. Overlap leaks
#
# One patient gives many segments, and with a stride below $\ell$ neighbours share frames. Where do they go?
#
# **Question.** We toss a coin for each patient and call the result the label. One-second segments that start a quarter of a
# second apart are split at random, 70 % into training, and a nearest-neighbour classifier is tested on the rest. What is its
# accuracy?
# - a) about 50 %: nobody can foresee a coin
# - b) 100 %, under any split
# - c) clearly below 50 %
# - d) far above 50 %

# %% tags=["nbval-check-output"]
exercises.coin_labels.check("…")

# %%
def test_accuracy(table, label, owner, in_training):
    train, test = standardise(table[in_training], table[~in_training])
    guess = KNeighborsClassifier(1).fit(train, label[in_training]).predict(test)
    return evaluate.share(label[~in_training] == guess, groups=owner[~in_training])


rng = np.random.default_rng(0)
many = segment_features(features["train"], 12, 3)
owner = np.repeat(np.arange(300), many.shape[1])
coin = rng.integers(0, 2, 300)[owner]
table = many.reshape(len(owner), -1).astype(float)
by_segment = test_accuracy(table, coin, owner, rng.random(len(table)) < 0.7)
by_patient = test_accuracy(table, coin, owner, np.isin(owner, rng.permutation(300)[:210]))
print(f"a coin's tosses, split by segment: {by_segment}")
print(f"a coin's tosses, split by patient: {by_patient}")

# %% [markdown]
# There is nothing to learn, and the first number looks like a publication. The classifier recognises *patients*. Larger
# strides weaken the effect and do not end it, because segments that share no frame still share a heart, a gain and a probe. Stored
# runs, each on a set of patients of its own:

# %% tags=["hide-input"] jupyter={"source_hidden": true}
stored = results.load("clips_to_sequences/windows")
leak = {
    unit: {s: [run["leak"][str(s)][unit] for run in stored.values()] for s in lesson.STRIDES}
    for unit in ("by_segment", "by_patient")
}
for stride in lesson.STRIDES:
    parts = {unit: f"{np.mean(row[stride]):.2f} ({min(row[stride]):.2f} to {max(row[stride]):.2f})" for unit, row in leak.items()}
    print(f"stride {stride:>2}, {max(0, 12 - stride) / 12:4.0%} shared: by segment {parts['by_segment']}, by patient {parts['by_patient']}")
claim("A split by segment foresees this coin, a split by patient does not.", by_segment.low > 0.9 and by_patient.low < 0.6)
claim(
    "With a stride of 18 frames, where no two segments share a frame, the split by segment still repeats more than two thirds of the tosses in every stored run.",
    lambda leak: min(leak["by_segment"][18]) > 2 / 3 and np.mean(leak["by_patient"][18]) < 0.6,
    leak,
    refuted_by=exchange("by_segment", "by_patient"),
)

# %% [markdown] tags=["term"]
# The rule of lesson 05 holds for time as well: **split patients first, cut afterwards**. Within one long recording, leave a
# gap of a window's length between training and test.
#
# ## 8. A baseline
#
# The laziest answer is the median ejection fraction of the training patients. The next is a linear model, whose answer is $\hat y = \bar y + x w$. With many features and few patients the plain least squares fit learns the training patients by heart. **Ridge regression** therefore makes large weights expensive: it looks for the $w$ that makes
#
# $$\sum_{\text{rows}} (y - x w)^2 + \alpha \sum_k w_k^2$$
#
# as small as possible. The larger $\alpha$, the smaller the weights. The smallest sum is where $(x^\top x + \alpha I)\,w = x^\top y$, with the identity matrix $I$.
#
# **Exercise.** Return $w$ for a table `x` (rows, features), `y` (rows,) and `alpha`. Take both as they are, without centring.

# %% tags=["nbval-check-output"]
def ridge(x, y, alpha):
    return ...  # your code here: one weight for each feature


ridge = exercises.ridge.check(ridge)

# %% [markdown]
# Each segment gets a copy of its patient's label, and a patient's answer is the mean over the segments. Which $\alpha$? The one that errs least on the *validation* patients; the test patients are asked once. (If the smallest α of a list wins, no penalty is wanted. If the largest wins, the list is too short.)

# %%
def mae(truth, guess):
    return np.mean(np.abs(truth - guess))


def fitted(tables, alphas=(0.01, 0.1, 1, 10, 100, 1e3, 1e4, 1e5)):
    """Your standardised ridge regression: the patients' answers on the test, and the α that validation chose."""
    x = on_one_scale(tables)
    y = np.repeat(ef["train"], x["train"].shape[1])
    found = []
    for alpha in alphas:
        w = ridge(x["train"].reshape(len(y), -1), y - y.mean(), alpha)
        guess = {name: y.mean() + (x[name] @ w).mean(axis=1) for name in ("val", "test")}
        found.append((mae(ef["val"], guess["val"]), alpha, guess["test"]))
    return min(found, key=lambda one: one[0])[1:]


half = {name: split.x.reshape(-1, 48, 24, 2, 24, 2).mean((3, 5)).reshape(-1, 48, 576) for name, split in splits.items()}
inputs = {
    "22 features, mean and deviation": segments,
    "576 pixels, mean": {name: segment_features(x, 12, 6)[..., :576] for name, x in half.items()},
    "576 pixels, deviation": {name: segment_features(x, 12, 6)[..., 576:] for name, x in half.items()},
}
groups, guess = cine.test.groups, {"always the median": np.full(240, np.median(ef["train"]))}
for name, tables in inputs.items():
    alpha, guess[name] = fitted(tables)
    print(f"{name:32} α = {alpha:g}")
for name, answer in guess.items():
    print(f"{name:32} error in points: {evaluate.bootstrap(mae, ef['test'], answer, groups=groups, bounds=(0, 100))}")

# %% tags=["hide-input"] jupyter={"source_hidden": true}
better = {
    name: evaluate.difference(lambda t, g: -mae(t, g), ef["test"], guess["always the median"], guess[name], groups=groups, bounds=(-100, 0))
    for name in inputs
}
claim(
    "Both summaries over time gain at least two points over the lazy answer on these patients: that of the features, and that of bare pixels by their deviation.",
    min(better["22 features, mean and deviation"].low, better["576 pixels, deviation"].low) > 2,
)

# %% [markdown]
# Is it the *features*, then, or is it that both are summed up over time? That is a question about two recipes, so we ask stored runs: five sets of 300 training patients, each arm with its own $\alpha$, and the same 600 test patients for all, whom no choice has seen. "Pixels, values" are all 27,648 pixel values of a segment as they are.

# %% tags=["hide-input"] jupyter={"source_hidden": true}
arms = ["median", *(f"pixels, {part}" for part in ("values", "mean", "deviation", "mean and deviation"))]
arms += [*lesson.KINDS, "frames shuffled"]
errors = {arm: [run[arm]["error"]["test"] for run in stored.values()] for arm in arms}
by_length = np.array([[run[f"{n} frames"]["error"]["test"] for n in lesson.LENGTHS] for run in stored.values()])
fig, axes = plt.subplots(1, 2, figsize=(10.5, 3.9), width_ratios=[1.5, 1], sharey=True)
axes[0].plot(np.transpose(list(errors.values())).T, "o", color=plot.COLOURS["blue"], ms=4)
axes[0].plot([np.mean(row) for row in errors.values()], "_", color="black", ms=16)
axes[0].set_xticks(range(len(arms)), arms, rotation=35, ha="right", fontsize=8)
axes[0].set(ylabel="mean absolute error (points)", ylim=(0, 16), title="windows of a second")
axes[1].plot(np.array(lesson.LENGTHS) / 12, by_length.T, "o-", color=plot.COLOURS["blue"], lw=1, ms=4)
axes[1].set(xlabel="window length (s)", title="all features")
for ax in axes:
    ax.axhline(np.mean(errors["median"]), ls="--", color="0.4")
plot.show(
    fig,
    alt="Left: dots of the error of ten kinds of input, with a dashed line for the lazy answer. Right: five lines of the error against the length of the window.",
    caption="Stored runs, 600 simulated test patients; a dot for each set of training patients, a dash for their mean. Dashed: always the median.",
)

# %% tags=["hide-input"] jupyter={"source_hidden": true}
pairs = {"deviation": ("pixels, deviation", "all"), "raw": ("pixels, values", "pixels, deviation"), "mean": ("pixels, mean", "pixels, values"), "longer": ("24 frames", "12 frames"), "shuffled": ("frames shuffled", "all")}
rivals = {name: lesson.less_error(*pair) for name, pair in pairs.items()}  # how much less the first errs
for name, estimate in rivals.items():
    print(f"{name:10} {estimate} points less; detectable: {estimate.detectable():.1f}")
claim(
    "What changes over time does the work. The deviation of bare pixels over a segment errs less than their values, by more than three points. Their mean over the segment was not told apart from the values (a difference of one point would have been seen).",
    lambda r: r["raw"].high < -3 and not (r["mean"].above or r["mean"].below) and r["mean"].detectable() < 1,
    rivals,
    refuted_by=moved(1.0, "raw", "mean"),
)
claim(
    "The features are not needed for it: the deviation of bare pixels errs less than all 22 features together, with as many patients and an α of its own.",
    lambda rivals: rivals["deviation"].above,
    rivals,
    refuted_by=lambda rivals: {**rivals, "deviation": moved(-rivals["deviation"].value)(rivals["deviation"])},
)

# %% tags=["hide-input"] jupyter={"source_hidden": true}
claim(
    "With the frames of each clip shuffled before the features are computed, the same regression errs more, by more than a point and a half.",
    lambda r: r["shuffled"].high < -1.5,
    rivals,
    refuted_by=moved(1.0, "shuffled"),
)
claim(
    "Windows of a quarter of a second err more than windows of a second in all runs. Windows of two seconds were not told apart from those of one (a difference of .4 points would have been seen).",
    lambda r: bool((r["by length"][:, 0] > r["by length"][:, 2]).all())
    and not (r["longer"].above or r["longer"].below)
    and r["longer"].detectable() < 0.4,
    rivals | {"by length": by_length},
    refuted_by=moved(0.5, "longer"),
)

# %% [markdown]
# Two things can make shuffled frames worse, and this run does not separate them. Motion is the difference of neighbours, which a shuffled clip no longer has. And the frames of one segment then come from the whole clip, so that all segments of a patient become alike.
#
# ### What these numbers do not see
#
# A heart that pumps more moves more, and that is in the summary. Is the *order* in it as well? Shuffle the **frames** of clips, before any feature is computed, and compute everything anew.

# %%
some = cine.test.x[:60, ..., 0]
mixed = lesson.shuffled(some, seed=0)  # each clip's frames in a random order of its own
before, after = (sequences.frame_features(x)[0].mean(axis=(0, 1)) for x in (some, mixed))
for name in ("mean", "contrast", "joint entropy", "motion"):
    k = names.index(name)
    print(f"{name:14} in order {before[k]:8.4f}, shuffled {after[k]:8.4f}, ratio {after[k] / before[k]:.2f}")

# %% tags=["hide-input"] jupyter={"source_hidden": true}
k = names.index("motion")
claim(
    "What looks at one frame at a time keeps its mean over the clip. Motion does not: it grows by more than a tenth, because neighbours in a shuffled clip are further apart in time.",
    after[k] > 1.1 * before[k] and np.allclose(np.delete(before, k), np.delete(after, k), rtol=1e-3, atol=1e-4),
)
area = {kind: [run[f"rhythm, {kind}"]["area"] for run in stored.values()] for kind in ("all", "whole clip", "frames shuffled")}
for kind, row in area.items():
    print(f"stored, rhythm, {kind:15}: area under the ROC curve {np.mean(row):.2f} ({min(row):.2f} to {max(row):.2f})")
claim(
    "So the summaries know which frames there are and how much neighbours differ. They do not know the order of beats: for the rhythm the area under the ROC curve stays within .1 of a coin's .5 in every run.",
    lambda area: max(abs(a - 0.5) for row in area.values() for a in row) < 0.1,
    area,
    refuted_by=lambda area: {kind: np.array(row) + 0.3 for kind, row in area.items()},
)

# %% [markdown]
# Whether a beat is early is nothing but order. So a model must read the sequence as a sequence, and remember. That is the next lesson. Take the numbers above along: they
# are what a recurrent network has to beat.

# %% [markdown] tags=["slide"]
# ## Summary

# %% tags=["hide-input"] jupyter={"source_hidden": true}
claims.summary(
    said("Look first: frames can be copies, and here the patient's name is burnt into every frame.", bool(still.any()) and str(header.PatientName) == "PLA"),
    said("One second at twelve frames shows more than four fifths of the stroke of a heart at 60 beats per minute, not at 45, and can miss the end of the contraction.", stroke[60][3] > 0.8 > stroke[45][3] and missed[12].mean() < -0.5),
    "Windows of length ℓ and stride s turn clips into ⌊(T − ℓ)/s⌋ + 1 segments; padding has to be marked, and a label copied to a segment is as good as what the segment shows of it (section 4).",
    said("Features need a name, a definition and their settings: 64 grey levels in place of 32 make the contrast more than three times as large.", texture[64] > 3 * texture[32]),
    said("Split patients first and cut afterwards: a split by segment foresees the tosses of a coin.", by_segment.low > 0.9),
)

# %% tags=["hide-input"] jupyter={"source_hidden": true}
claims.found(
    (
        "RNNs remember earlier input and suit video and dynamic images (2.2)",
        said(
            "A reason to want one: summaries over a segment do not see the rhythm, within .1 of a coin.",
            lambda area: max(abs(a - 0.5) for row in area.values() for a in row) < 0.1,
            area,
            refuted_by=lambda area: {kind: np.array(row) + 0.3 for kind, row in area.items()},
        ),
    ),
    (
        "Cut the series into segments of fixed length (3.2.1)",
        said("Right, but length is a medical choice: at 60 beats per minute half a second can miss most of the stroke.", stroke[60][1] < 0.5),
    ),
    (
        "Extract pixel values and texture features per segment (3.2.1)",
        said(
            "Raw pixel values are worse than the deviation of bare pixels over time; grey levels, standardisation and motion are not mentioned in the article.",
            lambda rivals: rivals["raw"].below,
            rivals,
            refuted_by=lambda rivals: {**rivals, "raw": moved(-rivals["raw"].value)(rivals["raw"])},
        ),
    ),
)

# %% [markdown]
# Run `exercises.progress()` in a cell of your own to see where you stand.
#
# ## References
# - A. Zwanenburg et al.: The Image Biomarker Standardization Initiative, Radiology 295 (2020). doi:10.1148/radiol.2020191145; the manual is arXiv:1612.07003
# - R. Haralick, K. Shanmugam, I. Dinstein: Textural features for image classification, IEEE Trans. Systems, Man, and Cybernetics SMC-3 (1973). doi:10.1109/TSMC.1973.4309314
# - E. Yagis et al.: Effect of data leakage in brain MRI classification using 2D convolutional neural networks, Scientific Reports 11 (2021). doi:10.1038/s41598-021-01681-w
# - Images: see `datasets/README.md`
#
# **Next:** [13 · RNN, LSTM, GRU](13_rnn_lstm_gru.ipynb): what does memory buy?
