"""From a trained model to something used: a release on disk, an image checked, an answer or a refusal.

Nothing here is a medical device.
"""

import hashlib
import io
import json
import math
import warnings
import zipfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from packaging.version import Version

from course_lib import imaging, ops
from course_lib.imaging import header
from course_lib.lessons.in_use.monitoring import Familiar

WARNING = "For teaching only. Not a medical device: not for diagnosis, not for patients."
LARGEST_FILE = 10_000_000  # bytes
LARGEST_RELEASE = 100_000_000  # bytes of one file of a release, unpacked
SIDES = 64, 1024  # pixels that a file may have a side
ASKEW = 0.95  # cosine of the largest angle (18°) between the slice's axes and those of the training images
FILES = "model.keras", "familiar.npz"
SAFE_KERAS = "3.13.2"  # the oldest whose loader has none of the holes that are known: section 3 of the lesson
BATCH = 64  # images at a time, so that memory stays small
_PLAIN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"  # transfer syntaxes without compression

NOT_SEEN = {
    "type": "what a picture went through before it was saved: a photograph of a screen, a screenshot with text in it",
    "size": "how many pixels it once had: a small picture that was enlarged",
    "damage": "a file that was damaged and repaired, or filled up with other bytes",
    "compression": "a picture that lost something when it was packed before, as in a JPEG file",
    "modality": "the sequence (the model knows T1 only), and a header that is wrong; PNG and JPEG say nothing",
    "field of view": "PNG and JPEG: a head that was cropped or enlarged",
    "orientation": "a header that is wrong; PNG and JPEG: a mirrored picture, and so the wrong side of the map",
    "polarity": "PNG and JPEG do not say which end is white",
    "values": "one very bright pixel of a DICOM file, which makes all others dark",
    "range": "whether there is a brain: only that there is more than one grey",
    "distance": "what the mean of a channel does not hold: upside down, mirrored, somewhat blurred; small lesions; whose "
    "picture it is",
}
"""What each check of `read_image` and `answer` lets through. It belongs into the card of every release."""


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
    "last" (what the last layer is given), arrays (n, features). For models whose layers follow one another.
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


def save(release, folder) -> str:
    """Write a release into a new folder: model.keras, familiar.npz, and card.json with the fingerprints of both.

    Returns the fingerprint of the model: who notes it elsewhere knows the file again, whatever its card says.
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
    return card["sha256"]["model.keras"]


def read_card(folder) -> dict:
    """The card of a release, with all that `load`, `read_image` and `answer` need. Raises as `load` does."""
    try:
        card = json.loads(_file(folder, "card.json").read_text(encoding="utf-8"))
    except ValueError as error:  # no JSON, or no UTF-8
        raise ValueError(f"card.json cannot be read ({error}): was it copied whole?") from None
    if not isinstance(card, dict):
        raise ValueError(f"card.json holds {type(card).__name__}, not the entries of a card.")
    for name, wanted in _ENTRIES.items():
        entry: Any = card
        for key in name.split("/"):
            entry = entry.get(key) if isinstance(entry, dict) else None
        number = isinstance(entry, int | float) and not isinstance(entry, bool) and 0 < entry < math.inf
        if not (number if wanted == _NUMBER else isinstance(entry, list if wanted == _LIST else str)):
            raise ValueError(
                f"card.json: {name} is {'missing' if entry is None else repr(entry)[:40]}; it must be {wanted}."
            )
    return card


_NUMBER, _LIST, _TEXT = "a finite number above 0", "a list", "a text"
_ENTRIES = {f"sha256/{name}": _TEXT for name in FILES} | {
    **dict.fromkeys(["input/size", "input/field_of_view_mm", "input/brightest"], _NUMBER),
    **dict.fromkeys(["temperature", "threshold", "largest_distance"], _NUMBER),
    **dict.fromkeys(["classes", "reliability/count", "reliability/right"], _LIST),
}


def load(folder, *, known=()) -> Release:
    """Read a release: card, fingerprints, versions and shapes are checked, and no code of its files is run.

    known: fingerprints of models that you know by another way than this folder (yours, the course's). Any other model is
    read by Keras 3.13.2 or newer only. A model in another format than .keras is not read at all.
    Raises FileNotFoundError if a file is missing, ValueError with a sentence if card or files are damaged, incomplete,
    not those of the card, too large or of the wrong kind, if they do not fit together, or if the model brings code of
    its own (a Lambda layer: Keras' safe mode).
    """
    card = read_card(folder)
    for name in FILES:
        if fingerprint(_file(folder, name)) != card["sha256"][name]:
            raise ValueError(f"{name} is not the file that the card describes: its fingerprint differs. Do not use it.")
    _demand_packed(folder, "model.keras", {"config.json", "metadata.json", "model.weights.h5"})
    _demand_packed(folder, "familiar.npz", {"mean.npy", "precision.npy"})
    if card["sha256"]["model.keras"] not in known and Version(version("keras")) < Version(SAFE_KERAS):
        raise ValueError(
            f"This model is not one that you know, and Keras {version('keras')} is installed: in versions before "
            f"{SAFE_KERAS} crafted .keras files got past the safe mode, or read files of yours. Update Keras first."
        )
    release = Release(_part("model.keras", _model, folder), _part("familiar.npz", _familiar, folder), card)
    size, (mean, precision) = int(card["input"]["size"]), release.familiar
    grey = np.full((1, size, size, 1), 0.5, np.float32)
    logits, features = _part(f"the model, with the card's images of {size} × {size} pixels,", look, release.model, grey)
    if logits.shape != (1, len(card["classes"])):
        raise ValueError(f"The model has {logits.shape[-1]} outputs, the card {len(card['classes'])} classes.")
    n = features["early"].shape[1]
    if (mean.shape, precision.shape) != ((n,), (n, n)) or not (
        np.isfinite(mean).all() and np.isfinite(precision).all()
    ):
        raise ValueError(f"familiar.npz does not fit the model, which has {n} features, or holds NaN or infinity.")
    return release


def _file(folder, name):
    path = Path(folder) / name
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {name} in {path.parent.name}: a release has three files.")
    return path


def _demand_packed(folder, name, parts):
    """Refuse what is no zip file with these parts in it, or unpacks to too much. Nothing is unpacked."""
    try:
        with zipfile.ZipFile(_file(folder, name)) as packed:
            size, missing = sum(info.file_size for info in packed.infolist()), parts - set(packed.namelist())
    except zipfile.BadZipFile:
        size, missing = 0, parts
    if missing:
        raise ValueError(
            f"{name} is of another kind than its name says: it does not hold {', '.join(sorted(missing))}."
        )
    if size > LARGEST_RELEASE:
        raise ValueError(f"{name} unpacks to {size / 1e6:,.0f} MB; at most {LARGEST_RELEASE / 1e6:.0f} are read.")


def _part(name, read, *arguments):
    try:
        return read(*arguments)
    except Exception as error:  # a file from a stranger breaks its reader in ways that it cannot all name
        raise ValueError(f"{name} cannot be loaded: {' '.join(str(error).split())[:300]}") from error


def _model(folder):
    from course_lib.models import keras

    return keras.models.load_model(_file(folder, "model.keras"), compile=False, safe_mode=True)


def _familiar(folder):
    with np.load(_file(folder, "familiar.npz"), allow_pickle=False) as arrays:
        return Familiar(*(np.asarray(arrays[name], np.float64) for name in Familiar._fields))


# ---- From a file to an answer --------------------------------------------------------------------


def read_image(content: bytes, wanted: dict) -> np.ndarray:
    """The picture in a PNG, JPEG or DICOM file, as (1, size, size, 1) float32 in [0, 1].

    content: the bytes of the file; its name is not asked, since names lie. wanted: the entry "input" of a card: size in
    pixels; field_of_view_mm, the side of the pictures that the model knows (a DICOM file says its own); brightest, the
    median of their largest values. MR values have no unit: those of a DICOM file are rescaled as its header says, then
    made so large that the largest one is `brightest`. PNG and JPEG are taken as they are, white as 1.
    Raises Refusal for everything else (the lesson's section 4 lists it), TypeError for what is no bytes.
    """
    if not isinstance(content, bytes):
        raise TypeError(f"read_image takes the bytes of a file, not {content!r:.60}: give Path(name).read_bytes().")
    megabytes = len(content) / 1e6
    _demand(
        len(content) <= LARGEST_FILE, f"The file has {megabytes:.0f} MB; at most {LARGEST_FILE / 1e6:.0f} are read."
    )
    is_dicom = content[128:132] == b"DICM"
    if not is_dicom and not content.startswith((b"\x89PNG\r\n", b"\xff\xd8\xff")):
        raise Refusal(
            "The file is neither PNG nor JPEG, nor DICOM (with DICM after 128 bytes), whatever its name says."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a reader only remarks on is refused below, or does no harm
            picture = _dicom(content, wanted["field_of_view_mm"]) if is_dicom else _png_or_jpeg(content)
    except Refusal:
        raise
    except Exception as error:  # a damaged file breaks its reader in ways that it cannot all name
        if is_dicom and isinstance(error, ValueError):  # from `imaging`, whose sentences name the element
            raise Refusal(f"The DICOM header does not make sense. {str(error).rstrip('.')}.") from None
        raise Refusal("The file is damaged or incomplete: no picture can be read from it.") from None
    picture = wanted["brightest"] * picture if is_dicom else picture
    _demand(np.ptp(picture) >= 0.1, "The picture is almost of one grey: there is nothing to see in it.")
    from skimage.transform import resize

    size = wanted["size"], wanted["size"]
    return resize(picture, size, anti_aliasing=True).astype(np.float32).clip(0, 1)[None, ..., None]


def _demand(holds, reason):
    if not holds:
        raise Refusal(reason)


def _png_or_jpeg(content):
    """Greys (h, w) in [0, 1]."""
    from PIL import Image

    with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as picture:
        _demand_size(*picture.size)  # before the pixels are unpacked: a small file can hold a huge picture
        _demand(getattr(picture, "n_frames", 1) == 1, "The file holds several pictures; the model takes one slice.")
        straight = picture.getexif().get(0x0112, 1) == 1
        _demand(straight, "The file says that its picture has to be turned (Exif): turn it, and save it again.")
        if picture.mode.startswith("I"):
            pixels = np.asarray(picture)
            _demand(
                pixels.max() >= 2**15,
                f"The picture has 16 bits, of which its largest value, {pixels.max():,}, uses few: which value is white is "
                "not said. Save it so that white is 65,535, or with 8 bits.",
            )
            return pixels / 65535
        colours = np.asarray(picture.convert("RGBA"), np.float64) / 255
    _demand(colours[..., 3].min() == 1, "Parts of the picture are transparent: what would be seen there is not said.")
    _demand(np.ptp(colours[..., :3], axis=-1).max() <= 0.1, "The picture has colours; MR slices are grey.")
    return colours[..., :3].mean(-1)


def _dicom(content, field_of_view):
    """The values (h, w) of an axial MR slice, divided by the largest one."""
    from pydicom import dcmread
    from pydicom.filereader import read_dataset
    from pydicom.uid import UID

    # The first group alone: a small file that is deflated can hold gigabytes.
    meta = read_dataset(io.BytesIO(content[132:]), False, True, stop_when=lambda tag, *_: tag.group != 2)
    syntax = UID(str(meta.get("TransferSyntaxUID", "")))
    how = f"is written as {syntax.name}" if syntax else "does not say how it is written"
    _demand(syntax in _PLAIN, f"The DICOM file {how}; only files that are not compressed are read.")
    file = dcmread(io.BytesIO(content))
    modality = header.value(file, "Modality") or "nothing about its modality"
    _demand(modality == "MR", f"The header says {modality}; this model knows MR only.")
    frames = (header.numbers(file, "NumberOfFrames") or (1,))[0]
    _demand(frames == 1, "The file holds several frames; the model takes one slice.")
    kind = header.value(file, "PhotometricInterpretation") or "nothing"
    usual = kind != "MONOCHROME1" and header.value(file, "PresentationLUTShape") != "INVERSE"
    _demand(usual, "The header says that small values are white (MONOCHROME1 or INVERSE); MR slices are not so.")
    grey = kind == "MONOCHROME2" and (header.numbers(file, "SamplesPerPixel") or (1,))[0] == 1
    _demand(grey, f"The picture is not grey: the header says {kind}.")
    _demand_size(int(file.Columns), int(file.Rows))
    first = header.frame_headers(file)[0]
    _demand_field_of_view(file, first, field_of_view)
    axes = header.directions(first)
    _demand(axes, "How the slice lies in the patient is not said: Image Orientation (Patient) is missing.")
    axial = axes[0][0] >= ASKEW and axes[1][1] >= ASKEW
    words = " and ".join(header.orientation(file, first))
    _demand(axial, f"The header says: {words}. The model knows axial slices, the patient's left on the right.")
    try:
        file.pixel_array  # noqa: B018  decoded here and kept by pydicom
    except Exception:
        raise Refusal("The file is damaged or incomplete: its pixels cannot be read.") from None
    seen = imaging.greys(file)
    values = seen.values.astype(np.float64)
    _demand(
        np.isfinite(values).all(), "Some values are not finite numbers (NaN or infinite): what they mean is not known."
    )
    if seen.padding is not None:
        values[seen.padding] = 0
    _demand(
        values.min() >= 0, f"Some values are negative, down to {values.min():g}: magnitudes of an MR slice are not."
    )
    return values / max(values.max(), 1e-9)


def _demand_field_of_view(file, first, field_of_view):
    spacing, why = header.spacing(file, first)
    _demand(spacing, f"How large a pixel is, is not known: {why}.")
    height, width = spacing[0] * file.Rows, spacing[1] * file.Columns
    square = max(height, width) <= 1.05 * min(height, width)
    _demand(square, f"The slice shows {height:.0f} × {width:.0f} mm; the model was trained on square slices.")
    right = 0.8 < height / field_of_view < 1.25
    _demand(right, f"The slice shows {height:.0f} mm a side; the model knows heads at {field_of_view:.0f} mm.")


def _demand_size(width, height):
    low, high = SIDES
    right = low <= width <= high and low <= height <= high
    _demand(right, f"The picture has {width} × {height} pixels; from {low} to {high} a side are read.")
    square = max(width, height) <= 1.05 * min(width, height)
    _demand(square, f"The picture is not square ({width} × {height}); the model was trained on square slices.")


def answer(release, image) -> Answer:
    """What the model says about one image (1, size, size, 1) in [0, 1].

    Raises Refusal if the image is too far from those that the model was trained on: then its answer means nothing.
    """
    from course_lib import explain
    from course_lib.models import layers

    card = release.card
    if not np.isfinite(image).all():
        raise Refusal("The picture holds values that are no finite numbers.")
    logits, features = look(release.model, image)
    distance = float(release.familiar.distance(features["early"])[0])
    if not distance <= card["largest_distance"]:  # so that NaN is refused as well
        raise Refusal(
            "The picture does not look like those that the model was trained on "
            f"(distance {distance:.1f}; up to {card['largest_distance']:.1f} is answered)."
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
