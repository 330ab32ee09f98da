"""A folder of one's own images, or a table of them, as a dataset: what is refused is said, and so is what is not known.

folder/class/image.png             each folder is a class; .png, .jpg, .dcm, .nii, .nii.gz
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from course_lib import imaging
from course_lib.data.base import Dataset, Split
from course_lib.imaging.header import value
from course_lib.imaging.read import demand_memory

PARTS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
SHARE = 0.15
"""Of the patients of a class, so many are for validation, and as many for the test; at least one."""
ENDINGS = (".png", ".jpg", ".jpeg", ".dcm", ".nii", ".nii.gz")


@dataclass(eq=False)
class _Item:
    """One image. `patient`: whose it is, "" if unknown; `study`: the DICOM study, which is of one patient, too."""

    path: Path
    name: str
    label: str
    part: str = ""
    patient: str = ""
    study: str = ""
    kind: str = ""
    spacing: tuple[float, ...] | None = None
    picture: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    shape: tuple[int, ...] = ()
    bits: int = 0
    digest: bytes = b""
    remarks: list[str] = field(default_factory=list)

    @property
    def group(self) -> tuple[str, str]:
        """Items with the same one stay in one part."""
        return ("patient", self.patient) if self.patient else ("study", self.study) if self.study else ("", self.name)


def files(root: Path) -> list[Path]:
    """All files in a folder, in order, without hidden ones and those that systems leave (__MACOSX)."""
    inside = (path for path in root.rglob("*") if path.is_file())
    return sorted(p for p in inside if not any(n.startswith((".", "__")) for n in p.relative_to(root).parts))


def load(path: Path, *, size: int | None, n_patients: int | None, n_test: int | None, seed: int) -> Dataset:
    """Read the folder or table `path`, and print what was read, what was left out and why.

    size: side of the squares that images are fitted into, with black at two sides where they are not square; None
    leaves them as they are, if they are all of one size. seed: of the split by patient. Raises ValueError if what is
    left is no dataset: fewer than two classes, too few patients for three parts, one patient in two parts.
    """
    if n_patients is not None or n_test is not None:
        raise ValueError("n_patients and n_test are for generated patients: they do not apply to your own images.")
    for word, number, least in (("size", size, 1), ("seed", seed, 0)):
        if number is not None and (not isinstance(number, (int, np.integer)) or number < least):
            raise ValueError(f"{word} is {number!r}; it must be a whole number of at least {least}.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    refused: dict[str, list[str]] = defaultdict(list)
    root = path if path.is_dir() else path.parent
    tables = sorted(p for p in root.iterdir() if p.suffix.lower() == ".csv") if path.is_dir() else [path]
    if len(tables) > 1:
        raise ValueError(f"{path} holds {len(tables)} tables: give the path of one ({tables[0]}).")
    items = _table(tables[0], refused) if tables else _folders(root, refused)
    wanted = {item.label for item in items}
    items = _distinct(_read(items, size, refused), refused)
    left_out = [
        f"left out  {len(names)}: {reason} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
        for reason, names in sorted(refused.items(), key=lambda pair: -len(pair[1]))
    ]
    if empty := wanted - {item.label for item in items}:
        raise ValueError("\n  ".join([f"{path}: no image of {_listed(empty)} can be used.", *left_out]))
    labels = sorted(wanted, key=lambda label: (int(label) if label.isdecimal() else -1, label))
    if len(labels) < 2:
        raise ValueError(
            "\n  ".join([f"{path}: there are {len(labels)} classes, {_listed(labels)}; it takes two.", *left_out])
        )
    items = _split(items, seed)
    notes = _notes(items, labels, size)
    total = len(items) + sum(map(len, refused.values()))
    print("\n  ".join([f"{path.name}: {len(items)} of {total} files were read.", *left_out, *notes]))
    colours = any(item.picture.ndim == 3 for item in items)
    known = all(item.patient for item in items)
    numbers = {patient: n for n, patient in enumerate(sorted({item.patient for item in items}))}
    splits = {}
    for part in ("train", "val", "test"):
        of_part = [item for item in items if item.part == part]
        x = [item.picture if item.picture.ndim == 3 else item.picture[..., None] for item in of_part]
        splits[part] = Split(
            np.stack([image.repeat(3, -1) if colours and image.shape[-1] == 1 else image for image in x]),
            {"label": np.array([labels.index(item.label) for item in of_part], np.int64)},
            np.array([numbers[item.patient] for item in of_part], np.int64) if known else None,
            files=np.array([item.name for item in of_part]),
        )
    source = f"your own, {path.name}: not checked"
    licence, note = "see where the images come from", "\n           ".join(notes)
    return Dataset(
        path.name, splits["train"], splits["val"], splits["test"], tuple(labels), source, licence, None, note
    )


def _listed(words: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(words))) or "none"


# ---- What there is ----------------------------------------------------------------------------------------------


def _folders(root: Path, refused: dict[str, list[str]]) -> list[_Item]:
    found = files(root)
    tops = {path.relative_to(root).parts[0].lower() for path in found if path.parent != root}
    depth = 2 if "train" in {PARTS.get(top) for top in tops} and tops <= set(PARTS) else 1
    items = []
    for path in found:
        places, name = path.relative_to(root).parts[:-1], path.relative_to(root).as_posix()
        if not path.name.lower().endswith(ENDINGS) and not _is_dicom(path):
            refused[f"no {', '.join(ENDINGS)}, but {path.suffix or 'without ending'}"].append(name)
        elif len(places) < depth:
            refused["in no folder of a class"].append(name)
        elif len(places) > depth and not _is_dicom(path):
            refused["deeper than folder/class/image: name these in a table, with their patients"].append(name)
        else:
            items.append(_Item(path, name, places[depth - 1], PARTS[places[0].lower()] if depth == 2 else ""))
    if not items:
        reasons = "; ".join(f"{len(names)} {reason}, as {names[0]}" for reason, names in refused.items())
        raise ValueError(
            f"{root} is no folder of classes, folder/class/image.png, and has no table (.csv). It holds {reasons or 'nothing'}. "
            "For the slices of one series there is imaging.read_series, for a single DICOM file imaging.read_dicom."
        )
    return items


def _table(table: Path, refused: dict[str, list[str]]) -> list[_Item]:
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
        part = PARTS.get(row.get("split", "").lower(), "")
        if not row["path"] or not row["label"] or ("split" in names and not part):
            raise ValueError(
                f"{table}, row {number}: path, label and split need a value, and split is train, val or test; here are "
                f"{row['path']!r}, {row['label']!r}, {row.get('split', '')!r}."
            )
        name = row["path"].replace("\\", "/")
        if (table.parent / name).is_file():
            items.append(_Item(table.parent / name, name, row["label"], part, row.get("patient", "")))
        else:
            refused["named in the table, but not there"].append(name)
    named = {item.path.resolve() for item in items}
    for path in files(table.parent):
        if path.name.lower().endswith(ENDINGS) and path.resolve() not in named:
            refused["not named in the table"].append(path.relative_to(table.parent).as_posix())
    return items


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


# ---- Reading ----------------------------------------------------------------------------------------------------


def _read(items: list[_Item], size: int | None, refused: dict[str, list[str]]) -> list[_Item]:
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
                raise ValueError("holds one grey only")
        except Exception as error:  # a damaged file raises nearly anything
            text = " ".join((str(error) or type(error).__name__).replace(str(item.path), "").split())
            alike = re.sub(r"\d[\d,.]*", "…", text.replace(item.path.name, "")).strip(" :'").rstrip(".")
            refused[alike].append(item.name)
            continue
        item.shape, item.digest = item.picture.shape[:2], hashlib.blake2b(item.picture.tobytes()).digest()
        if not done:
            side = size or np.sqrt(item.picture[..., 0].size if item.picture.ndim == 3 else item.picture.size)
            # float32, up to three channels, in a list and then in one array
            demand_memory(
                24 * len(items) * side**2, f"{len(items)} images" + ("" if size else " (`size` makes them smaller)")
            )
        if size:
            _fit(item, size)
        elif done and item.shape != done[0].shape:
            raise ValueError(
                f"The images are not of one size: {done[0].name} has {done[0].shape}, {item.name} has {item.shape} (rows, "
                "columns). Say which one they shall have, for example size=64."
            )
        done.append(item)
    largest = max((item.bits for item in done), default=0)
    for item in done:
        if item.bits:
            item.picture *= 65535 / (2**largest - 1)
            item.remarks.append(f"16-bit pictures, divided by {2**largest - 1}")
    return done


def _photo(item: _Item) -> None:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        file = Image.open(item.path, formats=("PNG", "JPEG"))
    except UnidentifiedImageError:
        raise ValueError("is neither PNG nor JPEG inside, or damaged") from None
    with file:
        item.kind = str(file.format)
        demand_memory(file.width * file.height * 24, "its pixels")
        image = ImageOps.exif_transpose(file)
        if image.mode.startswith("I"):  # 16 bits
            values = np.asarray(image)
            item.bits, item.picture = max(8, int(values.max()).bit_length()), (values / 65535).astype(np.float32)
            return
        if image.has_transparency_data and np.asarray(image.convert("RGBA"))[..., 3].min() < 255:
            raise ValueError("is transparent in places: what lies behind is not known")
        picture = np.asarray(image.convert("RGB"), np.float32) / 255
    grey = bool((picture[..., :1] == picture).all())
    item.picture = picture[..., 0] if grey else picture


def _dicom(item: _Item) -> None:
    dataset = imaging.read_dicom(item.path)
    greys = imaging.greys(dataset)
    item.kind, item.spacing, item.picture = f"DICOM {value(dataset, 'Modality') or '?'}", greys.spacing, greys.image
    item.patient = item.patient or str(value(dataset, "PatientID") or "").strip()
    item.study = str(value(dataset, "StudyInstanceUID") or "")
    if greys.image.ndim - (greys.polarity == "colour") == 3:
        item.picture = greys.image[len(greys.image) // 2]
        item.remarks.append("several frames or slices, the middle one was taken")
    if "inverted" in greys.shown:
        item.remarks.append("stored as a negative, turned round")
    if "smallest to largest" in greys.shown:
        item.remarks.append("without a window, shown from smallest to largest value")


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
    seen = volume[np.isfinite(volume)]
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 0.0)
    volume = (np.where(np.isfinite(volume), volume, low) - low) / max(high - low, 1e-30)
    item.kind, item.spacing = "NIfTI", tuple(float(mm) for mm in file.header.get_zooms()[1::-1])
    item.picture = np.ascontiguousarray(volume[len(volume) // 2], np.float32)
    item.remarks.append("without a window, shown from smallest to largest value")
    if len(volume) > 1:
        item.remarks.append("several frames or slices, the middle one was taken")


def _fit(item: _Item, size: int) -> None:
    """Put the picture into the middle of a square, proportions (in mm, where they are known) kept, the rest black."""
    from PIL import Image

    extent = np.multiply(item.shape, item.spacing or (1, 1))
    rows, columns = (int(n) for n in np.maximum(1, np.round(size * extent / extent.max())))
    channels = item.picture if item.picture.ndim == 3 else item.picture[..., None]
    square = np.zeros((size, size, channels.shape[-1]), np.float32)
    top, left = (size - rows) // 2, (size - columns) // 2
    for k in range(channels.shape[-1]):  # Pillow averages over what becomes one pixel
        small = Image.fromarray(np.ascontiguousarray(channels[..., k])).resize(
            (columns, rows), Image.Resampling.BILINEAR
        )
        square[top : top + rows, left : left + columns, k] = np.asarray(small)
    if rows != columns:
        item.remarks.append("not square, black at two sides")
    if max(item.shape) < size:
        item.remarks.append(f"smaller than {size} pixels, enlarged")
    item.picture = square if item.picture.ndim == 3 else square[..., 0]


# ---- What may be used, and where --------------------------------------------------------------------------------


def _distinct(items: list[_Item], refused: dict[str, list[str]]) -> list[_Item]:
    """Without copies: of the same picture in one class the first is left, of one in two classes none."""
    by_digest: dict[bytes, list[_Item]] = defaultdict(list)
    for item in items:
        by_digest[item.digest].append(item)
    kept = []
    for same in by_digest.values():
        if len({item.label for item in same}) > 1:
            refused["the same picture in two classes"] += [item.name for item in same]
            continue
        kept.append(same[0])
        for copy in same[1:]:
            others = " of another patient" if copy.group[0] and copy.group != same[0].group else ""
            refused[f"a copy of a picture{others}{' in another part' * (copy.part != same[0].part)}"].append(copy.name)
    return kept


def _split(items: list[_Item], seed: int) -> list[_Item]:
    """Give each item its part: as folders or table say, else by patient, from each class alike."""
    groups: dict[tuple[str, str], list[_Item]] = defaultdict(list)
    for item in items:
        groups[item.group].append(item)
    torn = [group[1] for group, members in groups.items() if len({item.part for item in members}) > 1]
    if torn:
        raise ValueError(
            f"{len(torn)} patients are in two parts, for example {torn[0]!r}: results would be too good. Put all images of "
            "a patient into one part, or leave the split to data.load."
        )
    given = {item.part for item in items}
    to_cut = {"val": "train"} if given == {"train", "test"} else {"val": "", "test": ""} if given == {""} else {}
    rng = np.random.default_rng(seed)
    strata: dict[tuple[str, ...], list[list[_Item]]] = defaultdict(list)
    for members in groups.values():
        if members[0].part == "" or members[0].part in to_cut.values():
            strata[tuple(sorted({item.label for item in members}))].append(members)
    for _, stratum in sorted(strata.items()) if to_cut else ():
        count = max(1, round(SHARE * len(stratum))) if len(stratum) > len(to_cut) else 0
        parts = [part for part in to_cut for _ in range(count)] + ["train"] * len(stratum)
        for part, k in zip(parts, rng.permutation(len(stratum)), strict=False):
            for item in stratum[k]:
                item.part = part
    for part in ("train", "val", "test"):
        lacking = {item.label for item in items} - {item.label for item in items if item.part == part}
        if lacking:
            by_class = {label: len({i.group for i in items if i.label == label}) for label in sorted(lacking)}
            raise ValueError(
                f"The part {part!r} has no image of {_listed(lacking)}: nothing could be learned or measured there. Each "
                f"class needs patients of its own for each part; here are {by_class} (images, where patients are unknown)."
            )
    return items


# ---- What is known ----------------------------------------------------------------------------------------------


def _notes(items: list[_Item], labels: list[str], size: int | None) -> list[str]:
    """What one should know about the images, line by line."""
    unknown = [item for item in items if not item.patient]
    if unknown:
        who = "patients unknown" + ("" if len(unknown) == len(items) else f" for {len(unknown)} of {len(items)} images")
        each = "each image" if not any(item.study for item in unknown) else "each image or DICOM study"
        lines = [f"patients  {who}: {each} counted as a patient of its own"]
    else:
        lines = [f"patients  {len({item.patient for item in items})}, none of them in two parts"]
    shapes = sorted({item.shape for item in items})
    sizes = [f"{rows} × {columns}" for rows, columns in (shapes[0], shapes[-1])]
    made = f", fitted into {size} × {size}" if size else ""
    lines += [f"sizes     {sizes[0] if len(shapes) == 1 else f'{len(shapes)}, {sizes[0]} to {sizes[1]}'} pixels{made}"]
    mm = sorted({item.spacing for item in items if item.spacing})
    without = sum(item.spacing is None for item in items)
    scale = f"{mm[0][0]:.3g}{f' to {mm[-1][0]:.3g}' if len(mm) > 1 else ''} mm between rows" if mm else ""
    lines += [f"spacing   {scale}{', ' * bool(mm and without)}{f'unknown for {without} images' if without else ''}"]
    said: dict[str, Counter] = defaultdict(Counter)
    for item in items:
        colour = "in colour" if item.picture.ndim == 3 else "grey"
        for remark in (f"{item.kind}, {colour}", *item.remarks):
            said[remark][item.label] += 1
    for remark, counts in said.items():
        by_class = ", ".join(f"{label} {counts[label]}" for label in labels)
        lines += [f"{sum(counts.values()):8}  {remark}" + (f" ({by_class})" if counts.total() < len(items) else "")]
    return lines
