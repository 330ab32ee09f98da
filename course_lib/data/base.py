"""What every dataset of the course looks like, and where generated and downloaded files are kept."""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np

from course_lib import ROOT


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a dataset: training, validation or test.

    x        images (n, h, w, c) or clips (n, t, h, w, c), float32 in [0, 1]
    targets  arrays (n,) by name; "label" is the class number, int64
    groups   (n,) patient of each image or clip, int64; None where the source does not say
    masks    (n, h, w) bool, True on the lesion; None where there are none
    """

    x: np.ndarray
    targets: dict[str, np.ndarray]
    groups: np.ndarray | None = None
    masks: np.ndarray | None = None

    def __len__(self):
        return len(self.x)

    @property
    def kind(self) -> str:
        """What one item is: "images" or "clips"."""
        return "clips" if self.x.ndim == 5 else "images"

    def __str__(self):
        patients = "patients unknown" if self.groups is None else f"{len(np.unique(self.groups))} patients"
        extras = ", masks" if self.masks is not None else ""
        return f"{len(self)} {self.kind} of {patients}; targets: {', '.join(self.targets)}{extras}"

    __repr__ = __str__


@dataclass(frozen=True, eq=False)
class Dataset:
    """A labelled dataset in three splits. No patient is in two of them, where patients are known.

    class_names  name of class 0, 1, …, as "label" counts them
    simulated    True if what is to be recognised was simulated; None for a file that does not say
    note         what to know before using it
    """

    name: str
    train: Split
    val: Split
    test: Split
    class_names: tuple[str, ...]
    source: str
    licence: str
    simulated: bool | None
    note: str = ""

    def __str__(self):
        kind = {True: "simulated", False: "real", None: "not known whether real or simulated"}[self.simulated]
        size = " × ".join(map(str, self.train.x.shape[1:]))
        classes = ", ".join(f"{number} {name}" for number, name in enumerate(self.class_names))
        lines = [
            f"{self.name} ({kind}), {self.train.kind} {size}",
            f"  classes  {classes}",
            f"  train    {self.train}",
            f"  val      {self.val}",
            f"  test     {self.test}",
            f"  source   {self.source}",
            f"  licence  {self.licence}",
        ]
        if self.note:
            lines.append(f"  note     {self.note}")
        return "\n".join(lines)

    __repr__ = __str__


def cache_folder() -> Path:
    """Folder of generated and downloaded data: `datasets/cache/`, or $COURSE_CACHE if set."""
    return Path(os.environ.get("COURSE_CACHE", ROOT / "datasets" / "cache"))


def to_float(images: np.ndarray) -> np.ndarray:
    """uint8 images (n, h, w) or (n, h, w, c) as float32 (n, h, w, c) in [0, 1]."""
    images = np.divide(images, 255, dtype=np.float32)
    return images[..., None] if images.ndim == 3 else images


def cached(name: str, file_name: str, shapes: dict[str, tuple], make: Callable[[], dict[str, np.ndarray]]):
    """The arrays that `make()` returns for the dataset `name`, read from the cache or made and written to it.

    What is in the cache is used only if it can be read whole and holds an array of each name in `shapes`, of that
    shape. Where nothing can be written, a warning says so.
    """
    path = cache_folder() / file_name
    arrays = _read(path, shapes)
    if arrays is None:
        arrays = make()
        try:
            _write(path, arrays)
        except OSError as error:
            warnings.warn(f"{name} could not be kept in {path} ({error}): made anew each time.", stacklevel=4)
    return arrays


def _read(path: Path, shapes: dict[str, tuple]) -> dict[str, np.ndarray] | None:
    """The cached arrays, or None if there are none or they are damaged (the zip archive has checksums)."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in shapes}
    except Exception:  # a damaged archive raises nearly anything; the answer is always to make it again
        return None
    return arrays if {key: array.shape for key, array in arrays.items()} == shapes else None


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write to a file of this process first: another one sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{uuid4().hex}.part")
    try:
        with part.open("wb") as file:
            np.savez(file, **arrays)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
