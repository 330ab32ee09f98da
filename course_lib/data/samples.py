"""Real medical images that ship inside Python packages: nothing is downloaded.

Sources and licences are the ones the packages state; datasets/README.md has a datasheet for each.
"""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from course_lib.data.base import described


@dataclass(frozen=True, eq=False)
class Sample:
    """One real image with what is known about it.

    image     float32; grey (h, w), RGB (h, w, 3), clip (t, h, w, 3) or volume (slices, h, w)
    unit      unit of the values: "HU" for the CT, else relative intensity in [0, 1]
    spacing   millimetres between pixel centres: (rows, columns) or (slices, rows, columns); None where unknown
    maps      further arrays of the image's shape, by name: the brain's tissue probabilities in [0, 1]
    note      what to know before using the image
    simulated always False: each sample is a real image
    """

    name: str
    title: str
    modality: str
    source: str
    licence: str
    unit: str = "relative intensity"
    note: str = ""
    image: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    spacing: tuple[float, ...] | None = None
    maps: dict[str, np.ndarray] = field(default_factory=dict)
    simulated: bool = False

    def __str__(self):
        spacing = " × ".join(f"{mm:.3g}" for mm in self.spacing) + " mm" if self.spacing else "unknown"
        ends = f"{self.image.min():.4g} to {self.image.max():.4g} {self.unit}"
        facts = {"image": f"{' × '.join(map(str, self.image.shape))}, {self.image.dtype}, {ends}", "spacing": spacing}
        facts |= {"maps": ", ".join(self.maps), "source": self.source, "licence": self.licence, "note": self.note}
        return described(f"{self.title} ({self.modality}, real)", facts)

    __repr__ = __str__


def sample(name: str) -> Sample:
    """Return the real image called `name`: "ct", "mr", "chest", "ultrasound", "echo", "retina",
    "histology", "microaneurysms" or "brain".

    Every image stands upright as it is stored. The axial ones (ct, mr, brain) are in radiological
    orientation: rows run from anterior to posterior, columns from the patient's right to left, so the
    patient's left side is on the right of the picture. "brain" is a volume whose first axis runs from
    inferior to superior: `image[k]` is the axial slice at MNI z = k - 72 mm.

    Raises ValueError for an unknown name and FileNotFoundError if the installed package lacks the file.
    """
    if name not in SAMPLES:
        raise ValueError(f"There is no sample called {name!r}. Choose one of: {', '.join(SAMPLES)}.")
    image, spacing, maps = _READERS[name]()
    return replace(SAMPLES[name], image=np.ascontiguousarray(image, dtype=np.float32), spacing=spacing, maps=maps)


def _dicom(file_name: str, package: str = "pydicom"):
    from pydicom import dcmread
    from pydicom.data import get_testdata_file

    path = get_testdata_file(file_name, download=False)
    if path is None:
        raise FileNotFoundError(
            f"The installed {package} lacks its test file {file_name}. Install the version in constraints.txt."
        )
    return dcmread(path)


def _read_ct():
    from pydicom.pixels import apply_rescale

    dataset = _dicom("CT_small.dcm")
    return apply_rescale(dataset.pixel_array, dataset), tuple(map(float, dataset.PixelSpacing)), {}


def _read_mr():
    dataset = _dicom("MR_small.dcm")
    pixels = dataset.pixel_array.astype(np.float32)
    return pixels / pixels.max(), tuple(map(float, dataset.PixelSpacing)), {}


def _read_dicom_colour(file_name: str):
    # pixel_array turns the echocardiogram's YBR colours into RGB.
    return _dicom(file_name).pixel_array / np.float32(255), None, {}


def _read_chest():
    from course_lib import imaging

    greys = imaging.greys(_dicom("RG1_UNCR.dcm", "pydicom-data"))
    return greys.image, greys.spacing, {}


def _read_skimage(function: str):
    import skimage.data

    return getattr(skimage.data, function)() / np.float32(255), None, {}


def _read_brain():
    t1, grey, white = (read_mni152(kind) for kind in ("t1", "gm", "wm"))
    return t1, (1.0, 1.0, 1.0), {"grey matter": grey, "white matter": white}


def read_mni152(kind: str) -> np.ndarray:
    """One volume of the MNI152 template, "t1", "gm" or "wm": float32 (189, 233, 197) in [0, 1], 1 mm voxels.

    Axes as `sample("brain")` documents them.
    """
    import nibabel
    import nilearn  # only to find its files: nilearn.datasets would do the same after four seconds of imports

    file_name = f"mni_icbm152_{kind}_tal_nlin_sym_09a_converted.nii.gz"
    path = Path(nilearn.__file__).parent / "datasets" / "data" / file_name
    if not path.exists():
        raise FileNotFoundError(f"The installed nilearn lacks {file_name}. Install the version in constraints.txt.")
    voxels, _ = radiological(nibabel.load(path))
    return np.ascontiguousarray(voxels / voxels.max())


def radiological(file) -> tuple[np.ndarray, tuple[float, ...]]:
    """Voxels (slices, h, w) and spacing of a NIfTI volume: slices upwards, rows backwards, columns to the patient's left."""
    import nibabel

    file = nibabel.as_closest_canonical(file)  # axes: left to right, posterior to anterior, up
    voxels = np.asarray(file.dataobj, dtype=np.float32).transpose(2, 1, 0)[:, ::-1, ::-1]
    return voxels, tuple(float(step) for step in file.header.get_zooms()[::-1])


_FACTS = tomllib.loads(Path(__file__).with_name("samples.toml").read_text(encoding="utf-8"))
SAMPLES = {name: Sample(name, **facts) for name, facts in _FACTS.items()}
"""What is known of each sample, without its image."""

_READERS: dict[str, Callable[[], tuple[np.ndarray, tuple[float, ...] | None, dict[str, np.ndarray]]]] = {
    "ct": _read_ct,
    "mr": _read_mr,
    "chest": _read_chest,
    "ultrasound": lambda: _read_dicom_colour("examples_rgb_color.dcm"),
    "echo": lambda: _read_dicom_colour("examples_ybr_color.dcm"),
    "retina": lambda: _read_skimage("retina"),
    "histology": lambda: _read_skimage("immunohistochemistry"),
    "microaneurysms": lambda: _read_skimage("microaneurysms"),
    "brain": _read_brain,
}
"""What reads (image, spacing, maps) when a sample is asked for."""
