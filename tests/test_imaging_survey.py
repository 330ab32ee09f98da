"""All DICOM files that pydicom, pydicom-data and deid-data install: right greys or a sentence, and nothing lost.

The pipeline is computed here a second time, with pydicom's functions and the formulas of PS3.3 C.11.2, from the header.
"""

import collections
import importlib.util
import io
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.pixels import apply_color_lut, apply_modality_lut

from course_lib import imaging

pytestmark = pytest.mark.slow

# What a file may be refused for, and how many at least: a refusal of its own kind is a new sentence to look at.
REFUSALS = {
    "holds no pixels": 60,
    "is a table of contents": 5,
    "no decoder is installed": 5,
    "cannot be decoded": 1,
    "is not a DICOM file": 5,
    "is cut off": 1,
    "Transfer Syntax UID .* is missing": 1,
    "is packed with gzip": 1,
    "header of .* cannot be read": 0,
    "Photometric Interpretation is": 0,
}
NOT_DEIDENTIFIED = ("FunctionalGroupsSequence", "has no SOP")


def installed_files():
    """Everything in the three packages but their code."""
    for package in ("pydicom", "data_store", "deid_data"):
        folder = Path(importlib.util.find_spec(package).origin).parent
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix not in (".py", ".pyc", ".zip", ".typed", ".md", ".json"):
                if folder / "data" in path.parents:
                    yield path


def group(dataset, name, keyword):
    """An element, or the one in the shared functional groups."""
    for shared in dataset.get("SharedFunctionalGroupsSequence", []):
        for item in shared.get(name, []):
            if keyword in item:
                return item[keyword].value
    return dataset.get(keyword)


def first(value):
    return float(value if isinstance(value, (int, float)) else value[0])


def expected(dataset):
    """What `greys(dataset).image` and `.values` must be, before padding: (image, values)."""
    stored = dataset.pixel_array
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        colours = apply_color_lut(stored, dataset)[..., :3]
        return colours / (2.0 ** dataset.RedPaletteColorLookupTableDescriptor[2] - 1), colours
    if dataset.SamplesPerPixel > 1:
        return stored / (2.0**dataset.BitsStored - 1), stored
    slope, intercept = (
        group(dataset, "PixelValueTransformationSequence", f"Rescale{n}") for n in ("Slope", "Intercept")
    )
    if "ModalityLUTSequence" in dataset:
        values = apply_modality_lut(stored, dataset).astype(float)
    elif "DoseGridScaling" in dataset:
        values = stored * float(dataset.DoseGridScaling)
    elif slope is not None and intercept is not None:
        values = stored * first(slope) + first(intercept)
    else:
        values = stored.astype(float)
    level, width = (group(dataset, "FrameVOILUTSequence", f"Window{n}") for n in ("Center", "Width"))
    if "VOILUTSequence" in dataset:
        item = dataset.VOILUTSequence[0]
        count, start, bits = item.LUTDescriptor
        table = np.array(item.LUTData if not isinstance(item.LUTData, bytes) else np.frombuffer(item.LUTData, "<u2"))
        shown = table[np.clip(values - start, 0, (count or 65536) - 1).astype(int)] / (2.0**bits - 1)
    elif level is not None and width is not None:
        level, width = first(level), first(width)
        kind = dataset.get("VOILUTFunction", "LINEAR")
        if kind == "SIGMOID":
            shown = 1 / (1 + np.exp(-4 * (values - level) / width))
        elif kind == "LINEAR_EXACT":
            shown = np.clip((values - level) / width + 0.5, 0, 1)
        else:
            shown = np.clip((values - (level - 0.5)) / (width - 1) + 0.5, 0, 1)
    else:
        padding = dataset.get("PixelPaddingValue")
        real = values if padding is None else values[stored != padding]
        shown = np.clip((values - real.min()) / max(np.ptp(real), 1e-9), 0, 1)
    return (1 - shown if dataset.PhotometricInterpretation == "MONOCHROME1" else shown), values


def compare(path):
    """What became of one file: a short text. AssertionError if greys are wrong or something is lost."""
    try:
        dataset = imaging.read_dicom(path)
        greys = imaging.greys(dataset)
    except ValueError as error:
        assert "\n" not in str(error) and len(str(error)) < 400, error
        kind = next((kind for kind in REFUSALS if re.search(kind, str(error))), None)
        assert kind, f"another refusal: {error}"
        return f"refused: {kind}"
    image, values = expected(dataset)
    padding = dataset.get("PixelPaddingValue") if greys.polarity != "colour" else None
    if padding is not None and (dataset.pixel_array == padding).any():
        assert np.array_equal(greys.padding, dataset.pixel_array == padding), "padding"
        image = np.where(greys.padding, 0, image)
    assert greys.image.dtype == greys.values.dtype == np.float32 and 0 <= greys.image.min() <= greys.image.max() <= 1
    assert np.allclose(greys.image, image, atol=2e-6), f"greys differ by {np.abs(greys.image - image).max():.2g}"
    assert np.allclose(greys.values, values, rtol=1e-6), "values"
    assert (greys.unit == "HU") <= (dataset.get("Modality") == "CT" and greys.polarity != "colour"), "unit"
    if greys.unit == "HU":
        assert np.array_equal(imaging.to_hounsfield(dataset), greys.values)
    elif dataset.get("Modality") == "CT":
        with pytest.raises(ValueError, match="Hounsfield|no unit"):
            imaging.to_hounsfield(dataset)
    try:
        clean = imaging.deidentify(dataset, "course-0001", {})
    except ValueError as error:
        assert any(text in str(error) for text in NOT_DEIDENTIFIED), error
        return f"{greys.polarity}, {greys.unit or 'no unit'}; not de-identified"
    buffer = io.BytesIO()
    clean.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    after = imaging.greys(dcmread(buffer))
    for name in ("image", "values"):
        assert np.array_equal(getattr(after, name), getattr(greys, name)), f"{name} after deidentify"
    for name in ("unit", "polarity", "spacing", "spacing_from", "orientation", "regions"):
        assert getattr(after, name) == getattr(greys, name), f"{name} after deidentify"
    return f"{greys.polarity}, {greys.unit or 'no unit'}"


def test_every_installed_file_gives_right_greys_or_a_true_sentence():
    outcomes, faults, count = collections.Counter(), [], 0
    for path in installed_files():
        count += 1
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outcomes[compare(path)] += 1
        except Exception as error:  # every raw traceback is a fault, and all are wanted in one table
            faults.append(f"{path.name}: {type(error).__name__}: {str(error).splitlines()[0]}")
    table = "\n".join([f"{n:4d}  {outcome}" for outcome, n in sorted(outcomes.items())] + faults)
    print(table)
    assert not faults, table
    assert count >= 280, f"only {count} files"  # so that it cannot pass on none
    right = sum(n for outcome, n in outcomes.items() if not outcome.startswith("refused"))
    assert right >= 160, table
    for kind, least in REFUSALS.items():
        assert outcomes[f"refused: {kind}"] >= least, f"{kind}\n{table}"
