"""Real labelled datasets in MedMNIST's file format: downloaded and checked, or read from any local file.

An .npz file with `train_images`, `val_images` and `test_images`, uint8 (n, h, w) or (n, h, w, 3), and
`train_labels`, `val_labels` and `test_labels`, whole numbers (n, 1). Source: MedMNIST v2, Yang et al. 2023,
doi 10.1038/s41597-022-01721-8. What a file holds is judged by checksums, never by its name.
"""

import hashlib
import math
import re
import tomllib
import warnings
import zipfile
from functools import cache
from pathlib import Path

import numpy as np

from course_lib.data.base import Dataset, Split, cache_folder, to_float
from course_lib.imaging.read import demand_memory

SPLITS = ("train", "val", "test")
# Seconds to wait for a connection, and for the next bytes: without a network the error comes at once.
TIMEOUT = (3, 30)
MARK = "generated_by"  # the array by which a generated file says that it is one
DEVELOPMENT = "A development file: its splits are not the published ones. Never set its results beside published ones."
UNKNOWN_LICENCE = "see where the file comes from"


@cache
def known() -> dict[str, dict]:
    """What medmnist.toml says about each dataset, by name."""
    return tomllib.loads(Path(__file__).with_name("medmnist.toml").read_text(encoding="utf-8"))


def load_known(name: str) -> Dataset:
    """One of the datasets in medmnist.toml, downloaded at first use.

    Raises ConnectionError if it cannot be downloaded, ValueError if the file is not what it should be.
    """
    return _dataset(_download(name), name)


def load_file(path: Path) -> Dataset:
    """Any file in MedMNIST's format. Raises FileNotFoundError or ValueError with what is wrong."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}. Give the path of an .npz file in MedMNIST's format.")
    return _dataset(path, path.stem)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _download(name: str) -> Path:
    about, path = known()[name], cache_folder() / f"{name}.npz"
    if path.exists():
        if _md5(path) != about["md5"]:
            raise ValueError(
                f"{path} is not the published {name} file: its MD5 checksum is not {about['md5']}. It is damaged or "
                f"another version. Remove it to download it again, or read it as it is with data.load({str(path)!r})."
            )
        return path

    import pooch
    import requests

    try:
        pooch.retrieve(
            about["url"],
            known_hash=f"md5:{about['md5']}",
            fname=path.name,
            path=path.parent,
            downloader=pooch.HTTPDownloader(progressbar=True, chunk_size=2**16, timeout=TIMEOUT),
        )
    except requests.exceptions.RequestException as error:
        raise ConnectionError(
            f"{name} ({about['megabytes']} MB) could not be downloaded ({_reason(error)}). With a network: download "
            f"{about['url']} by hand and save it as {path}. Without one: data.load('brain-lesions') is generated on "
            "this machine and has the same interface."
        ) from None
    except ValueError:  # pooch compares the MD5 and removes what it downloaded
        raise ValueError(
            f"What {about['url']} delivered is not the published {name} file: its MD5 checksum is not "
            f"{about['md5']}. Nothing was kept. Try again; if it stays so, the network replaces the file (a log-in "
            f"page, a virus scanner) or the source has changed."
        ) from None
    return path


def _reason(error) -> str:
    response = getattr(error, "response", None)
    return f"the server answers {response.status_code}" if response is not None else type(error).__name__


def _dataset(path: Path, name: str) -> Dataset:
    arrays = _read(path)
    images = {split: arrays[f"{split}_images"] for split in SPLITS}
    columns = {split: arrays[f"{split}_labels"] for split in SPLITS}
    _check(path.name, images, columns)
    labels = {split: columns[split][:, 0].astype(np.int64) for split in SPLITS}
    digests = {s: [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images[s]] for s in SPLITS}
    _warn(path.name, images, labels, digests)
    marks = {split: _mark_of(images[split].shape[1:], digests[split], labels[split]) for split in SPLITS}
    about = _about(path, marks, str(arrays.get(MARK, "")), int(labels["train"].max()) + 1)
    train, val, test = (Split(to_float(images[split]), {"label": labels[split]}) for split in SPLITS)
    return Dataset(name, train, val, test, **about)


def _mark_of(shape: tuple[int, ...], digests: list[bytes], labels: np.ndarray) -> str:
    """16 hex digits of a split's images and labels, whatever their order."""
    items = sorted(digest + int(label).to_bytes(8, "little") for digest, label in zip(digests, labels, strict=True))
    return hashlib.sha256(repr(shape).encode() + b"".join(items)).hexdigest()[:16]


def _about(path: Path, marks: dict[str, str], generated: str, n_classes: int) -> dict:
    """What a Dataset says beside its splits: known by a checksum of the file or of its splits, or called unknown."""
    names = tuple(f"class {number}" for number in range(n_classes))
    source, licence, simulated = f"the file {path.name}", UNKNOWN_LICENCE, None
    official: tuple[str, ...] = ()
    note, md5 = (DEVELOPMENT if path.stem.endswith("-dev") else ""), _md5(path)
    # A larger version of a known dataset (pneumoniamnist_64.npz), or a part of it, has the same classes, if it is one.
    like = known().get(re.sub(r"(_(64|128|224))?(-dev)?$", "", path.stem))
    if generated:
        source, licence, simulated, like = generated, "made by this course", True, None
    elif like and len(like["class_names"]) == n_classes:
        names = tuple(like["class_names"])
        source += f", named like {like['source']}: not checked; names of classes as there"
    for name, about in known().items():
        same = [s for s in SPLITS if about["md5"] == md5 or marks[s] == about.get("splits", {}).get(s)]
        if not same:
            continue
        names, official = tuple(about["class_names"]), tuple(f"{name}/{split}" for split in same)
        if len(same) == len(SPLITS):
            source, licence, simulated, note = about["source"], about["licence"], False, about.get("note", "")
        elif marks == about.get("development"):
            source, licence, simulated, note = about["source"], about["licence"], False, DEVELOPMENT
        else:
            source = f"the file {path.name}: {' and '.join(same)} as in {about['source']}; the rest was not checked"
    return {
        "class_names": names,
        "source": source,
        "licence": licence,
        "simulated": simulated,
        "note": note,
        "official": official,
    }


def _read(path: Path) -> dict[str, np.ndarray]:
    """The six arrays of the file and its mark, if it has one, or a ValueError that says why they cannot be read."""
    with path.open("rb") as start_of_file:
        start = start_of_file.read(64).lstrip()
    if not zipfile.is_zipfile(path):
        if start.startswith(b"PK"):
            what = "it is cut off or damaged. Download or copy it again."
        elif start.startswith(b"<"):
            what = "it is a web page, probably an error message that was saved under this name. Download it again."
        else:
            what = f"it begins with {start[:12]!r}. An .npz file is a zip archive of NumPy arrays."
        raise ValueError(f"{path} is not an .npz file: {what}")
    keys = [f"{split}_{kind}" for split in SPLITS for kind in ("images", "labels")]
    try:
        with np.load(path, allow_pickle=False) as file:
            if missing := [key for key in keys if key not in file]:
                raise ValueError(f"it lacks {', '.join(missing)}; it holds {', '.join(file.files) or 'nothing'}.")
            keys += [MARK] if MARK in file else []
            # bytes, and beside them the same numbers as float32
            demand_memory(5 * sum(_announced(file.zip, key) for key in keys), "what it unpacks to")
            return {key: file[key] for key in keys}
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    except Exception as error:  # a damaged archive raises nearly anything
        raise ValueError(f"{path} is damaged ({error}). Download or copy it again.") from None


def _announced(archive: zipfile.ZipFile, key: str) -> int:
    """How many bytes the array has by its header: read before anything is unpacked, and compared with the archive's."""
    entry = archive.getinfo(key if key in archive.namelist() else f"{key}.npy")
    if entry.flag_bits & 1:
        raise ValueError(f"{key} is encrypted. Unpack the archive with its password, and pack it again without one.")
    with archive.open(entry) as member:
        try:
            version = np.lib.format.read_magic(member)
        except ValueError:
            raise ValueError(f"{key} is not a NumPy array.") from None
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(member)
        if dtype.hasobject:
            raise ValueError(
                f"{key} holds Python objects instead of numbers. Reading them could run foreign code: refused."
            )
        size, there = math.prod(shape) * dtype.itemsize, entry.file_size - member.tell()
    if size != there:
        raise ValueError(f"{key} announces {size:,} bytes, shape {shape}, but the archive holds {there:,}: damaged.")
    return size


def _check(file: str, images: dict, labels: dict) -> None:
    """Raise a ValueError unless shapes, types and label values are as the format says."""
    for split in SPLITS:
        image, label = images[split], labels[split]
        if image.dtype != np.uint8:
            raise ValueError(f"{file}: {split}_images has type {image.dtype}, but the format says uint8.")
        if image.ndim == 4 and image.shape[-1] == 1:
            raise ValueError(
                f"{file}: {split}_images has shape {image.shape}, but grey images are (n, height, width): save "
                "images[..., 0] instead."
            )
        if not (image.ndim == 3 or image.ndim == 4 and image.shape[-1] == 3):
            raise ValueError(
                f"{file}: {split}_images has shape {image.shape}. Expected (n, height, width) for grey images or "
                "(n, height, width, 3) for colour; three-dimensional MedMNIST files cannot be read."
            )
        if 0 in image.shape:
            raise ValueError(f"{file}: {split}_images has shape {image.shape} and thus no image.")
        if image.shape[1:] != images["train"].shape[1:]:
            raise ValueError(
                f"{file}: {split}_images are {image.shape[1:]}, but train_images are {images['train'].shape[1:]}."
            )
        if label.ndim == 2 and label.shape[1] > 1 and set(np.unique(label)) <= {0, 1} and np.all(label.sum(1) == 1):
            raise ValueError(
                f"{file}: {split}_labels has shape {label.shape} and one 1 in each row (one-hot), but the format says one "
                "label for each image: save labels.argmax(1)[:, None] instead."
            )
        if not np.issubdtype(label.dtype, np.integer):
            raise ValueError(f"{file}: {split}_labels has type {label.dtype}, but labels are whole numbers.")
        if label.ndim != 2 or label.shape[1] != 1:
            raise ValueError(
                f"{file}: {split}_labels has shape {label.shape}, but the format says (n, 1): one label for each "
                "image (labels[:, None] makes it of (n,)). Files with several labels for an image cannot be read."
            )
        if len(label) != len(image):
            raise ValueError(f"{file}: {split} has {len(image)} images, but {len(label)} labels.")
        if label.min() < 0:
            raise ValueError(f"{file}: {split}_labels holds {label.min()}, but labels count from 0.")
    found = np.unique(labels["train"])
    if len(found) != found[-1] + 1:
        raise ValueError(f"{file}: train_labels are {found.tolist()}, but labels count 0, 1, 2, … without a gap.")
    for split in SPLITS:
        if labels[split].max() >= len(found):
            raise ValueError(
                f"{file}: {split}_labels holds {labels[split].max()}, but there are {len(found)} classes, 0 to "
                f"{len(found) - 1}, in training."
            )


def _warn(file: str, images: dict, labels: dict, digests: dict) -> None:
    """Warn of what can be worked with, but spoils results: blank images, copies, and splits of one class."""

    def warn(text):
        warnings.warn(f"{file}: {text}", stacklevel=6)

    label_of: dict[bytes, set[int]] = {}
    for split in SPLITS:
        flat = images[split].reshape(len(images[split]), -1)
        if blank := int(np.sum(flat.min(1) == flat.max(1))):
            warn(f"{blank} of {len(flat)} {split} images are blank.")
        if len(only := np.unique(labels[split])) == 1:
            warn(
                f"all {len(flat)} {split} images have label {only[0]}. Nothing can be told apart there, and AUC is undefined."
            )
        for digest, label in zip(digests[split], labels[split], strict=True):
            label_of.setdefault(digest, set()).add(int(label))
    for earlier, split, name, so in (
        ("train", "val", "training", "Results on them are too good."),
        ("train", "test", "training", "Results on them are too good."),
        ("val", "test", "validation", "What is chosen on validation was chosen on them: results are too good."),
    ):
        seen = set(digests[earlier])
        if twice := sum(digest in seen for digest in digests[split]):
            warn(f"{twice} of {len(digests[split])} {split} images are also in the {name} split. {so}")
    if two := sum(len(found) > 1 for found in label_of.values()):
        warn(f"{two} images occur with two labels. One of both is wrong.")


def write_generated(path: Path, *, shape=(28, 28), classes=2, images=(192, 64, 96), seed=0) -> None:
    """Write a small file in MedMNIST's format with generated images, to try code that reads such files: no X-rays.

    Each image is smooth noise with a bright disc, whose place tells the class. shape: (h, w) or (h, w, 3);
    images: how many for training, validation and test, at least as many as classes. The file says that it is generated.
    """
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    arrays = {}
    for split, number in zip(SPLITS, images, strict=True):
        label = rng.permutation(np.arange(number) % classes)
        noise = ndimage.gaussian_filter(rng.normal(size=(number, *shape[:2])), (0, 1.5, 1.5))
        angle = 2 * np.pi * label / classes + rng.normal(0, 0.35, number)
        centre = [(0.5 + 0.25 * wave(angle)) * size for wave, size in ((np.sin, shape[0]), (np.cos, shape[1]))]
        distance = np.hypot(rows - centre[0][:, None, None], columns - centre[1][:, None, None])
        grey = 0.35 + 0.5 * noise + 0.3 * (distance < shape[0] / 8)
        pixels = np.clip(255 * grey, 0, 255).astype(np.uint8)
        arrays[f"{split}_images"] = pixels if len(shape) == 2 else np.repeat(pixels[..., None], shape[2], axis=-1)
        arrays[f"{split}_labels"] = label.astype(np.uint8)[:, None]
    arrays[MARK] = np.array("generated by course_lib.data.medmnist.write_generated: noise with a disc, no patient")
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]  # as in base.py
