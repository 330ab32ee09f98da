PEAK, SECONDS = 2000, 90
PATH = "sections 1, 4 and 7 to 12 and the summary: 30 minutes"

code("gan-anywhere", """
# Does nothing where course_lib is installed.
import importlib.util

if importlib.util.find_spec("course_lib") is None:
    raise SystemExit("This notebook needs course_lib: see 'Two commands' in the course's README.")
""", "anywhere", hidden=True)

md("gan-title", """
# 14 · GAN

**How do two networks make an image, and how good is it?**

After this lesson you can
- write both players' losses and slopes, and train two networks in NumPy with them;
- count what a generator has lost (mode collapse), and say what loss curves show of it;
- build a generator and a discriminator of images, and ask for a class;
- judge generated images by KID beside a floor, by a reader network, and by a test for copies.

| | |
|---|---|
| You need | lessons [04](04_network_from_scratch.ipynb) (layers, Adam), [08](08_training_well.ipynb) and [10](10_evaluation.ipynb) (intervals). Calculus only inside the folded boxes. |
| Time | about MINUTES_HERE minutes to read and solve, best in two sittings (a good break is before section 7); the cells run in less than 90 seconds |
| Data | points in the plane; `brain-lesions`: **simulated** lesions on slices of one real brain template, 32×32 pixels. Our numbers say nothing about patients. |
| Without code | PATH_HERE |
""", "slide")

code("gan-setup", """
import matplotlib.pyplot as plt
import numpy as np

from course_lib import claims, data, evaluate, gan, network, plot, results
from course_lib.claims import claim, exchange, moved, said
from course_lib.lessons.gan import exercises, explorers
from course_lib.lessons.gan import model as lesson

keras, layers = gan.keras, gan.layers
""")

code("gan-how-far", """
trained = results.load("gan/conditional")  # three trainings of the GAN of this lesson, by seed
finals = [training["final"] for training in trained.values()]
floor, of_originals = np.mean(trained[0]["floor"]), np.trace(trained[0]["read_original"]) / 640
got = {"kid": [np.mean(final["kid"]) for final in finals], "floor": floor, "originals": of_originals}
got["read"] = [np.trace(final["read"]) / np.sum(final["read"]) for final in finals]


def far_off(g):
    # The KID is 8 to 14 times the floor in each training, and fewer images are read as asked than originals are right.
    return 8 * g["floor"] < min(g["kid"]) <= max(g["kid"]) < 14 * g["floor"] and max(g["read"]) + 0.2 < g["originals"]


claim(
    f"**How far it got.** The images of our GAN cannot pass for original. After 24,000 steps, in three trainings, their KID (section 8) is {min(got['kid']):.2f} to {max(got['kid']):.2f}, about ten times that of original slices of other patients ({floor:.2f}), and a reader network (section 9) reads {min(got['read']):.0%} to {max(got['read']):.0%} of them as the class that was asked for, and {of_originals:.0%} of original slices.",
    far_off,
    got,
    refuted_by=exchange("floor", "originals"),
)
""", hidden=True)

md("gan-1", """
## 1. Two players

So far our networks answered questions about images. A **generative** network makes images. For it there is no right answer to compare with: nobody can say, pixel by pixel, what it should have drawn. Goodfellow and colleagues (2014) let a second network be the judge, and train both at the same time. The pair is a **generative adversarial network**, a GAN.

- The **generator** $G$ turns a list of random numbers, the **latent vector** $z$, into something that should look like the data.
- The **discriminator** $D$ gets original and generated data, and answers for each how probable it is that it is original.

(From here on $z$ is the latent vector, and a logit is called $a$.) We say *original* for data that no network generated. Original is not real: our brain slices are simulated, all on one template.
""", "term", "slide")

code("gan-players", """
fig, ax = plt.subplots(figsize=(8.8, 2.7))
ax.set(xlim=(0, 18), ylim=(0, 5.4))
ax.axis("off")
colours = {"sand": "#F7DDB0", "sky": "#CDE7F7", "white": "white"}
for x, y, text, colour in [
    (1.4, 3.9, "random\\nnumbers $z$", "white"),
    (5.2, 3.9, "generator\\n$G$", "sand"),
    (9.2, 3.9, "generated", "white"),
    (9.2, 1.2, "original", "white"),
    (13.2, 2.6, "discriminator\\n$D$", "sky"),
    (16.8, 2.6, "original?\\n0 to 1", "white"),
]:
    ax.text(x, y, text, ha="center", va="center", bbox={"boxstyle": "round,pad=0.45", "fc": colours[colour], "ec": "black"})
""", hidden=True)

code("gan-players-arrows", """
solid, dashed = {"color": "0.2", "ls": "-"}, {"color": plot.COLOURS["vermilion"], "ls": "--"}
for start, end, line in [
    ((2.6, 3.9), (4.1, 3.9), solid),
    ((6.3, 3.9), (8.0, 3.9), solid),
    ((10.4, 3.7), (11.7, 2.95), solid),
    ((10.2, 1.3), (11.7, 2.2), solid),
    ((14.8, 2.6), (15.8, 2.6), solid),
    ((13.2, 3.5), (5.2, 4.75), dashed),
]:
    bent = {"connectionstyle": "arc3,rad=0.22"} if line is dashed else {}
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "lw": 1.5, "shrinkA": 0, "shrinkB": 0, **line, **bent})
ax.text(12.4, 4.95, "slopes", color=plot.COLOURS["vermilion"], ha="center")
plot.show(
    fig,
    alt="A diagram: random numbers go into the generator, which gives generated data; generated and original data go into the discriminator, which answers with a number from 0 to 1; a dashed arrow leads from the discriminator back to the generator.",
    caption="The two players. The discriminator is trained to answer 1 for original and 0 for generated data. The generator never sees original data: all that it learns comes back through the discriminator, as slopes (dashed).",
)
""", "slide", hidden=True)

md("gan-toy", """
First, data that can be seen whole: points in the plane. Each $z$ has two entries.
""")

code("gan-toy-data", """
z = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32)
points = lesson.eight_gaussians(1000)
""")

code("gan-toy-plot", """
fig, axes = plt.subplots(1, 2, figsize=(6.6, 3.4), sharey=True)
for ax, dots, name in zip(axes, (z, points), ("z: random numbers", "original data")):
    ax.scatter(*dots.T, s=4, alpha=0.5, color=plot.COLOURS["blue" if name != "z: random numbers" else "vermilion"])
    ax.set(xlim=(-3.5, 3.5), ylim=(-3.5, 3.5), aspect="equal", title=name, xlabel="first coordinate")
axes[0].set_ylabel("second coordinate")
plot.show(
    fig,
    alt="Two scatter plots: a round cloud of random points, and eight small clouds on a circle.",
    caption="The generator has to fold the cloud on the left into the eight clouds on the right.",
)
""", hidden=True)

md("gan-2", r"""
## 2. What each player wants

The discriminator is a classifier with two classes. Its last number is a logit $a$, and $D=\sigma(a)$ is the probability that its input is original. Its loss is cross-entropy (lesson 04), with one mean over original data $x$ and one over generated data $G(z)$:

$$L_D = -\text{mean}\,\log D(x) \;-\; \text{mean}\,\log\big(1 - D(G(z))\big)$$

For the generator two losses are in use. Both fall when $D(G(z))$ rises:
- the **minimax loss**, $\text{mean}\,\log(1-D(G(z)))$, says: what is bad for the discriminator is good for me;
- the **non-saturating loss**, $-\text{mean}\,\log D(G(z))$, is the cross-entropy with the label "original".

By hand, for $D(G(z))=0.1$: the minimax loss is $\log 0.9=-0.11$, the non-saturating loss $-\log 0.1=2.30$.

**Exercise.** Write all three from the logits of original and of generated data (arrays of any two lengths): $L_D$, the minimax loss, the non-saturating loss. Logits reach ±1,000 here, so nothing may overflow.
""", "term", "slide")

code("gan-losses", """
def gan_losses(original, generated):
    return ..., ..., ...  # your code here: discriminator, minimax, non-saturating


gan_losses = exercises.gan_losses.check(gan_losses)
""", CHECK)

md("gan-slopes", r"""
Networks do not learn from the values of a loss, but from its **slopes**: how much the loss changes when a logit rises a little. For one generated point they are:

| | loss | slope along its logit | slope where $D=0.01$ |
|---|---|---|---|
| minimax | $\log(1-D)$ | $-D$ | −0.01 |
| non-saturating | $-\log D$ | $-(1-D)$ | −0.99 |

Early on, the discriminator sees through every generated point, so that $D$ is near 0. The minimax loss then has hardly any slope, just when the generator is at its worst. For this reason Goodfellow and colleagues recommended the non-saturating loss (arXiv:1406.2661).

<details><summary>For readers with calculus: the slopes</summary>

With $D=\sigma(a)$ and $D'=D(1-D)$: $\frac{d}{da}\log(1-D)=-\frac{D'}{1-D}=-D$ and $\frac{d}{da}(-\log D)=-\frac{D'}{D}=-(1-D)$. In the same way the two terms of $L_D$ have the slopes $-(1-D)$ along the logit of an original point and $+D$ along that of a generated one.
</details>

In a mean over $n$ points, each point has $1/n$ of its slope.

**Exercise.** Write the slopes, as three arrays: of $L_D$ along the logits of the `original` data, of $L_D$ along those of the `generated` data, and of the non-saturating loss along the latter.
""")

code("gan-loss-slopes", """
def loss_slopes(original, generated):
    return ..., ..., ...  # your code here


loss_slopes = exercises.loss_slopes.check(loss_slopes)
""", CHECK)

md("gan-nudge", """
Lesson 04's check: nudge one logit by a thousandth, and watch your losses.
""")

code("gan-nudge-code", """
original, generated = np.array([2.0, -1.0, 0.5]), np.array([-3.0, 1.0])
before, slopes = gan_losses(original, generated), loss_slopes(original, generated)
after = gan_losses(original, generated + [0.001, 0])
print(f"non-saturating loss: it rises by {(after[2] - before[2]) / 0.001:.3f} per unit; your slope is {slopes[2][0]:.3f}")
assert np.isclose((after[2] - before[2]) / 0.001, slopes[2][0], atol=1e-3)
assert np.isclose((after[0] - before[0]) / 0.001, slopes[1][0], atol=1e-3)
""", CHECK)

code("gan-slopes-plot", """
a = np.linspace(-6, 6, 121)
both = np.array([gan_losses(np.zeros(1), np.array([value]))[1:] for value in a])
fig, axes = plt.subplots(1, 2, figsize=(9, 3))
for ax, curves, label in zip(axes, (both, np.gradient(both, a, axis=0)), ("loss of the generator", "its slope")):
    for curve, name, style in zip(curves.T, ("minimax", "non-saturating"), ("-", "--")):
        ax.plot(a, curve, style, label=name)
    ax.set(xlabel="logit of a generated point", ylabel=label)
axes[0].legend()
plot.show(
    fig,
    alt="Left: two losses that fall with the logit; the minimax loss is flat at the left, the non-saturating one is flat at the right. Right: their slopes, one going from 0 to minus 1, the other from minus 1 to 0.",
    caption="Your losses for one generated point. Left of 0 the discriminator recognises it.",
)
""", hidden=True)

md("gan-perfect", r"""
And if both played perfectly? At a place where the data have density $p$ and the generated points density $q$, the best possible discriminator answers $D=p/(p+q)$.

<details><summary>For readers with calculus: why</summary>

At this place $D$ contributes $-p\log D-q\log(1-D)$ to the loss. The derivative, $-p/D+q/(1-D)$, is 0 at $D=p/(p+q)$. With that $D$ the game is over only if $p=q$: then $D=1/2$ everywhere (Goodfellow et al. 2014).
</details>

**Predict** first, then move. (1) The generated points are far from the data. Which loss still pushes them? (2) Both clouds lie on each other. What does the perfect discriminator look like, and what is left of both pushes?
""")

code("gan-perfect-show", """
explorers.perfect_discriminator().show()
""")

md("gan-perfect-seen", """
<details><summary>What you should have seen</summary>

(1) Only the non-saturating loss. With the mean at 4 and equal spreads its push is 11, that of the minimax loss below a hundredth. (2) It is a level line at one half, and no push is left: the game has ended.

</details>
""")

code("gan-perfect-check", """
at, spread = 4 + 0.6 * np.linspace(-5, 5, 401), 0.6  # generated points; their logit is a straight line
weight, logit = np.exp(-(((at - 4) / spread) ** 2) / 2), (16 - 8 * at) / (2 * spread**2)
shares = np.average([1 / (1 + np.exp(-logit)), 1 / (1 + np.exp(logit))], axis=1, weights=weight)
minimax_push, other_push = shares * 4 / spread**2
assert minimax_push < 1e-2 and 10.5 < other_push < 11.5
""", hidden=True)

md("gan-half", r"""
**Question.** A GAN has trained well: the loss of its discriminator stays near $\log 4\approx1.39$. What does that mean?
- a) Training failed: the loss should go to zero
- b) The discriminator cannot tell the two apart
- c) The generator has learned the data by heart
- d) The images are good, for any discriminator
""")

code("gan-half-check", """
exercises.loss_of_a_half.check("…")
""", CHECK)

md("gan-3", """
## 3. The game, in NumPy

Both players are small networks of lesson 04's layers. The leaky ReLU (lesson 03) is new; it lets a slope through on both sides of 0.
""", "slide")

code("gan-player", """
class LeakyReLU(network.Layer):
    def forward(self, x):
        self.slope = np.where(x > 0, np.float32(1), np.float32(0.2))
        return x * self.slope

    def backward(self, upstream):
        return upstream * self.slope


def player(activation, outputs, rng):
    first, second, last = (network.Dense(*size, rng) for size in [(2, 64), (64, 64), (64, outputs)])
    return network.Network([first, activation(), second, activation(), last])
""")

md("gan-play-text", """
Each step has two turns. In the first the discriminator learns, and the generator stands still. In the second, slopes go back *through* the discriminator and on into the generator, but only the generator's weights change. Both turns begin with your `loss_slopes`.
""")

code("gan-play", """
def play(steps, beta=0.5, seed=0, at=()):
    rng = np.random.default_rng(seed)
    generator, judge = player(network.ReLU, 2, rng), player(LeakyReLU, 1, rng)
    for_generator, for_judge = network.Adam(1e-3, beta), network.Adam(1e-3, beta)
    seen = []
    for step in range(1, steps + 1):
        z = rng.standard_normal((2, 256, 2), np.float32)
        original = lesson.eight_gaussians(256, seed=[seed, step])
        # 1. The discriminator's turn
        logits = judge.forward(np.concatenate([original, generator.forward(z[0])]))[:, 0]
        of_original, of_generated, _ = loss_slopes(logits[:256], logits[256:])
        judge.backward(np.float32(np.concatenate([of_original, of_generated]))[:, None])
        for_judge.step(judge.parameters, judge.gradients)
        # 2. The generator's turn
        logits = judge.forward(generator.forward(z[1]))[:, 0]
        _, _, of_generated = loss_slopes(logits, logits)
        generator.backward(judge.backward(np.float32(of_generated)[:, None]))
        for_generator.step(generator.parameters, generator.gradients)
        if step in at:
            seen.append((generator.forward(FIXED_Z), judge.forward(PLACES)))
    return seen
""")

md("gan-count-text", """
To judge a training we count **modes**: the clouds, or kinds of data, that the generator makes at all.

**Exercise.** How many of the `centres` (k, 2) are covered? A centre is covered if at least the share `least` of all `points` (n, 2) is closer to it than `reach`.
""", "term")

code("gan-count", """
def covered_modes(points, centres, reach, least):
    return ...  # your code here


covered_modes = exercises.covered_modes.check(covered_modes)
""", CHECK)

code("gan-play-run", """
FIXED_Z = z  # the same 1,000 latent vectors each time we look
side = np.linspace(-1.6, 1.6, 41, dtype=np.float32)
PLACES = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)

times = (50, 200, 500, 1500)
seen = play(times[-1], at=times)
reach, least = 4 * lesson.SIGMA, 0.02
modes = [covered_modes(dots, lesson.MODES, reach, least) for dots, _ in seen]
print("modes covered after", dict(zip(times, modes)))
""")

code("gan-play-plot", """
def draw(seen, titles, alt, caption):
    fig, axes = plt.subplots(1, len(seen), figsize=(10, 3))
    for ax, (dots, logits), title in zip(axes, seen, titles):
        field = 1 / (1 + np.exp(-np.clip(logits, -50, 50)))
        options = {"extent": (-1.6, 1.6, -1.6, 1.6), "origin": "lower", "vmin": 0, "vmax": 1, "alpha": 0.6}
        ax.imshow(field.reshape(41, 41), cmap=plot.DIVERGING, **options)
        ax.plot(*lesson.MODES.T, "+", color="black", ms=7)
        ax.scatter(*dots.T, s=3, color="black", alpha=0.4)
        covered = covered_modes(dots, lesson.MODES, reach, least)
        ax.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), title=f"{title}\\n{covered} of 8 modes", xticks=[], yticks=[])
    plot.show(fig, alt, caption)


draw(
    seen,
    [f"step {number}" for number in times],
    "Four pictures of the plane with black generated points, crosses at the eight modes, and a background from blue to red. In the last one the points stand at all eight crosses, with threads between them.",
    "Dots: generated points. Crosses: the centres of the data. Background: the discriminator's D, red near 1, blue near 0, white one half.",
)
claim(
    "After 200 steps at most half of the eight modes are covered, and after 1,500 steps at least six.",
    modes[1] <= 4 and modes[3] >= 6,
)
""", "slide", hidden=True)

md("gan-threads", """
The points run after the red places, and those move away as the points arrive. Threads remain between the clouds, for a continuous function cannot tear a cloud apart.
""")

md("gan-4", r"""
## 4. Mode collapse, and what loss curves show of it

The generator's loss asks that each point looks original. Nothing in it asks for *all* kinds of data. If one cloud fools the discriminator, the generator may put all its points there. The discriminator then learns to call that place generated, and the crowd moves on. This is **mode collapse**. In a medical set it can mean that a rare finding is never drawn.

One number is enough to see it: Adam's $\beta_1$. It says for how long Adam remembers earlier slopes, about ten steps at its usual 0.9, about two at 0.5. Old slopes may point to where the other player no longer is. Radford and colleagues (2016) found training unstable with 0.9, and took 0.5.
""", "term", "slide")

code("gan-collapse", """
late = (400, 600, 800, 1000)
collapsed = play(late[-1], beta=0.9, at=late)
""")

code("gan-collapse-plot", """
most = max(covered_modes(place[0], lesson.MODES, reach, least) for place in collapsed)
draw(
    collapsed,
    [f"β₁ = 0.9, step {number}" for number in late],
    "Four pictures of the plane at four times: the black points stand crowded in one or few places, not the same in each picture.",
    "The same players, seed and data as above, with β₁ = 0.9.",
)
claim(
    "With β₁ = 0.9 at most half of the modes are covered at each of these times.",
    most <= 4,
)
""", hidden=True)

md("gan-arms", r"""
One run shows what can happen, not what usually happens. Stored are five trainings of each of four arms, 1,500 steps, in TensorFlow and otherwise as above. Two arms keep $\beta_1=0.9$ and hold the discriminator back instead:
- **R1** (Mescheder et al. 2018) adds a fine to the discriminator's loss: the squared slope of its logit at the original points. A logit that rises there like a cliff becomes expensive.
- **Spectral normalisation** (Miyato et al. 2018) divides each layer's weights by the largest factor by which that layer can lengthen its input, so that points which lie close together get logits which lie close together.
""", "term")

code("gan-arms-table", """
two = results.load("gan/two")
ARMS = list(two[0])
at_end = {arm: np.array([training[arm]["modes"][-1] for training in two.values()]) for arm in ARMS}
wobble = {arm: np.array([training[arm]["wobble"] for training in two.values()]) for arm in ARMS}
print(f"{'':26} modes at the end   points near a mode   wobble of D's loss")
for arm in ARMS:
    near_one = np.mean([training[arm]["near"][-1] for training in two.values()])
    wobbles = ", ".join(map("{:.2f}".format, sorted(wobble[arm])))
    print(f"{arm:26} {sorted(at_end[arm].tolist())!s:18} {near_one:>10.0%}              {wobbles}")
""", CHECK)

md("gan-arms-said", """
(*Near*: within four standard deviations of a cloud. *Wobble*: the standard deviation of the discriminator's loss over the last 250 steps.) What a permutation test says (lesson 10):
""")

code("gan-arms-claims", """
fast, norm, fined, slow = ARMS
p = {arm: evaluate.permutation_test(at_end[fast], at_end[arm]) for arm in ARMS[1:]}
behind = {arm: evaluate.permutation_test(at_end[slow], at_end[arm]) for arm in (norm, fined)}
claim(
    f"With β₁ = 0.5 all eight modes are found in each of the five trainings, with 0.9 in one of five, and chance alone would hardly part them so far (p = {p[slow]:.3f}).",
    lambda arms: (
        bool((arms[slow] == 8).all() and (arms[fast] == 8).sum() == 1)
        and evaluate.permutation_test(arms[fast], arms[slow]) < 0.05
    ),
    dict(at_end),
    refuted_by=exchange(fast, slow),
)
noise = {arm: np.sqrt((at_end[fast].var(ddof=1) + at_end[arm].var(ddof=1)) / 5) for arm in (norm, fined)}
claim(
    f"Neither R1 nor spectral normalisation was seen to find more modes than β₁ = 0.9 alone (p = {p[fined]:.1f} and {p[norm]:.1f}; with five trainings, a gain of five modes would have been seen in four of five such studies). Both find fewer than β₁ = 0.5 (p = {max(behind.values()):.3f} each). We tried one strength of each.",
    lambda r: (
        min(r["p"][norm], r["p"][fined]) > 0.05
        and max(r["behind"].values()) < 0.05
        and 3.2 * max(noise.values()) < 5  # 2.31 + 0.89, quantiles of Student's distribution
    ),
    {"p": p, "behind": behind, "noise": noise},
    refuted_by=exchange("p", "behind"),
)
""", hidden=True)

md("gan-curves", """
Could the losses alone have told us? The discriminator's loss in each of the twenty runs:
""")

code("gan-curves-plot", """
fig, axes = plt.subplots(1, 4, figsize=(10.5, 2.9), sharey=True)
for ax, arm in zip(axes, ARMS):
    for training in two.values():
        curve, whole = np.array(training[arm]["losses"])[:, 0], training[arm]["modes"][-1] >= 6
        style = {"color": plot.COLOURS["blue"], "ls": "-"} if whole else {"color": plot.COLOURS["vermilion"], "ls": "--"}
        ax.plot(25 * np.arange(1, len(curve) + 1), curve, lw=1.1, **style)
    ax.axhline(np.log(4), color="0.5", ls=":", lw=1)
    ax.set(title=arm.replace(", ", "\\n"), xlabel="step")
axes[0].set(ylabel="loss of the discriminator", ylim=(1.0, 1.65))
axes[0].plot([], [], color=plot.COLOURS["blue"], label="6 to 8 modes")
axes[0].plot([], [], "--", color=plot.COLOURS["vermilion"], label="0 to 5 modes")
axes[0].legend(fontsize=8)
plot.show(
    fig,
    alt="Four plots of loss against step, five lines each. With β₁ = 0.9, alone and with spectral norm, dashed lines swing widely around log 4; with R1 dashed and solid lines lie on log 4 after some hundred steps; with β₁ = 0.5 solid lines settle just below it.",
    caption="Each line is one stored run, in means of 25 steps; a few values of the first steps lie above the picture. Dotted: log 4, the loss of a discriminator that answers one half to everything.",
)
""", "slide", hidden=True)

code("gan-curves-claims", """
both = {arm: np.stack([at_end[arm], wobble[arm]], axis=1) for arm in ARMS}  # (seeds, modes and wobble)
claim(
    "Large swings are a sign. In all nine runs that wobble by more than 0.05, at most four modes are covered in the end.",
    lambda arms: (
        (twenty := np.concatenate(list(arms.values())))[twenty[:, 1] > 0.05][:, 0].max() <= 4
        and (twenty[:, 1] > 0.05).sum() == 9
    ),
    both,
    refuted_by=lambda arms: {arm: five + [5, 0] for arm, five in arms.items()},
)
level = np.array([np.mean(training[fined]["losses"][-10:], axis=0)[0] for training in two.values()])
claim(
    "Calm is no sign. The runs with R1 wobble as little as those with β₁ = 0.5, by less than 0.01, and end within 0.01 of log 4, where a discriminator can tell nothing apart. Yet they cover two to six modes, and those with β₁ = 0.5 all eight. So modes have to be counted.",
    lambda r: (
        max(r[fined][:, 1].max(), r[slow][:, 1].max()) < 0.01
        and (r[fined][:, 0].min(), r[fined][:, 0].max(), r[slow][:, 0].min()) == (2, 6, 8)
        and np.abs(r["level"] - np.log(4)).max() < 0.01
    ),
    both | {"level": level},
    refuted_by=exchange(fined, slow),
)
""", hidden=True)

md("gan-5", r"""
## 5. A generator that draws: the DCGAN

Now images. The **DCGAN** (Radford et al. 2016) is a recipe for convolutional GANs. Its generator enlarges small maps in steps, by **transposed convolution**: each input pixel puts down a whole kernel, multiplied by the pixel's value; with stride 2 the next pixel puts its kernel two places further on; where kernels overlap, the values are added. In the end `padding` rows and columns are cut off on each side.

By hand, in one row: the pixels 1, 2, the kernel 1, 3, 3, 1, stride 2.

| | | | | | | |
|---|---|---|---|---|---|---|
| from the pixel 1 | 1 | 3 | 3 | 1 | | |
| from the pixel 2 | | | 2 | 6 | 6 | 2 |
| sum | 1 | 3 | 5 | 7 | 6 | 2 |

**Exercise.** Write it for a map `x` (h, w) and a `kernel` (k, m).
""", "term", "slide")

code("gan-transposed", """
def transposed_convolution(x, kernel, stride, padding):
    return ...  # your code here


transposed_convolution = exercises.transposed_convolution.check(transposed_convolution)
""", CHECK)

md("gan-transposed-keras", """
Keras' layer, with a random kernel; `padding="same"` cuts off one row on each side here, and the size doubles.
""")

code("gan-transposed-code", """
x = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
layer = layers.Conv2DTranspose(1, 4, strides=2, padding="same", use_bias=False)
theirs = layer(x[None, :, :, None]).numpy()[0, :, :, 0]
ours = transposed_convolution(x, layer.get_weights()[0][:, :, 0, 0], 2, 1)
print(x.shape, "->", ours.shape)
assert np.allclose(ours, theirs, atol=1e-5)
for size in (3, 4):
    meet = transposed_convolution(np.ones((4, 4)), np.ones((size, size)), 2, 1)[3]
    print(f"kernel {size}: so many entries meet in the pixels of a row: {meet.astype(int).tolist()}")
""", CHECK)

md("gan-recipe", r"""
With a kernel of 3 and stride 2, neighbouring pixels get different numbers of contributions, which can show as a checkerboard (Odena et al. 2016). With a kernel of 4 all inner pixels get equally many; hence the 4 below.

The recipe, with the paper's reasons (arXiv:1511.06434) or those of an earlier lesson:

| recipe | reason |
|---|---|
| strided and transposed convolutions, no pooling | the networks learn how to shrink and enlarge |
| batch norm, but neither at the generator's output nor at the discriminator's input | without these exceptions training became unstable |
| ReLU in the generator, tanh at its end | images have a fixed range, which we move from [−1, 1] to [0, 1] |
| leaky ReLU in the discriminator | its slopes teach the generator, and have to get through (lesson 03) |
| weights start small, from $N(0, 0.02^2)$ | first images are grey, first logits near 0: neither player begins far ahead |
| Adam, rate 0.0002, $\beta_1=0.5$ | section 4 |

## 6. Asking for a class: two heads

We want images *of something*. In a **conditional GAN** (Mirza and Osindero 2014) the class is an input: beside $z$ the generator gets 32 numbers that belong to the class. They stand in a table, the `Embedding` layer, and are learned like weights.

But why should the generator heed it? Something has to notice when an image does not show what was asked for. In the AC-GAN (Odena et al. 2017) the discriminator has two last layers on the same body: one gives the logit, as before, the other a logit for each class. Both networks lower the cross-entropy of this **class head**:
- the discriminator on *original* slices, whose class is known: it learns what the classes look like;
- the generator on *its own* images, with the class that was asked for: it learns to show that class.

By hand, with four classes: the class head answers (2, 0, 0, 0). If the first class was asked for, its probability is $e^2/(e^2+3)=0.71$, and the loss 0.34; if the second was, 0.10 and 2.34.
""", "term", "slide")

code("gan-generator", """
small = {"kernel_initializer": keras.initializers.RandomNormal(stddev=0.02)}


def draws(latent=32, channels=96, classes=4):
    z, label = layers.Input((latent,)), layers.Input((), dtype="int32")
    x = layers.Concatenate()([z, layers.Embedding(classes, latent)(label)])
    x = layers.Reshape((4, 4, channels))(layers.Dense(16 * channels, use_bias=False, **small)(x))
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    for width in (channels // 2, channels // 4):  # 8×8, then 16×16
        enlarge = layers.Conv2DTranspose(width, 4, strides=2, padding="same", use_bias=False, **small)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(enlarge(x)))
    x = layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="tanh", **small)(x)
    return keras.Model([z, label], layers.Rescaling(0.5, 0.5)(x))
""")

code("gan-discriminator", """
def judges(channels=24, classes=4):
    image = layers.Input((32, 32, 1))
    x = layers.Rescaling(2.0, -1.0)(image)
    for width in (channels, 2 * channels, 4 * channels):  # 16×16, 8×8, 4×4
        x = layers.Conv2D(width, 4, strides=2, padding="same", **small)(x)
        if width > channels:
            x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.Flatten()(x)
    return keras.Model(image, [layers.Dense(1, **small)(x), layers.Dense(classes, **small)(x)])
""")

code("gan-same", """
keras.utils.set_random_seed(0)
for mine, theirs in [(draws(), gan.generator(classes=4)), (judges(), gan.discriminator(classes=4))]:
    assert [w.shape for w in mine.weights] == [w.shape for w in theirs.weights]
    print(f"{theirs.name}: {mine.count_params():,} parameters")
first = gan.sample(draws(), lesson.FIXED[:64], np.arange(64) % 4)
logit, of_class = judges()(first)
print(f"first images: pixels from {first.min():.2f} to {first.max():.2f}; logits within ±{np.abs(logit).max():.2f}")
""")

md("gan-7", r"""
## 7. Training on brain slices

The GAN gets the slices of 1,200 simulated *training* patients, four each. `gan.adversarial_step` makes the two turns of section 3, with slopes from a gradient tape (lesson 04), and adds the class loss. First, live, a **small sibling** of the stored network: half as wide, and 300 steps instead of 24,000. It shows how such a training begins, and no more.
""", "slide")

code("gan-live", """
brains = data.load("brain-lesions", size=32, seed=lesson.PATIENTS["train"], n_patients=1200)
train, test, names = brains.train, brains.test, brains.class_names
asked = np.arange(12) // 3  # three of each class

keras.utils.set_random_seed(0)
sibling = gan.generator(channels=64, classes=4)
step = gan.adversarial_step(sibling, gan.discriminator(16, classes=4))
times = (0, 100, 300)
_, grids = gan.train(
    step,
    train.x,
    times[-1],
    labels=train.targets["label"],
    batch_size=32,
    at=times,
    watch=lambda: gan.sample(sibling, lesson.FIXED[:12], asked),
)
""")

code("gan-live-plot", """
def rows_of(rows, titles, alt, caption, classes=True):
    fig, ax = plt.subplots(figsize=(10, 0.85 * len(rows) + 0.35))
    ax.imshow(np.vstack([np.hstack(list(row)) for row in rows]), vmin=0, vmax=1)
    ax.set(xticks=[], yticks=32 * np.arange(len(rows)) + 16, yticklabels=titles)
    if classes:
        ax.set_xticks(96 * np.arange(4) + 48, names)
        ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    plot.show(fig, alt, caption)


shown = np.concatenate([np.flatnonzero(test.targets["label"] == label)[2:70:28] for label in range(4)])
originals = test.x[shown, ..., 0]
rows_of(
    [*(grid[..., 0] for grid in grids), originals],
    [*(f"step {number}" for number in times), "original"],
    "Four rows of twelve small images: grey at step 0, then blurred ovals, then coarse ovals with grain; the last row shows original brain slices with ventricles and lesions.",
    "The small sibling, live. Each column is one latent vector; above it stands the class that it was asked for. Last row: original test slices of these classes (simulated lesions).",
)
""", hidden=True)

md("gan-stored", """
The **stored** GAN was trained three times anew (three, because each takes some 20 minutes of one core), for 24,000 steps. What is kept is a running mean of the generator's weights, which makes steadier images (Yazıcı et al. 2019). Seed 0, twelve fixed latent vectors:
""")

code("gan-snapshots", """
checks = [row["step"] for row in trained[0]["rows"]]
pictures = results.arrays("gan/conditional", 0)["images"] / 255  # (checks, 12, 32, 32), class n % 4 in place n
by_class = np.argsort(np.arange(12) % 4, kind="stable")
""")

code("gan-snapshots-plot", """
picked = [checks.index(number) for number in (500, 2000, 6000, 12000, 24000)]
rows_of(
    [*(pictures[place][by_class] for place in picked), originals],
    [*(f"step {checks[place]:,}" for place in picked), "original"],
    "Six rows of twelve small brain slices: at step 500 grainy ovals, later sharper outlines, folds and dark ventricles; clear lesions are rare. The last row shows original slices.",
    "The stored GAN, seed 0. Each column is one latent vector. Last row: original test slices of the same classes.",
)
""", "slide", hidden=True)

md("gan-over", """
**Predict** first, then move. (1) From which check on can you name a lesion? (2) Does the KID (a distance to original slices, section 8) fall at each check? (3) Do the three trainings end alike?
""")

code("gan-over-show", """
explorers.over_training().show()
""")

md("gan-over-seen", """
<details><summary>What you should have seen</summary>

(1) That is for you to say. Outlines come at once and ventricles within some thousand steps; clear lesions stay rare. (2) No, it first rises, from check 2 to check 3. (3) Nearly, as the numbers below say.

</details>
""")

code("gan-over-claims", """
def at_step(run, number, key="kid"):
    row = next(row for row in run["rows"] if row["step"] == number)
    return row["kid"] if key == "kid" else np.trace(row["read"]) / np.sum(row["read"])


kid_at = {check: np.array([at_step(training, check) for training in trained.values()]) for check in checks}
claim(
    "In each training the KID rises from step 500 to step 1,000, and is lower at the end than at both.",
    lambda k: bool((k[1000] > k[500]).all() and (k[24000] < k[500]).all() and (k[24000] < k[1000]).all()),
    kid_at,
    refuted_by=exchange(500, 1000),
)
claim(
    f"The second half of the training, from step 12,000 on, lowers the KID by at most {np.max(kid_at[12000] - kid_at[24000]):.2f}; the first half lowers it from 23.5 to below 0.3.",
    lambda k: bool((k[12000] - k[24000] < 0.06).all() and (k[12000] < 0.3).all() and (k[0] > 23).all()),
    kid_at,
    refuted_by=moved(0.1, 12000),
)
""", hidden=True)

code("gan-losses-plot", """
fig, axes = plt.subplots(1, 2, figsize=(9.5, 3))
for training, style in zip(trained.values(), ("-", "--", ":")):
    curves = np.array(training["losses"])
    for ax, curve in zip(axes, curves.T):
        ax.plot(0.2 * np.arange(1, len(curve) + 1), curve, style, lw=1.1, color=plot.COLOURS["blue"])
for ax, player_name in zip(axes, ("discriminator", "generator")):
    ax.set(title=f"loss of the {player_name}", xlabel="steps (thousands)")
plot.show(
    fig,
    alt="Two plots. The loss of the discriminator falls from about 1.9 to below 0.5 over 24,000 steps; that of the generator falls at first and then rises from about 1.3 to above 4.",
    caption="The losses of the three stored trainings, means over 200 steps, class loss included.",
)
""", "slide", hidden=True)

code("gan-losses-claim", """
windows = {"early": [], "late": []}
for training in trained.values():
    windows["early"].append(np.mean(training["losses"][15:25], axis=0))  # steps 3,000 to 5,000
    windows["late"].append(np.mean(training["losses"][-10:], axis=0))
windows = {when: np.array(means) for when, means in windows.items()} | {"start": kid_at[4000], "end": kid_at[24000]}


def gets_ahead(w):
    # The discriminator's loss is more than halved, the generator's more than doubled, and the KID is lower.
    losses = (w["late"][:, 0] < w["early"][:, 0] / 2) & (w["late"][:, 1] > 2 * w["early"][:, 1])
    return bool((losses & (w["end"] < w["start"])).all())


claim(
    f"By these curves the generator loses: from step 4,000 on the loss of the discriminator falls, below {windows['late'][:, 0].max() + 0.005:.2f} in the end, and that of the generator rises, to above {windows['late'][:, 1].min() - 0.05:.1f}. Yet the KID falls over the same steps in each training. The losses say who is ahead of whom, and not how good the images are.",
    gets_ahead,
    windows,
    refuted_by=exchange("early", "late"),
)
""", hidden=True)

md("gan-losses-why", """
Why the discriminator gets ahead, these runs do not tell. It may learn its 4,800 slices by heart; more patients or a weaker discriminator would have to be tried.
""")

md("gan-8", r"""
## 8. How near? KID

The eye does not see what is missing. We want a number that compares two *sets* of images. Pixels are a poor space for that: a brain moved by one pixel is far away. So both sets go through a network, and its features are compared. Which network has to be named: published values of KID mostly rest on one that was trained on photographs, ours on the small CNN of lesson 06, trained to tell the four classes on 2,400 *other* simulated patients, up to its 64 pooled features.

The **kernel inception distance**, KID (Bińkowski et al. 2018), asks: are two images of *different* sets as alike as two of the *same* set? The likeness of two images with features $a$ and $b$ of length $d$ is $k(a,b)=(a\cdot b/d+1)^3$, which is large where the features agree. Then

$$\mathrm{KID} = \underset{i\ne j}{\text{mean}}\;k(a_i,a_j) + \underset{i\ne j}{\text{mean}}\;k(b_i,b_j) - 2\,\underset{i,j}{\text{mean}}\;k(a_i,b_j)$$

By hand, with one feature, for the sets {0, 1} and {2, 3}: within the first is one pair, $(0\cdot1+1)^3=1$; within the second, $(2\cdot3+1)^3=343$; between them are four, 1, 1, 27 and 64, with the mean 23.25. KID $=1+343-2\cdot23.25=297.5$. If both sets come from the same source, KID is 0 on average; a single value can lie below 0.

**Exercise.** Write it for features `a` (m, d) and `b` (n, d).
""", "term", "slide")

code("gan-kid", """
def kid(a, b):
    return ...  # your code here


kid = exercises.kid.check(kid)
""", CHECK)

md("gan-kid-text", """
A KID alone says nothing. It needs a **floor**: what as many *original* slices of other patients get. So we compare at equal numbers, always 640 images against the 640 slices of the 160 test patients:
""", "term")

code("gan-kid-code", """
model = lesson.feature_model()
generator, asked = lesson.stored_generator(), np.arange(640) % 4
made, begun = (gan.sample(network, lesson.FIXED, asked) for network in (generator, sibling))
of_test = gan.features(model, test.x)
others = train.x[np.isin(train.groups, np.unique(train.groups)[:160])]
kids_live = {
    "original slices of 160 other patients": kid(gan.features(model, others), of_test),
    "stored GAN, seed 0": kid(gan.features(model, made), of_test),
    "small sibling, live": kid(gan.features(model, begun), of_test),
}
for name, value in kids_live.items():
    print(f"{value:8.3f}  {name}")
""")

code("gan-kid-stored", """
claim(
    "The small sibling has more than ten times the KID of the stored GAN, and the stored GAN more than five times that of originals.",
    kids_live["small sibling, live"] > 10 * kids_live["stored GAN, seed 0"]
    and kids_live["stored GAN, seed 0"] > 5 * kids_live["original slices of 160 other patients"],
)
low, high = min(final["limits"][1] for final in finals), max(final["limits"][2] for final in finals)
apart = {"gan": low, "floor": trained[0]["floor_limits"][2]}
claim(
    f"With intervals, the KID of the three stored trainings lies between {low:.2f} and {high:.2f}, and the floor between {trained[0]['floor_limits'][1]:.2f} and {apart['floor']:.2f}. (The intervals leave out a tenth of the patients and of the images at a time, in turn.)",
    lambda a: a["gan"] > a["floor"],
    apart,
    refuted_by=exchange("gan", "floor"),
)
""", hidden=True)

md("gan-kid-class", """
Where does the distance come from? One class at a time, 160 images against 160 test slices, beside the floor of that class:
""")

code("gan-kid-class-code", """
truth, known, of_made = test.targets["label"], train.targets["label"], gan.features(model, made)
of_train = gan.features(model, train.x)
of_class = {}
for label, name in enumerate(names):
    target = of_test[truth == label]
    floors = [kid(part, target) for part in np.split(of_train[known == label][:800], 5)]
    of_class[name] = kid(of_made[asked == label], target), max(floors)
    print(f"{name:22} generated {of_class[name][0]:.2f}, original {min(floors):.2f} to {max(floors):.2f}")
""")

code("gan-kid-class-claim", """
claim(
    "All four classes lie above their floors. The healthy images are nearest to theirs; each class with lesions has more than three times their KID.",
    all(own > top for own, top in of_class.values())
    and min(of_class[name][0] for name in names[1:]) > 3 * of_class["healthy"][0],
)
""", hidden=True)

md("gan-fid", """
(Our number of steps was fixed beforehand. Who stops where the KID against *test* slices is lowest has chosen on the test set.)

**Why not FID?** The better known FID describes each set by 2,144 means, variances and covariances. Estimated from a few hundred images they are off, and that makes FID larger (Chong and Forsyth 2020). Two halves of one set, for which the right answer is 0:
""")

code("gan-fid-code", """
rng, halves = np.random.default_rng(0), {}
for n in (100, 300, 900):
    pairs = [np.split(of_train[rng.permutation(len(of_train))[: 2 * n]], 2) for _ in range(5)]
    halves[n] = [np.mean([distance(a, b) for a, b in pairs]) for distance in (gan.frechet_distance, kid)]
    print(f"{n} original slices in each half: FID's formula {halves[n][0]:.2f}, KID {halves[n][1]:+.3f}")
""")

code("gan-fid-claim", """
far = max(abs(halves[n][1]) for n in halves)
claim(
    "Between two halves of the same slices FID's formula gives more with 100 than with 900 in each half, five times as much or more; KID stays within 0.1 of 0.",
    halves[100][0] > 5 * halves[900][0] and far < 0.1,
)
""", hidden=True)

md("gan-9", """
## 9. Whose lesions can be read?

KID asks no image for its class. So we count classes with a **reader network**: the CNN that gave us the features, with its last layer. It has no part in the game and has never seen a generated image. (The discriminator's own opinion of the class is no witness, for the generator was trained to please it.) Rows are what was asked for, columns what is read; beside it, the same for original test slices.
""", "term", "slide")

code("gan-read", """
reader = lesson.reader()
tables = {
    "generated: asked, read": lesson.read_as(reader, made, asked),
    "original: true class, read": lesson.read_as(reader, test.x, test.targets["label"]),
}
for name, table in tables.items():
    print(f"{name:28} right {np.trace(table) / table.sum():.0%} of {table.sum()}; read in all {table.sum(axis=0)}")
""")

code("gan-read-plot", """
fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.3))
stored_tables = [np.sum([final["read"] for final in finals], axis=0), np.array(trained[0]["read_original"])]
for ax, stored_table, title in zip(axes, stored_tables, ("generated", "original test slices")):
    plot.numbers(ax, 100 * stored_table / stored_table.sum(axis=1, keepdims=True), title, format=".0f", limit=100)
    ax.set_xticks(range(4), ["healthy", "mass", "white\\nmatter", "infarct"], fontsize=8)
    ax.set(xlabel="read as", ylabel="asked for" if title == "generated" else "true class")
axes[0].set_yticks(range(4), names, fontsize=8)
plot.show(
    fig,
    alt="Two tables of four rows and four columns, per cent of each row. On the left the diagonal is high for healthy and white-matter lesions and low for mass and infarct, which are often read as healthy; on the right the diagonal is high throughout.",
    caption="Per cent of each row. Left: 2,560 generated images of each of the three stored trainings, 7,680 in all. Right: the 640 original test slices.",
)
""", "slide", hidden=True)

code("gan-read-claims", """
counted = {"generated": stored_tables[0] / stored_tables[0].sum(axis=1, keepdims=True)}
counted["original"] = stored_tables[1] / stored_tables[1].sum(axis=1, keepdims=True)
counted["masses"] = [evaluate.wilson(final["read"][1][1], sum(final["read"][1]))[1] for final in finals]
counted["infarcts"] = [evaluate.wilson(final["read"][3][3], sum(final["read"][3]))[1] for final in finals]
right = reader.predict(test.x, batch_size=256, verbose=0).argmax(1) == truth
found_masses = evaluate.share(right, among=truth == 1, groups=test.groups).low
found_infarcts = evaluate.share(right, among=truth == 3, groups=test.groups).low
lost = stored_tables[0][1:, 0].sum() / stored_tables[0][1:].sum()
claim(
    f"Healthy images are read as healthy nearly always. But of the masses that were asked for only {counted['generated'][1, 1]:.0%} are read as masses, and of the infarcts {counted['generated'][3, 3]:.0%}: in each training far fewer than of the original ones, with intervals. Of all images that should show a lesion, {lost:.0%} are read as healthy.",
    lambda c: (
        c["generated"][0, 0] > 0.9
        and max(c["masses"]) < found_masses
        and max(c["infarcts"]) < found_infarcts
        and c["generated"][1:, 0].mean() > 0.2
    ),
    counted,
    refuted_by=moved(0.6, "masses", "infarcts"),
)
soon = {check: np.array([at_step(training, check, "read") for training in trained.values()]) for check in (500, 24000)}
claim(
    f"The count has a trap: at step 500, where the images are grainy ovals, {soon[500].min():.0%} to {soon[500].max():.0%} are read as asked, about as many as at the end ({soon[24000].min():.0%} to {soon[24000].max():.0%}). A reader names something in whatever it gets; only with the KID beside it does its count say how good the images are.",
    lambda r: bool((np.abs(r[500] - r[24000]) < 0.08).all()),
    soon,
    refuted_by=moved(0.1, 500),
)
""", hidden=True)


md("gan-read-text", """
The count does not see whether masses differ from each other as original ones do (AC-GANs are known for uniform classes, Hou et al. 2022), nor whether a person would agree. So look yourself.

**Predict:** in each row, three slices are original and three are generated. Which three are which?
""")

code("gan-guess", """
rng, order = np.random.default_rng(3), []
grid = []
for label in range(4):
    six = np.concatenate([test.x[test.targets["label"] == label][5::47][:3], made[asked == label][:3]])
    order.append(rng.permutation(6))
    grid.append(six[order[-1], ..., 0])
rows_of(
    grid,
    names,
    "Four rows of six brain slices, one row for each class, original and generated ones mixed.",
    "Three original test slices and three generated ones in each row, in random order.",
    classes=False,
)
""", hidden=True)

md("gan-guess-seen", """
<details><summary>What you should have seen</summary>

Generated are, counted from the left, in the first row 2, 3 and 5, in the second 1, 2 and 6, in the third 1, 4 and 6, in the fourth 1, 2 and 4. Among the lesions, sharp rings and wedges are original, grain and vague spots generated; healthy slices are hard to tell.

</details>
""")

code("gan-guess-check", """
made_at = [(np.flatnonzero(places >= 3) + 1).tolist() for places in order]
assert made_at == [[2, 3, 5], [1, 2, 6], [1, 4, 6], [1, 2, 4]]
""", hidden=True)

md("gan-10", r"""
## 10. Copies

A generator that prints its training images pleases every measure so far, and gives patients away. To each generated image we find the nearest of the 4,800 training slices, and the nearest of 4,800 **held-out** slices, of 1,200 patients whom the GAN has never seen. Two counts:
- *nearer to training* than to held-out: half of all new data, and nearly all copies (the idea of Meehan et al. 2020);
- *close to training*: less than half as far from a training slice as from any held-out one. The reverse is what happens by chance.

Images that are nearest to the same patient are no independent witnesses, so the intervals draw patients, each with the images nearest to them. Would this find copies at all? One control copies the whole training set, with a little noise (0.02); a second copies only a tenth, and takes the rest from new patients; a third sends new patients alone.
""", "slide")

code("gan-copies", """
strangers = data.load("brain-lesions", size=32, seed=lesson.PATIENTS["held out"], n_patients=1200)
held_out, rng = strangers.train, np.random.default_rng(0)


def copies(n):
    rows = rng.choice(len(train.x), n, replace=False)
    return np.clip(train.x[rows] + rng.normal(scale=0.02, size=(n, 32, 32, 1)), 0, 1)


new = np.concatenate([part.x for one in (brains, strangers) for part in (one.test, one.val)])  # 2,240 slices
z = rng.standard_normal((2240, 32), np.float32)
sources = {
    "new patients": new,
    "a tenth copied": np.concatenate([copies(224), new[224:]]),
    "all copied": copies(2240),
    "stored GAN, seed 0": gan.sample(generator, z, np.arange(2240) % 4),
}
""")

code("gan-copies-count", """
def look_for_copies(images):
    own, d_train = gan.nearest(images, train.x)
    other, d_other = gan.nearest(images, held_out.x)
    nearer = d_train < d_other
    patient = np.where(nearer, train.groups[own], held_out.groups[other])  # whose slice is the nearest of all
    return patient, nearer, d_train < d_other / 2, d_other < d_train / 2


looked = {name: look_for_copies(images) for name, images in sources.items()}
found = {}
for name, (patient, *counts) in looked.items():
    found[name] = near, close, by_chance = [evaluate.share(count, groups=patient) for count in counts]
    print(f"{name:20} nearer to training {near.value:.2f} ({near.low:.2f} to {near.high:.2f}); ", end="")
    print(f"close {close.value:.3f} ({close.low:.3f} to {close.high:.3f}); by chance {by_chance.value:.3f}")
""")

code("gan-copies-claims", """
fair, tenth, everything, ours = found.values()
claim(
    "Both counts see the tenth, and the whole: their intervals lie above one half, and above what happens by chance. New patients are at one half, within their interval, and none of them is close.",
    min(tenth[0].low, everything[0].low) > 0.5
    and min(tenth[1].low, everything[1].low) > 0.05
    and fair[0].low < 0.5 < fair[0].high
    and fair[1].high < 0.01,
)
both_sources = [np.concatenate(pair) for pair in zip(looked["new patients"], looked["stored GAN, seed 0"])]


def more(nearer, generated):
    return nearer[generated].mean() - nearer[~generated].mean()


gap = evaluate.bootstrap(more, both_sources[1], np.arange(4480) >= 2240, groups=both_sources[0], bounds=(-1, 1))
claim(
    f"The stored GAN (one training) makes no close copies that we found: fewer than 1 in 100 images, with the interval. The first count is less clear. {ours[0].value:.0%} of the images are nearer to training ({ours[0].low:.0%} to {ours[0].high:.0%}). That is above one half, and about where a generator comes out that copies a tenth; but beside the new patients it is a difference of {gap.value:+.2f} ({gap.low:+.2f} to {gap.high:+.2f}), which may be next to nothing.",
    ours[1].high < 0.01
    and ours[0].low > 0.5
    and gap.low < 0.02 < gap.high
    and abs(ours[0].value - tenth[0].value) < 0.04,
)
""", hidden=True)

md("gan-copies-text", """
The first count alone would have settled nothing. The second rules out many close copies; it does not rule out that something of *these* patients is in the images. Lesson 15 attacks harder.

**Question.** A paper says: "The generated images are far from all training images, so no patient can be recognised, and the images are good." What would you answer?
- a) Right: distance shows how good images are
- b) Right about patients, measured in pixels
- c) Neither follows: noise is far away, too
- d) Both follow, if the KID is at the floor
""")

code("gan-copies-question", """
exercises.far_from_training.check("…")
""", CHECK)

md("gan-11", """
## 11. Between two latent vectors

Had the generator learned a list of images by heart, there would be a jump on the way from one latent vector to another. We walk along an arc, because random vectors are nearly all equally long, and the middle of a straight line is too short.

**Predict** first, then move. (1) Same start, another class: what changes, and does the head stay the same? (2) Is the nearest training slice of the class that was asked for? (3) Does the picture jump on the way?
""")

code("gan-walk-show", """
explorers.walk().show()
""")

md("gan-walk-seen", """
<details><summary>What you should have seen</summary>

(1) Outline and ventricles mostly stay; another class moves the image less than half as far as another $z$. (2) Only for about one in three: pixels are a poor judge of what a slice shows. (3) No: no step of ten is more than a quarter of the whole way.

</details>
""")

code("gan-walk-check", """
path = np.stack([lesson.between(lesson.FIXED[3], lesson.FIXED[8], way) for way in np.linspace(0, 1, 11)])
walked = [gan.sample(generator, path, np.full(11, label)) for label in range(4)]
length = [np.linalg.norm(np.diff(images, axis=0).reshape(10, -1), axis=1).max() for images in walked]
whole = [np.linalg.norm(images[-1] - images[0]) for images in walked]
classes = [gan.sample(generator, lesson.FIXED[:40], np.full(40, label)).reshape(40, -1) for label in range(4)]
other_class = np.mean([np.linalg.norm(classes[0] - classes[label], axis=1).mean() for label in (1, 2, 3)])
other_z = np.linalg.norm(classes[0][:20] - classes[0][20:], axis=1).mean()
same = np.mean(train.targets["label"][gan.nearest(made, train.x)[0]] == asked)
assert max(a / b for a, b in zip(length, whole)) < 0.25 and other_class < other_z / 2 and 0.2 < same < 0.5
""", hidden=True)

md("gan-12", """
## 12. What may a generated image be used for?

It is a network's guess about what lies between its training patients. It may serve
- to show what a method does, as here, with the word *generated* beside it;
- to train another network, if a measurement shows that this helps (lesson 15), and with a label that is only what was asked for (section 9).

It may not serve
- as evidence of what a disease looks like or how often it occurs, or for a diagnosis: no patient stands behind it;
- as a release that concerns no patient: what a generator has seen can come out of it (section 10; lesson 15 attacks harder).

**Question.** The next lesson adds generated images to a classifier's training. Which patients may the GAN have been trained on?
- a) The classifier's training patients, nobody else
- b) All patients, if the GAN is shown no labels
- c) All patients: more data make better images
- d) The training and the validation patients
""", "slide")

code("gan-whose", """
exercises.whose_images.check("…")
""", CHECK)

md("gan-summary", """
## Summary
""", "slide")

code("gan-summary-claims", """
lines = [
    "A generator turns random numbers into images. It learns from the slopes that come back through a discriminator, which learns at the same time (sections 1 to 3; arXiv:1406.2661).",
    said(
        "Mode collapse has to be counted. Swings of the discriminator's loss went with it; a calm loss near log 4 did not mean that all modes were there.",
        lambda r: r[fined][:, 1].max() < 0.01 and r[fined][:, 0].max() < 8 == r[slow][:, 0].min(),
        both,
        refuted_by=exchange(fined, slow),
    ),
    said(
        "The losses of a GAN say who is ahead of whom: on brain slices the generator's loss rose while its images came nearer to the originals.",
        gets_ahead,
        windows,
        refuted_by=exchange("early", "late"),
    ),
]
""", hidden=True)

code("gan-summary-claims-2", """
claims.summary(
    *lines,
    said(
        "KID needs a floor at equal numbers; ours stayed at about ten times the floor in all three trainings.",
        far_off,
        got,
        refuted_by=exchange("floor", "originals"),
    ),
    said(
        "A reader network finds the lesions that were asked for far less often than those of original slices: fewer than two of three masses and infarcts.",
        lambda c: max(*c["masses"], *c["infarcts"]) < 2 / 3,
        counted,
        refuted_by=moved(0.6, "masses", "infarcts"),
    ),
    said(
        "A test for copies has to find a generator that copies a tenth. Ours did, and among the GAN's images it found no close copy; that bounds one kind of leak.",
        tenth[1].low > 0.05 and ours[1].high < 0.01,
    ),
)
""", hidden=True)

md("gan-found-title", """
### What the article says, and what we found
""")

code("gan-found", """
claims.found(
    (
        "A GAN consists of a generator and a discriminator (§2.3)",
        said(
            "Yes. In the plane, with nothing but the slopes of their losses, they find at least six of eight modes in 1,500 steps.",
            modes[3] >= 6,
        ),
    ),
    (
        "GANs make training data (§2.3)",
        said(
            "They make images. The KID of ours is about ten times the floor, and many of their lesions are not read as what was asked for. Whether such images help a classifier is the question of lesson 15.",
            far_off,
            got,
            refuted_by=exchange("floor", "originals"),
        ),
    ),
    ("GANs enhance and restore images (§2.3)", "The subject of lesson 16."),
)
""", hidden=True)

md("gan-references", """
Run `exercises.progress()` in a cell of your own to see where you stand.

### References

- I. Goodfellow et al.: Generative adversarial networks, 2014. arXiv:1406.2661
- A. Radford et al.: Unsupervised representation learning with deep convolutional generative adversarial networks, ICLR 2016. arXiv:1511.06434
- A. Odena et al.: Deconvolution and checkerboard artifacts, Distill 2016. doi:10.23915/distill.00003
- M. Mirza, S. Osindero: Conditional generative adversarial nets (2014). arXiv:1411.1784
- A. Odena et al.: Conditional image synthesis with auxiliary classifier GANs, ICML 2017. arXiv:1610.09585
- L. Hou et al.: Conditional GANs with auxiliary discriminative classifier, ICML 2022. arXiv:2107.10060
- L. Mescheder et al.: Which training methods for GANs do actually converge? ICML 2018. arXiv:1801.04406
- T. Miyato et al.: Spectral normalization for generative adversarial networks, ICLR 2018. arXiv:1802.05957
- Y. Yazıcı et al.: The unusual effectiveness of averaging in GAN training, ICLR 2019. arXiv:1806.04498
- M. Bińkowski et al.: Demystifying MMD GANs, ICLR 2018. arXiv:1801.01401
- M. J. Chong, D. Forsyth: Effectively unbiased FID and Inception score and where to find them, CVPR 2020. arXiv:1911.07023
- C. Meehan et al.: A non-parametric test to detect data-copying in generative models, AISTATS 2020. arXiv:2004.05675

**Next:** [15 · Synthetic training data](15_synthetic_data.ipynb): the images look like brains. Do they teach a classifier anything?
""")
