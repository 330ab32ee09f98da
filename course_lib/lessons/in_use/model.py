"""What notebook, experiment, explorers and tests share: networks, other scanners, alarms, and images to try them on."""

import functools
import io

import numpy as np
from PIL import Image

from course_lib import data, results
from course_lib.images import simulate_scanner
from course_lib.lessons.explanations.model import largest_slices
from course_lib.lessons.in_use import serve

RELEASE = "in_use/release"
"""The folder of the stored release, for `results.folder`."""

ANSWERED, SENSITIVITY = 0.98, 0.95
"""Of the validation images: the share that is near enough to be answered, and of those with a lesion the share found."""

PATIENTS, DAYS, STREAMS, SLACK = 16, 100, 600, 0.5
"""Of the monitoring: patients a day, days, simulated clinics, and the slack in standard deviations of a day."""

SCANNERS = {
    "noise": [{"noise": s} for s in (0.02, 0.04, 0.06, 0.08)],
    "contrast": [{"gamma": g} for g in (0.6, 0.8, 1.25, 1.6)],
    "blur": [{"blur": b} for b in (1.0, 2.0, 3.0, 4.0)],
    "all three": [{"noise": 0.05 * s, "gamma": 1.4**s, "blur": 2.0 * s} for s in (0.25, 0.5, 0.75, 1.0)],
}
"""Settings of `simulate_scanner`, weak to strong."""


# ---- The networks --------------------------------------------------------------------------------


@functools.cache
def release() -> serve.Release:
    """The stored release. It came with the course as this code did: so its model is known by the card's fingerprint."""
    folder = results.folder(RELEASE)
    return serve.load(folder, known=[serve.read_card(folder)["sha256"]["model.keras"]])


def plain_network():
    """The small CNN that the experiment trained on the images as they are, seed 0."""
    from course_lib.models import small_cnn

    pixels = results.arrays("in_use/scanners", 0)
    model = small_cnn((64, 64, 1), 4, mean=float(pixels["mean"]), variance=float(pixels["variance"]))
    model.set_weights(results.weights("in_use/scanners", 0))
    return model


# ---- Images to try -------------------------------------------------------------------------------


def grey(name):
    """A real image of the course as a picture (h, w) in [0, 1]; the CT in a soft-tissue window."""
    image = data.sample(name).image
    image = image[0] if name == "echo" else image
    image = np.clip((image + 160) / 400, 0, 1) if name == "ct" else image
    return image.mean(-1) if image.ndim == 3 else image


def visitors():
    """Real images that are no T1 slice of a brain, and pure noise, by name: (1, 64, 64, 1) in [0, 1]."""
    from skimage.transform import resize

    pictures = {name: grey(name) for name in ("ct", "mr", "ultrasound", "echo", "retina", "histology")}
    pictures["noise"] = np.random.default_rng(0).random((64, 64))
    small = {name: resize(picture, (64, 64), anti_aliasing=True) for name, picture in pictures.items()}
    return {name: picture.astype(np.float32)[None, ..., None] for name, picture in small.items()}


@functools.cache
def demo_files():
    """Names and bytes of files to try: slices of test patients, and what should be refused."""
    from pydicom.data import get_testdata_file

    brains = data.load("brain-lesions")
    slices = brains.test.x[largest_slices(brains.test, range(4), [4])]
    files = [(f"brain, simulated: {name}", image) for name, image in zip(brains.class_names, slices, strict=True)]
    mass = slices[1]
    noisy, blurred = (simulate_scanner(mass[None], **change)[0] for change in ({"noise": 0.08}, {"blur": 1.5}))
    echo = grey("echo")
    side = min(echo.shape)
    files += [
        ("the mass, a noisy scanner", noisy),
        ("the mass, a blurred scanner", blurred),
        ("the mass, upside down", mass[::-1]),
        ("CT, as a picture", grey("ct")),
        ("MR of something else, as a picture", grey("mr")),
        ("retina", data.sample("retina").image[::2, ::2]),
        ("retina, made grey", grey("retina")[::2, ::2]),
        ("echocardiogram, made grey", echo[:side, -side:]),
        ("noise", np.random.default_rng(0).random((64, 64))),
    ]
    files = [(name, _png(image)) for name, image in files]
    with open(get_testdata_file("CT_small.dcm", download=False), "rb") as file:
        files.append(("CT, as a DICOM file", file.read()))
    damaged = dict(files)["retina"]
    return (*files, ("a damaged file", damaged[: len(damaged) // 2]), ("a text called brain.png", b"This is a brain."))


def _png(image):
    buffer = io.BytesIO()
    Image.fromarray(np.uint8(np.round(255 * np.squeeze(image)))).save(buffer, "png")
    return buffer.getvalue()
