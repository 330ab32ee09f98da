"""Where pixels lie: slices put in order, spacing, and resampling to another one."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from course_lib.imaging.greys import is_colour, modality_values, pixels
from course_lib.imaging.header import directions, frame_headers, numbers, spacing, towards, value
from course_lib.imaging.read import read_dicom


@dataclass(frozen=True, eq=False)
class Volume:
    """Slices in the order in which they lie in the patient.

    values       float32 (slices, h, w), the modality's values; unit as in `Greys`
    spacing      (slice, row, column) in mm; the first from Image Position (Patient), not from Slice Thickness
    orientation  ("slice numbers grow towards …", "row numbers grow towards …", "column numbers grow towards …")
    positions    mm along the normal of the slices, growing, (slices,)
    files        the file of each slice, in this order
    """

    values: np.ndarray
    unit: str
    spacing: tuple[float, float, float]
    orientation: tuple[str, str, str]
    positions: np.ndarray
    files: tuple[Path, ...]

    def __str__(self):
        return (
            f"volume {' × '.join(map(str, self.values.shape))}, {self.values.min():.6g} to {self.values.max():.6g} "
            f"{self.unit or '(unit unknown)'}\n  spacing      {' × '.join(f'{mm:.4g}' for mm in self.spacing)} mm "
            f"(slice, row, column)\n  orientation  {'; '.join(self.orientation)}"
        )

    __repr__ = __str__


def read_series(paths):
    """Read the slices of one series, from a folder, a list of files or one multi-frame file, and return a Volume.

    The order is that of Image Position (Patient), projected on the normal of Image Orientation (Patient) (PS3.3
    C.7.6.2.1.1): neither file names nor Instance Number need to follow it. In a folder, hidden files and DICOMDIR are
    left out. A real example, five CT slices of 16 × 16 pixels, 2.5 mm apart, stands in pydicom's own folder
    data/test_files/dicomdirtests/98892001/CT5N. Raises ValueError with a sentence if a file cannot be read, slices are
    of several series, sizes, units or orientations, have no position, or are missing, repeated or unevenly spaced.
    """
    if isinstance(paths, (str, Path)):
        folder = Path(paths)
        if not folder.exists():
            raise FileNotFoundError(f"There is no folder {folder}.")
        inside = sorted(p for p in folder.iterdir() if p.is_file()) if folder.is_dir() else [folder]
        paths = [p for p in inside if not p.name.startswith((".", "DICOMDIR"))]
    slices, kinds = [], {"series": {}, "sizes": {}, "units": {}}
    for path in map(Path, paths):
        dataset = read_dicom(path)
        if is_colour(dataset):
            raise ValueError(f"{path.name} has colours: a series of slices has grey values.")
        headers = frame_headers(dataset)
        values, unit = modality_values(dataset, headers, pixels(dataset))
        many = values if values.ndim == 3 else values[None]
        if len(headers) != len(many):
            raise ValueError(f"{path.name} has {len(many)} frames, and its header does not say where each one lies.")
        for header, picture in zip(headers, many, strict=True):
            axes, place = directions(header), numbers(header, "ImagePositionPatient", 3)[:3]
            mm = spacing(dataset, header)[0]
            if axes is None or not place or mm is None:
                raise ValueError(f"{path.name} lacks position, orientation or spacing: its place is unknown.")
            marks = str(value(dataset, "SeriesInstanceUID")), (picture.shape, mm), unit
            for found, mark in zip(kinds.values(), marks, strict=True):
                found.setdefault(mark, []).append(path.name)
            slices.append([0.0, axes, picture, place, path])
    if len(slices) < 2:
        raise ValueError(f"{len(slices)} slices make no volume: give at least two.")
    for name, found in kinds.items():
        if len(found) > 1:
            examples = ", ".join(f"{len(files)} like {files[0]}" for files in found.values())
            raise ValueError(f"The slices are of {len(found)} {name}: {examples}. Give the files of one.")
    axes, normal, start = slices[0][1], np.cross(*slices[0][1]), slices[0][4].name
    for one in slices:
        if not np.allclose(one[1], axes, atol=1e-3):
            raise ValueError(f"{one[4].name} is oriented otherwise than {start}: these are not parallel slices.")
        one[0] = float(normal @ one[3])
    slices.sort(key=lambda one: one[0])
    positions = np.array([one[0] for one in slices])
    gaps = np.diff(positions)
    step = float(np.sort(gaps)[(len(gaps) - 1) // 2])
    pairs = [f"{one[4].name} and {other[4].name}" for one, other in zip(slices, slices[1:], strict=False)]
    if gaps.min() < 0.01:
        raise ValueError(f"Two slices lie at the same place ({pairs[gaps.argmin()]}): repeated, or of several times.")
    if abs(gaps - step).max() > 0.02 * step + 0.01:
        k = abs(gaps - step).argmax()
        raise ValueError(
            f"The slices are not evenly spaced: {gaps[k]:.3g} mm between {pairs[k]}, {step:.3g} mm elsewhere. "
            "Is one missing?"
        )
    # positions that also move within the plane (a tilted gantry) would make a sheared volume
    travel = np.subtract(slices[-1][3], slices[0][3])
    if np.linalg.norm(travel) > 1.001 * (positions[-1] - positions[0]) + 0.01:
        raise ValueError("The slices are shifted against each other (a tilted gantry): stacked, they would be sheared.")
    words = [
        f"{name} numbers grow {towards(v)}"
        for name, v in zip(("slice", "row", "column"), (normal, *axes[::-1]), strict=True)
    ]
    values = np.stack([one[2] for one in slices]).astype(np.float32)
    files = tuple(one[4] for one in slices)
    return Volume(values, unit, (float(np.mean(gaps)), *mm), tuple(words), positions, files)


def resample(image, spacing, new_spacing, *, mask=False):
    """Resample to another pixel spacing; return the array and the spacing that it really has.

    image: (h, w) or (slices, h, w), one spacing in mm per axis. The edges of the field of view stay where they are;
    sizes are rounded to whole pixels, so that the spacing returned can differ a little from the one asked for.
    Images are interpolated linearly, after a Gaussian blur along axes that shrink (anti-aliasing), and come back as
    float32. With mask=True every new pixel takes the nearest old value, so that no label is invented, and the type
    is kept. Raises ValueError for spacings that are not positive or do not fit the axes.
    """
    from skimage.transform import resize

    image, spacing, new_spacing = np.asarray(image), np.asarray(spacing, float), np.asarray(new_spacing, float)
    for name, values in (("spacing", spacing), ("new_spacing", new_spacing)):
        if values.shape != (image.ndim,) or not np.all(values > 0):
            raise ValueError(
                f"`{name}` must be {image.ndim} positive numbers of mm, one per axis; it is {values.tolist()}."
            )
    size = np.maximum(1, np.round(image.shape * spacing / new_spacing)).astype(int)
    actual = tuple(float(mm) for mm in image.shape * spacing / size)
    if mask:
        return resize(image, size, order=0, preserve_range=True, anti_aliasing=False).astype(image.dtype), actual
    smaller = bool(np.any(size < image.shape))
    return resize(image.astype(np.float32), size, order=1, preserve_range=True, anti_aliasing=smaller), actual
