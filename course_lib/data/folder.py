"""A folder of one's own images, or a table of them, as a dataset: what is refused is said, and so is what is not known.

folder/class/image.png             each folder is a class; .png, .jpg, .dcm, .nii, .nii.gz, DICOM without ending
folder/train/class/image.png       the same for each part: train, test and, if there is one, val
folder/table.csv                   columns path (from the table's folder), label, and perhaps patient and split
"""

import csv
import hashlib
import io
import math
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course_lib import imaging
from course_lib.data.base import Dataset, Split
from course_lib.imaging.header import value
from course_lib.imaging.read import demand_memory

PARTS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
SHARE = 0.15
"""Of the patients of a class, so many are for validation, and as many for the test; at least one each."""
ENDINGS = ".png", ".jpg", ".jpeg", ".dcm", ".nii", ".nii.gz"
Refused = dict[str, list[str]]  # the names of what is left out, by reason


@dataclass(eq=False)
class _Item:
    """One image. patient: whose it is, "" if unknown; study: its DICOM study, which is of one patient, too."""

    path: Path
    name: str
    label: str
    part: str = ""
    patient: str = ""
    study: str = ""
    kind: str = ""
    spacing: tuple[float, ...] | None = None
    picture: Any = None
    bits: int = 0
    shape: tuple[int, ...] = ()
    digest: bytes = b""
    remarks: tuple[str, ...] = ()

    @property
    def group(self) -> tuple[str, str]:
        """Items with the same one stay in one part."""
        return ("patient", self.patient) if self.patient else ("study", self.study) if self.study else ("", self.name)


def files(root: Path) -> list[Path]:
    """All files in a folder, in order, without hidden ones and those that systems leave (__MACOSX)."""
    inside = (path for path in root.rglob("*") if path.is_file())
    return sorted(p for p in inside if not any(n.startswith((".", "__")) for n in p.relative_to(root).parts))


def load(path: Path, *, size: int | None, seed: int) -> Dataset:
    """Read the folder or table `path`, and print what was read, what was left out and why.

    size: side of the squares that images are fitted into, with black at two sides where they are not square; None
    leaves them as they are, if they are all of one size. seed: of the split by patient. Raises ValueError if what is
    left is no dataset: fewer than two classes, too few patients for three parts, one patient in two parts.
    """
    for word, number, least in (("size", size, 1), ("seed", seed, 0)):
        if number is not None and (not isinstance(number, (int, np.integer)) or number < least):
            raise ValueError(f"{word} is {number!r}; it must be a whole number of at least {least}.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    tables = sorted(p for p in path.iterdir() if p.suffix.lower() == ".csv") if path.is_dir() else [path]
    if len(tables) > 1:
        raise ValueError(f"{path} holds {len(tables)} tables: give the path of one, for example {tables[0]}.")
    refused: Refused = defaultdict(list)
    items = _table(tables[0], refused) if tables else _folders(path, refused)
    wanted = {item.label for item in items}
    items = _distinct(_read(items, size, refused), refused)
    left_out = [
        f"left out  {len(names)}: {reason} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
        for reason, names in sorted(refused.items(), key=lambda pair: -len(pair[1]))
    ]
    labels = sorted({item.label for item in items}, key=lambda label: (int(label) if label.isdecimal() else -1, label))
    if len(labels) < max(2, len(wanted)):
        none = (
            f"there are images of {_listed(labels)}, but none of {_listed(wanted - set(labels))}; it takes two classes"
        )
        raise ValueError("\n  ".join([f"{path}: {none}.", *left_out]))
    _split(items, seed)
    notes = _notes(items, labels, size)
    total = len(items) + sum(map(len, refused.values()))
    print("\n  ".join([f"{path.name}: {len(items)} of {total} files were read.", *left_out, *notes]))
    channels = max(np.atleast_3d(item.picture).shape[-1] for item in items)
    x = np.stack([np.broadcast_to(np.atleast_3d(i.picture), (*i.picture.shape[:2], channels)) for i in items])
    label, name = np.array([labels.index(item.label) for item in items]), np.array([item.name for item in items])
    patients = (
        np.unique([item.patient for item in items], return_inverse=True)[1] if all(i.patient for i in items) else None
    )
    train, val, test = (
        Split(x[here], {"label": label[here]}, None if patients is None else patients[here], files=name[here])
        for here in (np.array([item.part == part for item in items]) for part in ("train", "val", "test"))
    )
    source, note = f"your own, {path.name}: not checked", "\n           ".join(notes)
    return Dataset(path.name, train, val, test, tuple(labels), source, "see where the images come from", None, note)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(words))) or "no other"


# ---- What there is --------------------------------------------------------------------------------------------------


def _folders(root: Path, refused: Refused) -> list[_Item]:
    found, items = files(root), []
    tops = {path.relative_to(root).parts[0].lower() for path in found if path.parent != root}
    depth = 2 if tops <= set(PARTS) and "train" in {PARTS[top] for top in tops} else 1
    for path in found:
        *places, _ = path.relative_to(root).parts
        name = path.relative_to(root).as_posix()
        if not path.name.lower().endswith(ENDINGS) and not _is_dicom(path):
            refused[f"no {', '.join(ENDINGS)}, but {path.suffix or 'without ending'}"].append(name)
        elif len(places) < depth:
            refused["in no folder of a class"].append(name)
        elif len(places) > depth and not _is_dicom(path):
            refused["deeper than folder/class/image: name these in a table, with their patients"].append(name)
        else:
            items.append(_Item(path, name, places[depth - 1], PARTS[places[0].lower()] if depth == 2 else ""))
    if not items:
        reasons = "; ".join(f"{len(names)} {reason}, as {names[0]}" for reason, names in refused.items()) or "nothing"
        raise ValueError(
            f"{root} has no folders of classes, folder/class/image.png, and no table (.csv). It holds {reasons}. For the "
            "slices of one series there is imaging.read_series, for one DICOM file imaging.read_dicom."
        )
    return items


def _table(table: Path, refused: Refused) -> list[_Item]:
    try:
        text = table.read_text(encoding="utf-8-sig")
        first = text.partition("\n")[0]
        rows = csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=first.count), restval="")
        names = rows.fieldnames = [name.strip().lower() for name in rows.fieldnames or ()]
        content = [{key: (row[key] or "").strip() for key in names} for row in rows]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{table} cannot be read as a table ({error}). Save it as CSV, in UTF-8.") from None
    if missing := {"path", "label"} - set(names):
        raise ValueError(f"{table} lacks the column {_listed(missing)}; its first line names {_listed(names)}.")
    items = []
    for number, row in enumerate(content, 2):
        name, part = row["path"].replace("\\", "/"), PARTS.get(row.get("split", "").lower(), "")
        if not name or not row["label"] or ("split" in names and not part):
            raise ValueError(
                f"{table}, row {number}: path and label need a value, and a split is train, val or test; here are "
                f"{name!r}, {row['label']!r}, {row.get('split', '')!r}."
            )
        if (table.parent / name).is_file():
            items.append(_Item(table.parent / name, name, row["label"], part, row.get("patient", "")))
        else:
            refused["named in the table, but not there"].append(name)
    named = {item.path.resolve() for item in items}
    others = [p for p in files(table.parent) if p.name.lower().endswith(ENDINGS) and p.resolve() not in named]
    if others:
        refused["not named in the table"] = [path.relative_to(table.parent).as_posix() for path in others]
    return items


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


# ---- Reading --------------------------------------------------------------------------------------------------------


def _read(items: list[_Item], size: int | None, refused: Refused) -> list[_Item]:
    """The items that can be read, with their pictures; the reasons of the others go to `refused`."""
    done: list[_Item] = []
    for item in items:
        name = item.path.name.lower()
        reader = _nifti if name.endswith((".nii", ".nii.gz")) else _photo if name.endswith(ENDINGS[:3]) else _dicom
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                reader(item)
            if np.ptp(item.picture) == 0:
                raise ValueError("is of one grey")
        except Exception as error:  # a damaged file raises nearly anything
            text = " ".join((str(error) or type(error).__name__).split()).replace(repr(str(item.path)), "")
            text = text.replace(str(item.path), "it").replace(item.path.name, "it").strip(" .")
            # without the numbers, which differ from file to file: equal reasons are counted together
            refused[re.sub(r"\d[\d,.]*", "…", text)].append(item.name)
            continue
        item.shape, item.digest = item.picture.shape[:2], hashlib.blake2b(item.picture.tobytes()).digest()
        if not done:  # float32, up to three channels, in a list, an array and its parts
            pixels = size**2 if size else math.prod(item.shape)
            demand_memory(
                36 * len(items) * pixels, f"{len(items)} images{'' if size else ' (size=64 makes them small)'}"
            )
        if size:
            _fit(item, size)
        elif done and item.shape != done[0].shape:
            raise ValueError(
                f"The images are not of one size: {done[0].name} has {done[0].shape}, {item.name} has {item.shape} (rows, "
                "columns). Say which one they shall have, for example size=64."
            )
        done.append(item)
    largest = 2 ** max((item.bits for item in done), default=0) - 1
    for item in done:
        if item.bits:
            item.picture *= 65535 / largest
            item.remarks += (f"16-bit pictures, divided by {largest}",)
    return done


def _photo(item: _Item) -> None:
    from PIL import Image, ImageOps

    with Image.open(item.path, formats=("PNG", "JPEG")) as file:
        item.kind = str(file.format)
        demand_memory(24 * file.width * file.height, "its pixels")
        image = ImageOps.exif_transpose(file)
        if image.mode.startswith("I"):  # 16 bits, of which a scanner may use 12: `_read` looks at all of them
            item.bits = max(8, int(np.asarray(image).max()).bit_length())
            item.picture = (np.asarray(image) / 65535).astype(np.float32)
            return
        if image.has_transparency_data and np.asarray(image.convert("RGBA"))[..., 3].min() < 255:
            raise ValueError("is transparent in places: what lies behind is not known")
        picture = np.asarray(image.convert("RGB"), np.float32) / 255
    item.picture = picture[..., 0] if (picture[..., :1] == picture).all() else picture


def _dicom(item: _Item) -> None:
    dataset = imaging.read_dicom(item.path)
    greys = imaging.greys(dataset)
    item.kind, item.spacing, item.picture = f"DICOM {value(dataset, 'Modality') or '?'}", greys.spacing, greys.image
    item.patient = item.patient or str(value(dataset, "PatientID") or "").strip()
    item.study = str(value(dataset, "StudyInstanceUID") or "")
    if greys.image.ndim - (greys.polarity == "colour") == 3:
        item.picture = greys.image[len(greys.image) // 2]
        item.remarks += ("several frames or slices, the middle one was taken",)
    if "inverted" in greys.shown:
        item.remarks += ("stored as a negative, turned round",)
    if "smallest to largest" in greys.shown:
        item.remarks += ("without a window, shown from smallest to largest value",)


def _nifti(item: _Item) -> None:
    import nibabel

    file: Any = nibabel.load(item.path)
    shape = file.shape + (1,) * (3 - len(file.shape))
    if math.prod(shape[3:]) != 1 or file.get_data_dtype().kind not in "iuf":
        raise ValueError("is no volume of grey values: it has more axes, or colours")
    demand_memory(16 * math.prod(map(int, shape)), "its voxels")
    voxels = np.asarray(file.dataobj, np.float32).reshape(shape[:3])
    file = nibabel.as_closest_canonical(nibabel.Nifti1Image(voxels, file.affine))
    # slices upwards, rows from front to back, columns from the patient's right to left, as in data.sample("brain")
    volume = np.asarray(file.dataobj).transpose(2, 1, 0)[:, ::-1, ::-1]
    seen = volume[np.isfinite(volume)]  # NaN is outside: black
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 0.0)
    picture = np.nan_to_num(volume[len(volume) // 2], nan=low, posinf=low, neginf=low)
    item.picture = ((picture - low) / (high - low or 1)).astype(np.float32)
    item.kind, item.spacing = "NIfTI", tuple(float(mm) for mm in file.header.get_zooms()[1::-1])
    item.remarks += ("without a window, shown from smallest to largest value",)
    item.remarks += ("several frames or slices, the middle one was taken",) * (len(volume) > 1)


def _fit(item: _Item, size: int) -> None:
    """Put the picture into the middle of a square, proportions (in mm, where they are known) kept, the rest black."""
    from PIL import Image

    extent = np.multiply(item.shape, item.spacing or (1, 1))
    rows, columns = (int(n) for n in np.maximum(1, np.round(size * extent / extent.max())))
    channels = np.moveaxis(np.atleast_3d(item.picture), -1, 0)
    square = np.zeros((size, size, len(channels)), np.float32)
    top, left = (size - rows) // 2, (size - columns) // 2
    for k, channel in enumerate(channels):  # Pillow averages over what becomes one pixel
        small = Image.fromarray(np.ascontiguousarray(channel)).resize((columns, rows), Image.Resampling.BILINEAR)
        square[top : top + rows, left : left + columns, k] = np.asarray(small)
    item.remarks += ("not square, black at two sides",) * (rows != columns)
    item.remarks += (f"smaller than {size} pixels, enlarged",) * (max(item.shape) < size)
    item.picture = square


# ---- What may be used, and where ------------------------------------------------------------------------------------


def _distinct(items: list[_Item], refused: Refused) -> list[_Item]:
    """Without copies: of the same picture in one class the first is left, of one in two classes none."""
    by_digest: dict[bytes, list[_Item]] = defaultdict(list)
    for item in items:
        by_digest[item.digest].append(item)
    for first, *copies in by_digest.values():
        if {item.label for item in copies} - {first.label}:
            refused["the same picture in two classes"] += [item.name for item in (first, *copies)]
            continue
        for copy in copies:
            other = " of another patient" * (copy.group[0] != "" and copy.group != first.group)
            refused[f"a copy of a picture{other}{' in another part' * (copy.part != first.part)}"].append(copy.name)
    return [first for first, *copies in by_digest.values() if not {item.label for item in copies} - {first.label}]


def _split(items: list[_Item], seed: int) -> None:
    """Give each item its part: as folders or table say, else by patient, from each class alike."""
    groups: dict[tuple[str, str], list[_Item]] = defaultdict(list)
    for item in items:
        groups[item.group].append(item)
    if torn := [group[1] for group, members in groups.items() if len({item.part for item in members}) > 1]:
        raise ValueError(
            f"{len(torn)} patients are in two parts, for example {torn[0]!r}: results would be too good. Put all images of "
            "a patient into one part, or leave the split to data.load."
        )
    given = {item.part for item in items}
    to_cut = {frozenset({"train", "test"}): ["val"], frozenset({""}): ["val", "test"]}.get(frozenset(given), [])
    strata: dict[tuple[str, ...], list[list[_Item]]] = defaultdict(list)
    for members in groups.values():
        if members[0].part in ("", "train"):
            strata[tuple(sorted({item.label for item in members}))].append(members)
    rng = np.random.default_rng(seed)
    for _, stratum in sorted(strata.items()):
        count = max(1, round(SHARE * len(stratum))) if len(stratum) > len(to_cut) else 0
        parts = [part for part in to_cut for _ in range(count)] + ["train"] * len(stratum)
        for part, k in zip(parts, rng.permutation(len(stratum)), strict=False):
            for item in stratum[k]:
                item.part = part
    for part in ("train", "val", "test"):
        if lacking := {item.label for item in items} - {item.label for item in items if item.part == part}:
            count = len({item.group for item in items if item.label == min(lacking)})
            raise ValueError(
                f"The part {part!r} has no image of {_listed(lacking)}: nothing could be learned or measured there. Each "
                f"class needs patients for each part; {min(lacking)!r} has {count}. (Where a header names one patient for "
                "all images, as anonymised ones may, a table with a column patient says who is who.)"
            )


# ---- What is known --------------------------------------------------------------------------------------------------


def _notes(items: list[_Item], labels: list[str], size: int | None) -> list[str]:
    """What one should know about the images, line by line."""
    unknown, known = sum(not item.patient for item in items), len({item.patient for item in items if item.patient})
    lines = [f"patients  {known}, none of them in two parts"]
    if unknown:
        each = f"each image{' or DICOM study' * any(item.study for item in items)} counted as a patient of its own"
        lines = [f"patients unknown{f' for {unknown} of {len(items)} images' * bool(known)}: {each}"]
    shapes, spacings = sorted({i.shape for i in items}), sorted({i.spacing for i in items if i.spacing})
    sizes = " to ".join(f"{rows} × {columns}" for rows, columns in dict.fromkeys((shapes[0], shapes[-1])))
    lines += [f"sizes     {len(shapes)}: {sizes} pixels{f', fitted into {size} × {size}' if size else ''}"]
    mm = " to ".join(f"{rows:.3g}" for rows in dict.fromkeys(s[0] for s in spacings[:: max(1, len(spacings) - 1)]))
    without = sum(item.spacing is None for item in items)
    lines += [f"spacing   {f'{mm} mm between rows; ' * bool(mm)}unknown for {without} images"]
    said: dict[str, Counter] = defaultdict(Counter)
    for item in items:
        for remark in (
            f"{item.kind}, {'colour' if np.atleast_3d(item.picture).shape[-1] == 3 else 'grey'}",
            *item.remarks,
        ):
            said[remark][item.label] += 1
    for remark, counts in said.items():
        lines += [f"{counts.total():8}  {remark} ({', '.join(f'{label} {counts[label]}' for label in labels)})"]
    return lines
