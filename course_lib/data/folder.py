"""A folder of one's own images, or a table of them, as a dataset: what is left out is said, and what is not known.

folder/class/image.png             each folder is a class; .png, .jpg, .dcm, .nii, .nii.gz, DICOM without ending
folder/train/class/image.png       the same for each part: train, test and, if there is one, val
folder/table.csv                   columns path (from the table's folder), label, and perhaps patient and split
"""

import csv
import hashlib
import io
import math
import os
import re
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from course_lib import imaging
from course_lib._checks import is_whole
from course_lib.data.base import Dataset, Split
from course_lib.data.samples import radiological
from course_lib.imaging.header import value
from course_lib.imaging.read import demand_memory

PARTS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
SHARE = 0.15
"""Of the patients of a class, so many are for validation, and as many for the test; at least one each."""
ENDINGS = ".png", ".jpg", ".jpeg", ".dcm", ".nii", ".nii.gz"
DEEP = "pictures of 16 bits, divided by 65535"
MIDDLE = "several frames or slices, the middle one was taken"


@dataclass(eq=False)
class _Item:
    """A file: its picture, (h, w, 1 or 3) float32 in [0, 1], of `shape` (h, w) as stored; or why it is left out."""

    path: Path
    name: str
    label: str = ""
    part: str = ""
    patient: str = ""
    left_out: str = ""
    spacing: tuple[float, ...] | None = None
    shape: tuple[int, ...] = ()
    picture: Any = None
    remarks: list[str] = field(default_factory=list)


def load(path: Path, *, size: int | None, seed: int) -> Dataset:
    """Read the folder or table `path`, and print what was read, what was left out and why.

    size: side of the squares that images are fitted into, with black at two sides where they are not square; None
    leaves them as they are, if they are all of one size. seed: of the split by patient. Raises ValueError if what is
    left is no dataset: fewer than two classes, a class lost, too few patients for three parts, one patient in two parts.
    """
    for word, number, least in (("size", size, 1), ("seed", seed, 0)):
        if number is not None and not (is_whole(number) and number >= least):
            raise ValueError(f"{word} is {number!r}; it must be a whole number of at least {least}.")
    path = path.resolve()
    tables = sorted(p for p in path.iterdir() if p.suffix.lower() == ".csv") if path.is_dir() else [path]
    if len(tables) > 1:
        raise ValueError(f"{path} holds {len(tables)} tables: give the path of one, for example {tables[0]}.")
    found = _table(tables[0]) if tables else _folders(path)
    _read(found, size)
    _leave_out_copies(found)
    items = [item for item in found if not item.left_out]
    said = [f"{path.name}: {len(items)} of {len(found)} files are used.", *_left_out(found)]
    counts = {item.label: 0 for item in found if item.label} | Counter(item.label for item in items)
    if len(counts) < 2 or not all(counts.values()):
        text = ", ".join(f"{label!r} {count}" for label, count in counts.items()) or "none"
        what = f"{path} is no dataset of two classes or more, as folder/class/image.png or a table (.csv) is. Images: {text}."
        raise ValueError("\n  ".join([what, *said]))
    labels = sorted(counts, key=lambda label: (int(label) if label.isdecimal() else -1, label))
    _split(items, seed)
    notes = _notes(items, labels, size)
    print("\n  ".join(said + notes))
    patients = sorted({item.patient for item in items})
    colours = max(item.picture.shape[2] for item in items)

    def part(name):
        mine = [item for item in items if item.part == name]
        x = np.stack([np.broadcast_to(item.picture, (*item.picture.shape[:2], colours)) for item in mine])
        groups = np.searchsorted(patients, [item.patient for item in mine]) if patients[0] else None
        label = np.array([labels.index(item.label) for item in mine])
        return Split(x, {"label": label}, groups, files=np.array([item.name for item in mine]))

    source, note = f"your own, {path.name}: not checked", "\n           ".join(notes)
    parts = part("train"), part("val"), part("test")
    return Dataset(path.name, *parts, tuple(labels), source, "see where the images come from", None, note)


# ---- What there is --------------------------------------------------------------------------------------------------


def files(root: Path) -> list[Path]:
    """All files in a folder, in order, links followed, without hidden ones and those that systems leave (__MACOSX)."""
    inside = [path for path in root.iterdir() if not path.name.startswith((".", "__"))]
    real = root.resolve()  # a link that leads back to it, or above it, would make a ring
    folders = [path for path in inside if path.is_dir() and not real.is_relative_to(path.resolve())]
    return sorted([p for p in inside if not p.is_dir()] + [file for folder in folders for file in files(folder)])


def _folders(root: Path) -> list[_Item]:
    found = [_Item(path, path.relative_to(root).as_posix()) for path in files(root)]
    tops = {PARTS.get(item.name.split("/")[0].lower()) for item in found if "/" in item.name}
    depth = 2 if "train" in tops and len(tops - {None}) > 1 else 1
    for item in found:
        *places, _ = item.name.split("/")
        item.part = PARTS.get(places[0].lower(), "") if places and depth == 2 else ""
        if not item.path.is_file():
            item.left_out = "is a link that leads nowhere, or no file"
        elif not item.name.lower().endswith(ENDINGS) and not _is_dicom(item.path):
            item.left_out = f"is no {', '.join(ENDINGS)}, but {item.path.suffix or 'without ending'}"
        elif len(places) < depth or depth == 2 and not item.part or len(places) > depth and not _is_dicom(item.path):
            item.left_out = "does not lie in the folder of a class (a table can name files anywhere)"
        else:
            item.label = places[depth - 1]
    return found


def _table(table: Path) -> list[_Item]:
    try:
        text = table.read_text(encoding="utf-8-sig")
        mark = max(",;\t", key=text.partition("\n")[0].count)
        rows = csv.DictReader(io.StringIO(text), delimiter=mark)
        names = rows.fieldnames = [name.strip().lower() for name in rows.fieldnames or ()]
        content = [(rows.line_num, {key: (row[key] or "").strip() for key in names}) for row in rows]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{table} cannot be read as a table ({error}). Save it as CSV, in UTF-8.") from None
    if not {"path", "label"} <= {*names} or len({*names}) < len(names):
        raise ValueError(f"{table} needs columns path and label, and none twice; it has {', '.join(names) or 'none'}.")
    found = []
    for line, row in content:
        name, part = row["path"].replace("\\", "/"), PARTS.get(row.get("split", "").lower(), "")
        if not name or not row["label"] or ("split" in names and not part):
            raise ValueError(
                f"{table}, line {line}: path and label need a value, and a split is train, val or test; here are "
                f"{name!r:.60}, {row['label']!r:.60}, {row.get('split', '')!r:.60}."
            )
        there = os.path.isfile(table.parent / name)  # noqa: PTH113  False also for names that no file can have
        left_out = "" if there else "is named in the table, but not there"
        found.append(_Item(table.parent / name, name, row["label"], part, row.get("patient", ""), left_out))
    return found


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


# ---- Reading --------------------------------------------------------------------------------------------------------


def _read(found: list[_Item], size: int | None) -> None:
    """Give the items their pictures, or the reason why they are left out."""
    first, colours = None, 0
    items = [item for item in found if not item.left_out]
    for number, item in enumerate(items):
        try:
            picture = _picture(item)
        except Exception as error:  # a damaged file raises nearly anything
            text = " ".join(str(error).split()).replace(f" {str(item.path)!r}", "").removeprefix(f"{item.path.name} ")
            text = "may not be read: its owner has to permit it" if isinstance(error, PermissionError) else text
            item.left_out = text.strip(" .") or type(error).__name__
            continue
        item.shape, first = picture.shape[:2], first or item
        if picture.shape[2] > colours:  # float32: the pictures that are still to come, and all in one array
            colours, pixels = picture.shape[2], size**2 if size else math.prod(item.shape)
            demand_memory(4 * colours * pixels * (2 * len(items) - number), "all images (`size` makes them smaller)")
        if not size and item.shape != first.shape:
            raise ValueError(
                f"The images are not of one size: {first.name} has {first.shape}, {item.name} has {item.shape} (rows, "
                "columns). Say which one they shall have, for example size=64."
            )
        item.picture = _fit(item, picture, size) if size else picture
    deep = [item for item in items if DEEP in item.remarks and not item.left_out]
    for item in deep if all(item.picture.max() <= 4095 / 65535 for item in deep) else ():
        item.picture = item.picture * (65535 / 4095)
        item.remarks.append("of these only 12 bits are used, so divided by 4095")


def _picture(item: _Item) -> np.ndarray:
    name = item.path.name.lower()
    reader = _nifti if name.endswith((".nii", ".nii.gz")) else _photo if name.endswith(ENDINGS[:3]) else _dicom
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        picture = np.atleast_3d(reader(item))
    if np.ptp(picture) == 0:
        raise ValueError("is of one grey")
    item.remarks += ["in colour"] * (picture.shape[2] == 3) + ["spacing unknown"] * (item.spacing is None)
    return picture


def _photo(item: _Item) -> np.ndarray:
    from PIL import Image, ImageOps

    with Image.open(item.path, formats=("PNG", "JPEG")) as file:
        item.remarks = [
            str(file.format),
            *["several pictures, the first was taken"] * (getattr(file, "n_frames", 1) > 1),
        ]
        demand_memory(24 * file.width * file.height, "its pixels")
        image = ImageOps.exif_transpose(file)
        if image.mode.startswith("I"):
            item.remarks += [DEEP]
            return np.divide(np.asarray(image), 65535, dtype=np.float32)
        if image.has_transparency_data and np.asarray(image.convert("RGBA"))[..., 3].min() < 255:
            raise ValueError("is transparent in places: what lies behind is not known")
        colours = np.asarray(image.convert("RGB"))
    return np.divide(colours[..., :1] if (colours == colours[..., :1]).all() else colours, 255, dtype=np.float32)


def _dicom(item: _Item) -> np.ndarray:
    dataset = imaging.read_dicom(item.path)
    greys = imaging.greys(dataset)
    shown = re.sub(r"(?<!\w)-?\d[^\s;)]*", "…", greys.shown)  # these numbers differ from image to image
    item.remarks = [f"DICOM {value(dataset, 'Modality') or '?'}", f"{greys.unit or 'unknown unit'}, {shown}"]
    item.remarks += ["; ".join(greys.orientation or ("orientation unknown",))]
    item.spacing, patient = greys.spacing, item.patient or str(value(dataset, "PatientID") or "").strip()
    item.patient = patient or str(value(dataset, "StudyInstanceUID") or "")
    item.remarks += ["no Patient ID: the study stands for the patient"] * (item.patient != patient)
    if greys.image.ndim - (greys.polarity == "colour") == 2:
        return greys.image
    item.remarks += [MIDDLE]
    return greys.image[len(greys.image) // 2]


def _nifti(item: _Item) -> np.ndarray:
    import nibabel

    file: Any = nibabel.load(item.path)
    shape = file.shape + (1,) * (3 - len(file.shape))
    if math.prod(shape[3:]) != 1 or file.get_data_dtype().kind not in "iuf":
        raise ValueError("is no volume of grey values: it has more axes, or colours")
    demand_memory(16 * math.prod(map(int, shape)), "its voxels")
    voxels = np.asarray(file.dataobj, np.float32).reshape(shape[:3])
    volume, (_, *spacing) = radiological(nibabel.Nifti1Image(voxels, file.affine))
    mm = {"meter": 1000, "micron": 0.001}.get(file.header.get_xyzt_units()[0], 1)
    seen = volume[np.isfinite(volume)]  # NaN is outside: black
    low, high = (seen.min(), seen.max()) if seen.size else (0, 0)
    picture = np.nan_to_num(volume[len(volume) // 2], nan=low, posinf=low, neginf=low)
    item.spacing = tuple(mm * one for one in spacing)
    item.remarks = ["NIfTI", "unknown unit, smallest to largest value", *[MIDDLE] * (len(volume) > 1)]
    item.remarks += ["orientation unknown"] * (not file.header["sform_code"] and not file.header["qform_code"])
    return (picture - low) / (high - low or 1)


def _fit(item: _Item, picture: np.ndarray, size: int) -> np.ndarray:
    """The picture in the middle of a square, proportions (in mm, where they are known) kept, the rest black."""
    from PIL import Image

    extent = np.multiply(item.shape, item.spacing or (1, 1))
    rows, columns = (int(n) for n in np.maximum(1, np.round(size * extent / extent.max())))
    item.remarks += ["not square, black at two sides"] * (rows != columns)
    # Pillow averages over what becomes one pixel, and takes one channel of float32 at a time
    channels = (Image.fromarray(np.ascontiguousarray(channel)) for channel in np.moveaxis(picture, -1, 0))
    small = np.dstack([np.asarray(one.resize((columns, rows), Image.Resampling.BILINEAR)) for one in channels])
    top, left = (size - rows) // 2, (size - columns) // 2
    return np.pad(small, ((top, size - rows - top), (left, size - columns - left), (0, 0)))


# ---- What may be used, where, and what is said of it ----------------------------------------------------------------


def _leave_out_copies(found: list[_Item]) -> None:
    """Of the same picture in one class the first is left, of one in two classes none."""
    alike: dict[bytes, list[_Item]] = defaultdict(list)
    for item in found:
        if not item.left_out:
            alike[hashlib.blake2b(item.picture.tobytes()).digest()].append(item)
    for same in alike.values():
        for item in same[1:]:
            item.left_out = f"is a copy of a picture{' in another part' * (item.part != same[0].part)}"
        for item in same if len({item.label for item in same}) > 1 else ():
            item.left_out = "is the same picture in two classes"


def _split(items: list[_Item], seed: int) -> None:
    """Give each item its part: as folders or table say, else by patient, from each class alike."""
    groups: dict[str, list[_Item]] = defaultdict(list)
    for item in items:
        groups[item.patient or f"\0{item.name}"].append(item)
    if torn := [patient for patient, members in groups.items() if len({item.part for item in members}) > 1]:
        raise ValueError(
            f"{len(torn)} patients are in two parts, for example {torn[0]!r}: results would be too good. Put all images of "
            "a patient into one part, or leave the split to data.load."
        )
    given = {item.part for item in items}
    missing = ["val", "test"] if given == {""} else ["val"] if given == {"train", "test"} else []
    strata: dict[tuple[str, ...], list[list[_Item]]] = defaultdict(list)
    for members in groups.values():
        if members[0].part in ("", "train"):
            strata[tuple(sorted({item.label for item in members}))].append(members)
    rng = np.random.default_rng(seed)
    for _, stratum in sorted(strata.items()):
        count = max(1, round(SHARE * len(stratum))) if len(stratum) > len(missing) else 0
        parts = [part for part in missing for _ in range(count)] + ["train"] * len(stratum)
        for part, k in zip(parts, rng.permutation(len(stratum)), strict=False):
            for item in stratum[k]:
                item.part = part
    for part in ("train", "val", "test"):
        if lacking := sorted({item.label for item in items} - {item.label for item in items if item.part == part}):
            count = sum(lacking[0] in {item.label for item in members} for members in groups.values())
            raise ValueError(
                f"The part {part!r} has no image of {', '.join(lacking)}: nothing could be learned or measured there. Each "
                f"class needs patients for each part; {lacking[0]!r} has {count}. (Where a header names one patient for all "
                "images, as anonymised ones may, a table with a column patient says who is who.)"
            )


def _left_out(found: list[_Item]) -> list[str]:
    """Which files were left out, by reason; of reasons that differ in their numbers alone, the first is told."""
    reasons: dict[str, list[_Item]] = defaultdict(list)
    for item in found:
        if item.left_out:
            reasons[re.sub(r"\d[\d,.]*", "", item.left_out.replace(item.path.name, ""))].append(item)
    lines = []
    for same in sorted(reasons.values(), key=len, reverse=True):
        others = ", ".join([item.name for item in same[1:3]] + ["…"] * (len(same) > 3))
        lines += [f"left out  {len(same)}: {same[0].name}: {same[0].left_out}{others and f'; likewise {others}'}"]
    return lines


def _notes(items: list[_Item], labels: list[str], size: int | None) -> list[str]:
    """What one should know about the images, line by line."""
    unknown, known = sum(not item.patient for item in items), len({item.patient for item in items} - {""})
    of = f" for {unknown} of {len(items)} images" * bool(known)
    patients = f"unknown{of}: each image counted as its own patient" if unknown else f" {known}, each in one part"
    shapes, mm = sorted({item.shape for item in items}), sorted({item.spacing[0] for item in items if item.spacing})
    sizes = " to ".join(dict.fromkeys(f"{rows} × {columns}" for rows, columns in (shapes[0], shapes[-1])))
    fitted = f", fitted into {size} × {size}" if size else ""
    lines = [f"patients {patients}", f"sizes     {len(shapes)}: {sizes} pixels{fitted}"]
    ends = dict.fromkeys(f"{n:.3g}" for n in mm[:1] + mm[-1:])
    lines += [f"spacing   {' to '.join(ends)} mm between rows"] * bool(mm)
    said: dict[str, Counter] = defaultdict(Counter)
    for item in items:
        for remark in item.remarks:
            said[remark][item.label] += 1
    for remark, counts in said.items():
        lines += [f"{counts.total():8}  {remark} ({', '.join(f'{label} {counts[label]}' for label in labels)})"]
    return lines
