"""What every dataset of the course looks like, and where generated and downloaded files are kept."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from course_lib import ROOT


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a dataset: training, validation or test.

    images   (n, h, w, c) float32 in [0, 1]
    targets  arrays (n,) by name; "label" is the class number, int64
    groups   (n,) patient of each image, int64; None where the source does not say
    masks    (n, h, w) bool, True on the lesion; None where there are none
    """

    images: np.ndarray
    targets: dict[str, np.ndarray]
    groups: np.ndarray | None = None
    masks: np.ndarray | None = None

    def __len__(self):
        return len(self.images)

    def __str__(self):
        patients = "patients unknown" if self.groups is None else f"{len(np.unique(self.groups))} patients"
        extras = ", masks" if self.masks is not None else ""
        return f"{len(self)} images of {patients}; targets: {', '.join(self.targets)}{extras}"

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
        size = " × ".join(map(str, self.train.images.shape[1:]))
        classes = ", ".join(f"{number} {name}" for number, name in enumerate(self.class_names))
        lines = [
            f"{self.name} ({kind}), images {size}",
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
