"""From a trained model to something used: a release on disk, an image checked, an answer or a refusal.

Nothing here is a medical device.
"""

import hashlib
import io
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from course_lib import ops
from course_lib.lessons.beyond.monitoring import Familiar

WARNING = "For teaching only. Not a medical device: not for diagnosis, not for patients."
LARGEST_FILE = 10_000_000  # bytes
SIDES = 64, 1024  # pixels that a file may have a side
FILES = "model.keras", "familiar.npz"
BATCH = 64  # images at a time, so that memory stays small


class Refusal(ValueError):
    """An image that gets no answer; the message is the reason, in a sentence for the user."""


@dataclass(frozen=True, eq=False)
class Release:
    """A model with everything that has to travel with it.

    model: Keras model for images (n, size, size, 1), outputs logits.
    familiar: what images of the training data look like to it (see `look`).
    card: dict that JSON can hold: name, version, data, classes, input, temperature, threshold, largest_distance, …
    """

    model: Any
    familiar: Familiar
    card: dict


class Answer(NamedTuple):
    """probability: of each class, calibrated, (classes,). lesion: the probability of any lesion. found: whether that
    reaches the threshold. like_this: of the validation images with about this highest probability, how many there were
    and the share that was right. distance: from the known images. heat: Grad-CAM of the likeliest class, (size, size).
    """

    probability: np.ndarray
    lesion: float
    found: bool
    like_this: tuple[int, float]
    distance: float
    heat: np.ndarray


# ---- What the network sees -----------------------------------------------------------------------


def look(model, images):
    """Logits (n, classes), and features by name: "early" (mean of each channel of the first two convolutions) and
    "last" (what the last layer is given), arrays (n, d). For models whose layers follow one another.
    """
    from course_lib.models import keras, layers

    parts = []
    for start in range(0, len(images), BATCH):
        x, early, last = keras.ops.convert_to_tensor(images[start : start + BATCH]), [], None
        for layer in model.layers:
            last, x = x, layer(x, training=False)
            if isinstance(layer, layers.Conv2D) and len(early) < 2:
                early.append(np.asarray(keras.ops.mean(x, (1, 2))))
        parts.append((np.asarray(x), np.concatenate(early, 1), np.asarray(last)))
    logits, early, last = (np.concatenate(part) for part in zip(*parts, strict=True))
    return logits, {"early": early, "last": last}


# ---- On disk -------------------------------------------------------------------------------------


def fingerprint(path) -> str:
    """SHA-256 of a file, in hexadecimal: two files with the same one are, for all purposes, the same file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def save(release, folder) -> None:
    """Write a release into a new folder: model.keras, familiar.npz, and card.json with the fingerprints of both.

    A release is never changed: FileExistsError if the folder is there already. Give the next version another name.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise FileExistsError(
            f"{folder.name} exists already, and a release is never overwritten: choose the next version's name."
        ) from None
    release.model.save(folder / "model.keras")
    np.savez(folder / "familiar.npz", mean=release.familiar.mean, precision=release.familiar.precision)
    versions = {name: version(name) for name in ("keras", "tensorflow", "numpy")}
    card = {**release.card, "made_with": versions, "sha256": {name: fingerprint(folder / name) for name in FILES}}
    (folder / "card.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load(folder) -> Release:
    """Read a release: both files must have the fingerprints of the card; no code of theirs is run.

    A model in another format than .keras is not read at all. Raises FileNotFoundError if a file is missing, ValueError
    if one is not what the card says, or if the model brings code of its own (a Lambda layer: Keras' safe mode).
    """
    from course_lib.models import keras

    folder = Path(folder)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    for name in FILES:
        if fingerprint(folder / name) != card["sha256"][name]:
            raise ValueError(f"{name} is not the file that the card describes: its fingerprint differs. Do not use it.")
    with np.load(folder / "familiar.npz", allow_pickle=False) as arrays:
        familiar = Familiar(arrays["mean"], arrays["precision"])
    return Release(keras.models.load_model(folder / "model.keras", compile=False, safe_mode=True), familiar, card)


# ---- From a file to an answer --------------------------------------------------------------------


def read_image(content: bytes, size: int, field_of_view: float) -> np.ndarray:
    """The picture in a PNG, JPEG or DICOM file, as (1, size, size, 1) float32 in [0, 1].

    content: the bytes of the file; its name is not asked, since names lie. field_of_view: side of the pictures that the
    model knows, in mm; a DICOM file says its own. DICOM values are divided by the largest one.
    Raises Refusal for anything else, and for what is damaged, too large or small, not square, coloured or empty.
    """
    if len(content) > LARGEST_FILE:
        raise Refusal(f"The file has {len(content) / 1e6:.0f} MB; at most {LARGEST_FILE / 1e6:.0f} are read.")
    if content[128:132] == b"DICM":
        picture = _read_dicom(content, field_of_view)
    elif content.startswith((b"\x89PNG\r\n", b"\xff\xd8\xff")):
        picture = _read_png_or_jpeg(content)
    else:
        raise Refusal("The file is neither PNG, JPEG nor DICOM, whatever its name says.")
    if np.ptp(picture) < 0.1:
        raise Refusal("The picture is almost of one grey: there is nothing to see in it.")
    from skimage.transform import resize

    return resize(picture, (size, size), anti_aliasing=True).astype(np.float32).clip(0, 1)[None, ..., None]


def _read_png_or_jpeg(content):
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as picture:
            _demand_size(*picture.size)  # before the pixels are unpacked: a small file can hold a huge picture
            if picture.mode.startswith("I"):  # 16 bits
                return np.asarray(picture, np.float64) / 65535
            colours = np.asarray(picture.convert("RGB"), np.float64) / 255
    except Refusal:
        raise
    except Exception:  # a damaged file breaks the reader in ways that it cannot all name
        raise Refusal("The file is damaged: the picture in it cannot be read to its end.") from None
    if np.ptp(colours, axis=-1).max() > 0.1:
        raise Refusal("The picture has colours; MR slices are grey.")
    return colours.mean(-1)


def _read_dicom(content, field_of_view):
    import pydicom

    try:
        file = pydicom.dcmread(io.BytesIO(content))
        modality = file.get("Modality", "nothing about its modality")
        if modality != "MR":
            raise Refusal(f"The header says {modality}; this model knows MR only.")
        _demand_size(file.Columns, file.Rows)
        if int(file.get("NumberOfFrames", 1)) != 1 or file.PhotometricInterpretation != "MONOCHROME2":
            raise Refusal("The file holds several frames or colours; the model takes one grey slice.")
        side = float(file.PixelSpacing[0]) * file.Rows
        if not 0.8 < side / field_of_view < 1.25:
            raise Refusal(f"The slice shows {side:.0f} mm a side; the model knows heads at {field_of_view:.0f} mm.")
        pixels = file.pixel_array.astype(np.float64)
    except Refusal:
        raise
    except Exception:
        raise Refusal("The DICOM file is damaged or incomplete: no picture could be read from it.") from None
    return np.clip(pixels / max(pixels.max(), 1), 0, 1)


def _demand_size(width, height):
    low, high = SIDES
    if not (low <= width <= high and low <= height <= high):
        raise Refusal(f"The picture has {width} × {height} pixels; from {low} to {high} a side are read.")
    if max(width, height) > 1.05 * min(width, height):
        raise Refusal(f"The picture is not square ({width} × {height}); the model was trained on square slices.")


def answer(release, image) -> Answer:
    """What the model says about one image (1, size, size, 1) in [0, 1].

    Raises Refusal if the image is too far from those that the model was trained on: then its answer means nothing.
    """
    from course_lib import explain
    from course_lib.models import layers

    card = release.card
    logits, features = look(release.model, image)
    distance = float(release.familiar.distance(features["early"])[0])
    if distance > card["largest_distance"]:
        raise Refusal(
            "The picture does not look like those that the model was trained on "
            f"(distance {distance:.0f}; up to {card['largest_distance']:.0f} is answered)."
        )
    probability = ops.softmax(logits[0] / card["temperature"])
    likeliest = int(probability.argmax())
    count, right = card["reliability"]["count"], card["reliability"]["right"]
    place = min(int(probability[likeliest] * len(count)), len(count) - 1)
    last = [layer.name for layer in release.model.layers if isinstance(layer, layers.Conv2D)][-1]
    lesion = float(1 - probability[0])
    return Answer(
        probability,
        lesion,
        lesion >= card["threshold"],
        (count[place], right[place]),
        distance,
        explain.grad_cam(release.model, image, likeliest, last)[0],
    )
