"""Real medical images that ship inside Python packages: nothing is downloaded.

Sources and licences are the ones the packages state; datasets/README.md has a datasheet for each.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

_PYDICOM_LICENCE = "shipped with pydicom (MIT); its README knows of no restriction on using the test files"
_MNI_LICENCE = (
    "© 1993–2004 Louis Collins, McConnell Brain Imaging Centre, Montreal Neurological Institute, McGill University; "
    "free to use, copy, modify and distribute with this notice"
)


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
    image: np.ndarray
    unit: str
    source: str
    licence: str
    spacing: tuple[float, ...] | None = None
    maps: dict[str, np.ndarray] = field(default_factory=dict)
    note: str = ""
    simulated: bool = False

    def __str__(self):
        spacing = " × ".join(f"{mm:.3g}" for mm in self.spacing) + " mm" if self.spacing else "unknown"
        lines = [
            f"{self.title} ({self.modality}, real)",
            f"  image    {' × '.join(map(str, self.image.shape))}, {self.image.dtype}, "
            f"{self.image.min():.4g} to {self.image.max():.4g} {self.unit}",
            f"  spacing  {spacing}",
            f"  source   {self.source}",
            f"  licence  {self.licence}",
        ]
        if self.maps:
            lines.insert(3, f"  maps     {', '.join(self.maps)}")
        if self.note:
            lines.append(f"  note     {self.note}")
        return "\n".join(lines)

    __repr__ = __str__


@dataclass(frozen=True)
class _Entry:
    """A catalogue row, and the function that reads (image, spacing, maps) when the sample is asked for."""

    title: str
    modality: str
    source: str
    licence: str
    read: Callable[[], tuple[np.ndarray, tuple[float, ...] | None, dict[str, np.ndarray]]]
    unit: str = "relative intensity"
    note: str = ""


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
    entry = SAMPLES[name]
    image, spacing, maps = entry.read()
    return Sample(
        name=name,
        title=entry.title,
        modality=entry.modality,
        image=np.ascontiguousarray(image, dtype=np.float32),
        unit=entry.unit,
        source=entry.source,
        licence=entry.licence,
        spacing=spacing,
        maps=maps,
        note=entry.note,
    )


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
    file = nibabel.as_closest_canonical(nibabel.load(path))  # axes: left to right, posterior to anterior, up
    voxels = np.asarray(file.dataobj, dtype=np.float32)
    return np.ascontiguousarray(voxels.transpose(2, 1, 0)[:, ::-1, ::-1] / voxels.max())


SAMPLES: dict[str, _Entry] = {
    "ct": _Entry(
        title="CT of the chest, axial, at a vertebra",
        modality="CT",
        source="CT_small.dcm in pydicom, 128×128 pixels of 'CT1_UNC' from the NEMA WG04 sample images",
        licence=_PYDICOM_LICENCE,
        read=_read_ct,
        unit="HU",
        note="A detail around the spine and the aorta, with intravenous contrast medium.",
    ),
    "mr": _Entry(
        title="MR, axial detail",
        modality="MR",
        source="MR_small.dcm in pydicom, 64×64 pixels of 'MR1_UNC' from the NEMA WG04 sample images",
        licence=_PYDICOM_LICENCE,
        read=_read_mr,
        note="Stored values divided by the largest. The header does not name the body part; an echo time of 240 ms "
        "makes it T2-weighted.",
    ),
    "chest": _Entry(
        title="Chest radiograph, frontal",
        modality="CR",
        source="RG1_UNCR.dcm in pydicom-data, 'RG1_UNCR' of the NEMA WG04 sample images",
        licence="shipped with pydicom-data (MIT), which does not name a licence of the images",
        read=_read_chest,
        note="Stored as MONOCHROME1 and shown with the header's window, so that bone is light. The header's Pixel Spacing "
        "is 0 × 0 mm: there is no scale. Round opacities in both lungs; the header says PA, and no diagnosis.",
    ),
    "ultrasound": _Entry(
        title="Power-Doppler ultrasound of a lymph node",
        modality="US",
        source="examples_rgb_color.dcm in pydicom, a crop of 'US1_UNCR' from the NEMA WG04 sample images",
        licence=_PYDICOM_LICENCE,
        read=lambda: _read_dicom_colour("examples_rgb_color.dcm"),
        note="Text is burnt into the pixels, the name of a hospital among it: anonymising a header is not enough.",
    ),
    "echo": _Entry(
        title="Echocardiogram, 30 frames",
        modality="US",
        source="examples_ybr_color.dcm in pydicom, fewer and smaller frames of 'color3d_jpeg_baseline'",
        licence=_PYDICOM_LICENCE,
        read=lambda: _read_dicom_colour("examples_ybr_color.dcm"),
        note="One second of an apical view by its looks (the header does not say). The probe moves, two frames "
        "repeat the one before, text is burnt into the pixels, and the header's calibration does not fit the stored "
        "frame size: no spacing.",
    ),
    "retina": _Entry(
        title="Fundus photograph of a normal left eye",
        modality="fundus photography",
        source="skimage.data.retina: Häggström 2014, WikiJournal of Medicine 1(2), doi 10.15347/wjm/2014.008",
        licence="CC0 1.0",
        read=lambda: _read_skimage("retina"),
    ),
    "histology": _Entry(
        title="Colonic glands, immunohistochemistry for FHL2",
        modality="microscopy",
        source="skimage.data.immunohistochemistry: Center for Microscopy and Molecular Imaging (CMMI)",
        licence="no known copyright restrictions",
        read=lambda: _read_skimage("immunohistochemistry"),
        note="Brown: DAB shows the protein; blue: haematoxylin counterstain.",
    ),
    "microaneurysms": _Entry(
        title="Microaneurysms in a retina, green channel",
        modality="fundus photography",
        source="skimage.data.microaneurysms: crop of 07_dr of the High-Resolution Fundus database, "
        "Budai et al. 2013, doi 10.1155/2013/154860",
        licence="CC0 1.0",
        read=lambda: _read_skimage("microaneurysms"),
    ),
    "brain": _Entry(
        title="MNI152 T1 template, average of 152 brains",
        modality="MR",
        source="nilearn's copy of ICBM 152 2009a, nonlinear symmetric: Fonov et al. 2011, "
        "doi 10.1016/j.neuroimage.2010.07.033",
        licence=_MNI_LICENCE,
        read=_read_brain,
        note="An average, smoother than any patient; the skull is removed; left and right are exact mirror images.",
    ),
}
