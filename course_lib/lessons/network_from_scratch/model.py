"""What notebook, experiment and explorers share: a graph of ten numbers, the networks and how they are trained."""

from course_lib import network

# Learning rate, epochs, and the epoch from which the rate is a fifth. The rates are those of the stored run `rates`.
RECIPES = {"no hidden layer": (0.0003, 120, 90), "dense network": (0.0001, 200, 150), "CNN": (0.004, 20, 15)}
AREA = (0.003, 100, 75)  # the same for the head for the lesion's area


def graph_values(x, w1, w2, t):
    """Values and gradients of a tiny network, worked out by hand: two dicts from node to number.

    z₁ = w₁x − 1, z₂ = w₂x + 1, h = max(0, z), ŷ = 0.5 h₁ + 3 h₂ + 1, L = (ŷ − t)².
    """
    b1, b2, v1, v2, c = -1.0, 1.0, 0.5, 3.0, 1.0
    z1, z2 = w1 * x + b1, w2 * x + b2
    h1, h2 = max(0.0, z1), max(0.0, z2)
    y = v1 * h1 + v2 * h2 + c
    values = {"x": x, "w₁": w1, "b₁": b1, "w₂": w2, "b₂": b2, "z₁": z1, "z₂": z2, "h₁": h1, "h₂": h2}
    values |= {"v₁": v1, "v₂": v2, "c": c, "ŷ": y, "t": t, "L": (y - t) ** 2}

    d_y = 2 * (y - t)
    d_h1, d_h2 = d_y * v1, d_y * v2
    d_z1, d_z2 = d_h1 * (z1 > 0), d_h2 * (z2 > 0)
    gradients = {"L": 1.0, "ŷ": d_y, "v₁": d_y * h1, "v₂": d_y * h2, "c": d_y, "h₁": d_h1, "h₂": d_h2}
    gradients |= {"z₁": d_z1, "z₂": d_z2, "w₁": d_z1 * x, "b₁": d_z1, "w₂": d_z2 * x, "b₂": d_z2}
    gradients["x"] = d_z1 * w1 + d_z2 * w2  # two ways lead from x to the loss: their shares are added
    return values, gradients


def images_and_labels(parts):
    """Images with the training part's mean subtracted, divided by its standard deviation, and labels; dicts by part."""
    mean, std = parts["train"].x.mean(), parts["train"].x.std()
    x = {name: (part.x - mean) / std for name, part in parts.items()}
    y = {name: part.targets["label"] for name, part in parts.items()}
    return x, y


def build_dense(rng, hidden=True):
    """Pixels (n, 32, 32, 1) to logits (n, 4): through 64 hidden ReLU units, or directly."""
    if not hidden:
        return network.Network([network.Flatten(), network.Dense(1024, 4, rng)])
    return network.Network([network.Flatten(), network.Dense(1024, 64, rng), network.ReLU(), network.Dense(64, 4, rng)])


def build_cnn(rng):
    """The lesson's CNN: (n, 32, 32, 1) to logits (n, 4)."""
    return network.Network(
        [network.Conv2D(1, 8, rng), network.ReLU(), network.MaxPool2D(2)]
        + [network.Conv2D(8, 16, rng), network.ReLU(), network.MaxPool2D(2)]
        + [network.Conv2D(16, 32, rng), network.ReLU(), network.MaxPool2D(4)]
        + [network.Flatten(), network.Dense(2 * 2 * 32, 4, rng)]
    )


def build(name, rng):
    """One of the networks of RECIPES."""
    return build_cnn(rng) if name == "CNN" else build_dense(rng, hidden=name == "dense network")


def body_and_head(cnn, rng):
    """The CNN's layers up to Flatten, as they are, and a new network of one output for the lesion's area."""
    return network.Network(cnn.layers[:-1]), network.Network([network.Dense(2 * 2 * 32, 1, rng)])


def train_epoch(net, x, targets, loss, optimiser, epoch, small_steps, seed=0):
    """Train for one epoch, and return its mean loss; at epoch `small_steps` the learning rate falls to a fifth."""
    if epoch == small_steps:
        optimiser.learning_rate /= 5
    return net.fit(x, targets, loss, optimiser, epochs=1, seed=100 * seed + epoch)[0]


def accuracy(net, x, labels):
    """The share of slices whose largest logit is that of the label, in [0, 1]."""
    return float((net.predict(x).argmax(axis=1) == labels).mean())
