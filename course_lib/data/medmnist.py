"""Real labelled datasets in MedMNIST's file format: downloaded and checked, or read from any local file.

An .npz file with `train_images`, `val_images` and `test_images`, uint8 (n, h, w) or (n, h, w, 3), and
`train_labels`, `val_labels` and `test_labels`, whole numbers (n, 1). Source: MedMNIST v2, Yang et al. 2023,
doi 10.1038/s41597-022-01721-8.
"""

import hashlib
import re
import tomllib
import warnings
import zipfile
from functools import cache
from pathlib import Path

import numpy as np

from course_lib.data.base import Dataset, Split, cache_folder, to_float

SPLITS = ("train", "val", "test")
# Seconds to wait for a connection, and for the next bytes: without a network the error comes at once.
TIMEOUT = (3, 30)


@cache
def known() -> dict[str, dict]:
    """What medmnist.toml says about each dataset, by name."""
    return tomllib.loads(Path(__file__).with_name("medmnist.toml").read_text(encoding="utf-8"))


def load_known(name: str) -> Dataset:
    """One of the datasets in medmnist.toml, downloaded at first use.

    Raises ConnectionError if it cannot be downloaded, ValueError if the file is not what it should be.
    """
    path = _download(name)
    return _dataset(path, name, known()[name])


def load_file(path: Path) -> Dataset:
    """Any file in MedMNIST's format. Raises FileNotFoundError or ValueError with what is wrong."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}. Give the path of an .npz file in MedMNIST's format.")
    # A larger version of a known dataset (pneumoniamnist_64.npz), or a part of it, has the same classes.
    name = re.sub(r"(_(64|128|224))?(-dev)?$", "", path.stem)
    about = known().get(name, {"source": f"the file {path.name}", "licence": "see where the file comes from"})
    if path.stem.endswith("-dev"):
        note = "A development file: its splits are not the published ones. Never set its results beside published ones."
        about = {**about, "note": note}
    return _dataset(path, path.stem, about)


def _download(name: str) -> Path:
    about, path = known()[name], cache_folder() / f"{name}.npz"
    if path.exists():
        if hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() != about["md5"]:
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


def _dataset(path: Path, name: str, about: dict) -> Dataset:
    arrays = _read(path)
    images = {split: arrays[f"{split}_images"] for split in SPLITS}
    labels = {split: arrays[f"{split}_labels"] for split in SPLITS}
    class_names = tuple(about.get("class_names", ())) or None
    _check(path.name, images, labels, class_names)
    _warn(path.name, images)
    if class_names is None:
        class_names = tuple(f"class {number}" for number in range(int(labels["train"].max()) + 1))
    splits = {
        split: Split(to_float(images[split]), {"label": labels[split][:, 0].astype(np.int64)}) for split in SPLITS
    }
    return Dataset(
        name,
        **splits,
        class_names=class_names,
        source=about["source"],
        licence=about["licence"],
        simulated=False if "md5" in about else None,
        note=about.get("note", ""),
    )


def _read(path: Path) -> dict[str, np.ndarray]:
    """The six arrays of the file, or a ValueError that says why they cannot be read."""
    if not zipfile.is_zipfile(path):
        start = path.read_bytes()[:64].lstrip()
        if start.startswith(b"PK"):
            what = "it is cut off or damaged. Download or copy it again."
        elif start.startswith(b"<"):
            what = "it is a web page, probably an error message that was saved under this name. Download it again."
        else:
            what = f"it begins with {start[:12]!r}. An .npz file is a zip archive of NumPy arrays."
        raise ValueError(f"{path} is not an .npz file: {what}")
    arrays = {}
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [f"{s}_{kind}" for s in SPLITS for kind in ("images", "labels") if f"{s}_{kind}" not in file]
            if missing:
                raise ValueError(f"it lacks {', '.join(missing)}; it holds {', '.join(file.files) or 'nothing'}.")
            for split in SPLITS:
                for key in (f"{split}_images", f"{split}_labels"):
                    arrays[key] = _read_array(file, key)
    except ValueError as error:
        raise ValueError(f"{path} is not in MedMNIST's format: {error}") from None
    except Exception as error:  # a damaged archive raises nearly anything
        raise ValueError(f"{path} is damaged ({error}). Download or copy it again.") from None
    return arrays


def _read_array(file, key: str) -> np.ndarray:
    try:
        array = file[key]
    except ValueError as error:
        if "pickle" in str(error):
            raise ValueError(
                f"{key} holds Python objects instead of numbers. Reading them could run foreign code: refused."
            ) from None
        raise ValueError(f"{key} cannot be read ({error}).") from None
    if not isinstance(array, np.ndarray):  # a member that is no .npy file comes as bytes
        raise ValueError(f"{key} is not a NumPy array.")
    return array


def _check(file: str, images: dict, labels: dict, class_names: tuple[str, ...] | None) -> None:
    """Raise a ValueError unless shapes, types and label values are as the format says."""
    for split in SPLITS:
        image, label = images[split], labels[split]
        if image.dtype != np.uint8:
            raise ValueError(f"{file}: {split}_images has type {image.dtype}, but the format says uint8.")
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
        if not np.issubdtype(label.dtype, np.integer):
            raise ValueError(f"{file}: {split}_labels has type {label.dtype}, but labels are whole numbers.")
        if label.ndim != 2 or label.shape[1] != 1:
            raise ValueError(
                f"{file}: {split}_labels has shape {label.shape}, but the format says (n, 1): one label for each "
                "image. Files with several labels for an image cannot be read."
            )
        if len(label) != len(image):
            raise ValueError(f"{file}: {split} has {len(image)} images, but {len(label)} labels.")
        if label.min() < 0:
            raise ValueError(f"{file}: {split}_labels holds {label.min()}, but labels count from 0.")
    found = np.unique(labels["train"])
    if class_names is None and len(found) != found[-1] + 1:
        raise ValueError(f"{file}: train_labels are {found.tolist()}, but labels count 0, 1, 2, … without a gap.")
    n_classes = len(class_names or found)
    for split in SPLITS:
        if labels[split].max() >= n_classes:
            raise ValueError(
                f"{file}: {split}_labels holds {labels[split].max()}, but there are {n_classes} classes, 0 to "
                f"{n_classes - 1}."
            )


def _warn(file: str, images: dict) -> None:
    """Warn of what can be worked with, but spoils results: blank images, and images in two splits."""
    for split in SPLITS:
        flat = images[split].reshape(len(images[split]), -1)
        blank = int(np.sum(flat.min(1) == flat.max(1)))
        if blank:
            warnings.warn(f"{file}: {blank} of {len(flat)} {split} images are blank.", stacklevel=5)
    digests = {s: [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images[s]] for s in SPLITS}
    seen = set(digests["train"])
    for split in ("val", "test"):
        twice = sum(digest in seen for digest in digests[split])
        if twice:
            warnings.warn(
                f"{file}: {twice} of {len(digests[split])} {split} images are also in the training split. "
                "Results on them are too good.",
                stacklevel=5,
            )


def write_generated(path: Path, *, shape=(28, 28), classes=2, images=(192, 64, 96), seed=0) -> None:
    """Write a small file in MedMNIST's format with generated images, to try code that reads such files: no X-rays.

    Each image is smooth noise with a bright disc, whose place tells the class. shape: (h, w) or (h, w, 3);
    images: how many for training, validation and test, at least as many as classes.
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
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]  # as in base.py
