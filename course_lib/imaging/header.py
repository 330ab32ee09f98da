"""What a header says about a picture, read so that a value that makes no sense becomes a sentence with its name."""

import math
from typing import NamedTuple

import numpy as np

# Enhanced (multi-frame) objects keep these in functional groups (PS3.3 C.7.6.16), for all frames or for each.
GROUPS = {
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept", "RescaleType"),
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction"),
}
_PLACES = {"L": "the patient's left", "R": "the patient's right", "P": "the back", "A": "the front",
           "H": "the head", "F": "the feet"}  # fmt: skip
_UNITS = {1: "%", 2: "dB", 3: "cm", 4: "s", 5: "Hz", 6: "dB/s", 7: "cm/s", 8: "cm²", 9: "cm²/s", 10: "cm³",
          11: "cm³/s", 12: "°"}  # PS3.3 C.8.5.5.1.15  # fmt: skip


class Region(NamedTuple):
    """A rectangle of an ultrasound picture: rows top … bottom − 1, columns left … right − 1, and what a pixel is there:
    `down` and `across` in `unit_down` and `unit_across` ("cm", "s", "cm/s", …; "" for none).
    """

    top: int
    bottom: int
    left: int
    right: int
    down: float
    across: float
    unit_down: str
    unit_across: str


def value(dataset, keyword):
    """The element's value, None if it is missing or empty; ValueError with its name if it cannot be read."""
    from pydicom.datadict import dictionary_description, tag_for_keyword

    try:
        found = dataset.get(keyword)
    except Exception:
        tag = tag_for_keyword(keyword)
        raw = getattr(dataset._dict.get(tag), "value", None)  # get_item, too, may try to make sense of it
        text = raw.decode("latin-1").strip("\0 ") if isinstance(raw, bytes) else raw
        hint = " Decimals are written with a point." if isinstance(text, str) and "," in text else ""
        raise ValueError(
            f"{dictionary_description(keyword)} ({tag >> 16:04X},{tag & 0xFFFF:04X}) holds {text!r:.60}, which is no "
            f"value of its kind.{hint}"
        ) from None
    return None if found is None or (isinstance(found, (str, bytes)) and not found.strip()) else found


def numbers(dataset, keyword, count=0):
    """The element's numbers as a tuple, () if there are none; ValueError with its name for what is no number, and if
    there are fewer than `count`.
    """
    from pydicom.datadict import dictionary_description

    found = value(dataset, keyword)
    many = [] if found is None else [found] if isinstance(found, (str, bytes, int, float)) else found
    try:
        result = tuple(float(one) for one in many)
    except (TypeError, ValueError):
        result = (math.nan,)
    if not all(map(math.isfinite, result)) or 0 < len(result) < count:
        hint = " Decimals are written with a point." if "," in str(found) else ""
        needed = f"{count} numbers" if count > 1 else "a number"
        raise ValueError(f"{dictionary_description(keyword)} holds {str(found)!r:.60}, not {needed}.{hint}")
    return result


def items(dataset, keyword):
    """The items of a sequence, [] if it is missing; ValueError with its name if it is no sequence."""
    from pydicom.sequence import Sequence

    found = value(dataset, keyword)
    if found is not None and not isinstance(found, Sequence):
        raise ValueError(f"{keyword} is no sequence of items: the header is damaged.")
    return list(found or [])


def frame_headers(dataset):
    """A list of headers, one for each frame where functional groups differ between frames, else just one.

    They hold the elements named in GROUPS, taken from the frame's own groups, else from the shared ones.
    """
    from pydicom.dataset import Dataset

    shared, frames = (items(dataset, f"{kind}FunctionalGroupsSequence") for kind in ("Shared", "PerFrame"))
    result = []
    for frame in frames or [Dataset()]:
        header = Dataset()
        for group, keywords in GROUPS.items():
            holders = [dataset, *(item for level in (*shared[:1], frame) for item in items(level, group)[:1])]
            for holder in holders:
                for keyword in keywords:
                    if value(holder, keyword) is not None:
                        header[keyword] = holder[keyword]
        result.append(header)
    return result[:1] if all(header == result[0] for header in result) else result


def ultrasound_regions(dataset):
    """The rectangles named in the Sequence of Ultrasound Regions (PS3.3 C.8.5.5) as a list of Region, [] without one."""
    result = []
    for item in items(dataset, "SequenceOfUltrasoundRegions"):
        corner = [numbers(item, f"RegionLocation{name}", 1) for name in ("MinY0", "MaxY1", "MinX0", "MaxX1")]
        deltas = [numbers(item, f"PhysicalDelta{axis}") or (0.0,) for axis in "YX"]
        units = [_UNITS.get(int((numbers(item, f"PhysicalUnits{axis}Direction") or (0,))[0]), "") for axis in "YX"]
        if not all(corner):
            raise ValueError("A region of the Sequence of Ultrasound Regions does not say where it lies.")
        (top,), (bottom,), (left,), (right,) = corner
        # the corners named in the header belong to the region
        place = int(top), int(bottom) + 1, int(left), int(right) + 1
        result.append(Region(*place, abs(deltas[0][0]), abs(deltas[1][0]), *units))
    return result


def spacing(dataset, header):
    """((row mm, column mm), where it is from), or (None, why not): PS3.3 10.7 and C.8.5.5."""
    at_detector = numbers(dataset, "ImagerPixelSpacing", 2)
    why = "the header gives none"
    for name, found in (
        ("Pixel Spacing", numbers(header, "PixelSpacing", 2)),
        ("Imager Pixel Spacing, at the detector", at_detector),
        ("Nominal Scanned Pixel Spacing, on the film", numbers(dataset, "NominalScannedPixelSpacing", 2)),
    ):
        if found and min(found[:2]) > 0:
            if name == "Pixel Spacing" and found == at_detector:
                name += ", at the detector (equal to Imager Pixel Spacing)"
            return found[:2], name
        if found:
            why = f"{name.split(',')[0]} is {found[0]:g} × {found[1]:g}, which is impossible"
    areas = ultrasound_regions(dataset)
    if any(r.bottom > dataset.Rows + 1 or r.right > dataset.Columns + 1 for r in areas):
        return None, "the ultrasound regions reach beyond the picture, which was cut or shrunk after they were written"
    regions = {(r.down, r.across) for r in areas if r.unit_down == r.unit_across == "cm"}
    if len(regions) == 1 and min(down_across := regions.pop()) > 0:
        return tuple(10 * cm for cm in down_across), "Sequence of Ultrasound Regions, inside its rectangles of cm"
    return None, "ultrasound regions of different scale" if len(regions) > 1 else why


def towards(direction):
    """Where a direction in the patient (x to the left, y to the back, z to the head) leads, in words."""
    axis = int(np.argmax(np.abs(direction)))
    place = _PLACES[("LR", "PA", "HF")[axis][int(direction[axis] < 0)]]
    return f"{'mostly ' if abs(direction[axis]) < 0.95 else ''}towards {place}"


def directions(header):
    """(of growing column numbers, of growing row numbers) as unit vectors in the patient, None without orientation.

    Image Orientation (Patient) names first the direction of a row, in which *column* numbers grow: PS3.3 C.7.6.2.1.1.
    """
    six = np.array(numbers(header, "ImageOrientationPatient", 6)[:6])
    if not six.size:
        return None
    across, down = six[:3], six[3:]
    if abs(np.linalg.norm(across) - 1) > 0.01 or abs(np.linalg.norm(down) - 1) > 0.01 or abs(across @ down) > 0.01:
        raise ValueError(f"Image Orientation (Patient) {six.tolist()} is not two directions at right angles.")
    return across, down


def orientation(dataset, header):
    """Two sentences' worth of words on where column and row numbers grow; None if the header does not say."""
    vectors = directions(header)
    words = [towards(vector) for vector in vectors] if vectors else []
    if not words:
        codes = value(dataset, "PatientOrientation") or []
        known = [code for code in codes if code and set(code) <= set(_PLACES)] if not isinstance(codes, str) else []
        if len(known) != 2:
            return None
        words = [f"{'mostly ' if len(code) > 1 else ''}towards {_PLACES[code[0]]}" for code in known]
    return f"column numbers grow {words[0]}", f"row numbers grow {words[1]}"
