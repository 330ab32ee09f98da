"""From stored numbers to greys: units, window, scale. Images are arrays of any shape unless a docstring says otherwise."""

import warnings
from dataclasses import dataclass

import numpy as np

from course_lib.imaging.header import (
    GROUPS,
    Region,
    frame_headers,
    items,
    numbers,
    orientation,
    spacing,
    ultrasound_regions,
    value,
)
from course_lib.imaging.read import demand_memory


@dataclass(frozen=True, eq=False)
class Greys:
    """What one may look at, and measure, with what has to travel with it.

    image        float32 in [0, 1], 0 black as one should look at it: (h, w), (frames, h, w), or with colours (…, 3)
    values       float32, the modality's values, of the same shape; for colours, those stored, as RGB
    unit         of the values: "HU", "GY", "BQML", …; "" where the header does not say
    polarity     "MONOCHROME2", "MONOCHROME1" (the smallest value is shown white) or "colour"
    shown        what was done: which window, inverted, padding
    padding      bool, True outside the image proper (drawn black); None without padding
    windows      all (level, width, explanation) of the header, those of the first frame
    spacing      (row mm, column mm) between pixel centres, or None; spacing_from says which, and where, or why not
    orientation  ("column numbers grow towards …", "row numbers grow towards …"), or None
    regions      an ultrasound picture's rectangles (`Region`), with the size and unit of a pixel in each
    """

    image: np.ndarray
    values: np.ndarray
    unit: str
    polarity: str
    shown: str
    padding: np.ndarray | None
    windows: tuple[tuple[float, float, str], ...]
    spacing: tuple[float, float] | None
    spacing_from: str
    orientation: tuple[str, str] | None
    regions: tuple[Region, ...]

    def __str__(self):
        size = " × ".join(map(str, self.image.shape))
        mm = " × ".join(f"{mm:.4g}" for mm in self.spacing) + " mm, " if self.spacing else "unknown: "
        ends = f"{np.nanmin(self.values):.6g} to {np.nanmax(self.values):.6g} {self.unit or '(unit unknown)'}"
        lines = [f"greys {size}, {self.polarity}", f"  values       {ends}", f"  shown        {self.shown}"]
        lines += [f"  window       {level:g} / {width:g} {text}".rstrip() for level, width, text in self.windows]
        lines += [f"  spacing      {mm}{self.spacing_from}"]
        lines += [f"  orientation  {'; '.join(self.orientation) if self.orientation else 'unknown'}"]
        lines += [
            f"  region       rows {r.top}–{r.bottom - 1}, columns {r.left}–{r.right - 1}: a pixel is {r.down:.4g} "
            f"{r.unit_down} down, {r.across:.4g} {r.unit_across} across"
            for r in self.regions
        ]
        return "\n".join(lines)

    __repr__ = __str__


def greys(dataset, *, window=None):
    """From a pydicom Dataset to `Greys`: rescale, window, polarity, padding, and what belongs to it.

    window: a pair (level, width), mapped as `imaging.window` does. None takes the header's VOI LUT, else its first
    window with its own function (LINEAR, LINEAR_EXACT or SIGMOID), else the smallest and largest value of the image.
    All is computed by pydicom.pixels (PS3.4 N.2): modality LUT or rescale, VOI LUT or window, then MONOCHROME1 or
    Presentation LUT Shape INVERSE turns light and dark round. Raises ValueError with a sentence that names the element
    if a header value makes no sense, or if pixels cannot be decoded.
    """
    headers = frame_headers(dataset)
    kind = str(value(dataset, "PhotometricInterpretation") or "")
    stored = pixels(dataset)
    demand_memory(32 * stored.size, "The greys of so many pixels")
    place, place_from = spacing(dataset, headers[0])
    common = {
        "windows": _windows(headers[0]),
        "spacing": place,
        "spacing_from": place_from,
        "orientation": orientation(dataset, headers[0]),
        "regions": tuple(ultrasound_regions(dataset)),
    }
    if is_colour(dataset):
        if window is not None:
            raise ValueError("A window maps grey values; this picture has colours.")
        values, largest = _colours(dataset, stored, kind)
        shown = "the palette's colours" if kind == "PALETTE COLOR" else f"colours, stored as {kind}, as RGB"
        image = (values / np.float32(largest)).clip(0, 1)
        return Greys(image, values, "", "colour", shown, None, **common)
    if kind not in ("MONOCHROME1", "MONOCHROME2"):
        raise ValueError(f"Photometric Interpretation is {kind!r}: it does not say which values are light.")
    values, unit = modality_values(dataset, headers, stored)
    padding = _padding(dataset, stored)
    image, shown = _display(dataset, headers, values, padding, window)
    shape = str(value(dataset, "PresentationLUTShape") or "").upper()
    if kind == "MONOCHROME1" or shape == "INVERSE":
        image = 1 - image
        shown += f"; inverted ({kind if kind == 'MONOCHROME1' else 'Presentation LUT Shape INVERSE'})"
    if padding is not None:
        image[padding] = 0
        shown += f"; padding ({padding.mean():.0%}) black"
    if value(dataset, "PixelPresentation") in ("COLOR", "MIXED"):
        shown += "; the colours laid over it are left out"
    return Greys(image.astype(np.float32), values.astype(np.float32), unit, kind, shown, padding, **common)


def pixels(dataset):
    """dataset.pixel_array, YBR colours as RGB; ValueError with a sentence if there is none."""
    try:
        return dataset.pixel_array
    except Exception as error:
        raise ValueError(f"The pixels cannot be decoded: {' '.join(str(error).split())}") from error


def is_colour(dataset):
    palette = value(dataset, "PhotometricInterpretation") == "PALETTE COLOR"
    return palette or (numbers(dataset, "SamplesPerPixel") or (1,))[0] > 1


def modality_values(dataset, headers, stored):
    """(values as pydicom computes them, their unit): the modality LUT, else rescale, frame by frame where that differs."""
    from pydicom.pixels import apply_modality_lut

    headers = _different(headers)
    parts = [stored] if len(headers) == 1 else list(stored)
    if len(parts) != len(headers):
        raise ValueError(f"There are {len(parts)} frames, and functional groups for {len(headers)}.")
    done, units = [], set()
    for part, header in zip(parts, headers, strict=True):
        flat = _flat(dataset, header)
        dose = numbers(dataset, "DoseGridScaling")
        if dose and not flat.get("ModalityLUTSequence"):
            flat.RescaleSlope, flat.RescaleIntercept = dose[0], 0
        try:
            done.append(apply_modality_lut(part, flat))
        except Exception as error:
            raise ValueError(f"The Modality LUT cannot be applied: {error}") from error
        units.add(_unit(dataset, flat, header))
    return done[0] if len(headers) == 1 else np.stack(done), units.pop() if len(units) == 1 else ""


def _different(headers):
    """The headers of all frames, or only the first if they agree in all that changes the greys."""
    elements = [*GROUPS["PixelValueTransformationSequence"], *GROUPS["FrameVOILUTSequence"]]
    first = [headers[0].get(name) for name in elements]
    return headers[:1] if all([header.get(name) for name in elements] == first for header in headers) else headers


def _unit(dataset, flat, header):
    for item in items(flat, "ModalityLUTSequence"):
        kind = value(item, "ModalityLUTType")
        return "" if kind in (None, "US") else str(kind)
    if numbers(dataset, "DoseGridScaling"):
        return str(value(dataset, "DoseUnits") or "")
    if "RescaleSlope" not in flat:
        return ""
    # Rescale Type is required unless the values are Hounsfield units (PS3.3 C.8.2.1.1): absent means HU, in CT alone
    default = "HU" if value(dataset, "Modality") == "CT" else value(dataset, "Units") or ""
    kind = str(value(header, "RescaleType") or default)
    return "" if kind == "US" or (kind == "HU" and value(dataset, "Modality") != "CT") else kind


def _flat(dataset, header):
    """A small dataset with all that pydicom's functions ask, in the form in which they take it."""
    from pydicom.dataset import Dataset

    flat = Dataset()
    flat.PhotometricInterpretation = str(value(dataset, "PhotometricInterpretation"))
    for name in ("BitsStored", "PixelRepresentation"):
        setattr(flat, name, int((numbers(dataset, name) or (0,))[0]))
    for name in ("ModalityLUTSequence", "VOILUTSequence"):
        if found := items(dataset, name):
            setattr(flat, name, found)
    for name in ("RescaleSlope", "RescaleIntercept"):
        if found := numbers(header, name):
            setattr(flat, name, found[0])
    if ("RescaleSlope" in flat) != ("RescaleIntercept" in flat):  # pydicom needs both, and one alone says nothing
        flat.pop("RescaleSlope", None), flat.pop("RescaleIntercept", None)
    if windows := _windows(header):
        flat.WindowCenter, flat.WindowWidth = [w[0] for w in windows], [w[1] for w in windows]
        flat.VOILUTFunction = str(value(header, "VOILUTFunction") or "LINEAR").upper()
    flat.file_meta = dataset.file_meta
    return flat


def _windows(header):
    levels, widths = numbers(header, "WindowCenter"), numbers(header, "WindowWidth")
    if len(levels) != len(widths):
        raise ValueError(f"The header has {len(levels)} Window Center and {len(widths)} Window Width: no pairs.")
    texts = value(header, "WindowCenterWidthExplanation") or ""
    texts = [texts] if isinstance(texts, str) else list(texts)
    texts += [""] * (len(levels) - len(texts))
    return tuple((level, width, str(text)) for level, width, text in zip(levels, widths, texts, strict=False))


def _display(dataset, headers, values, padding, pair):
    """(values mapped to [0, 1], in words how), before the polarity."""
    from pydicom.pixels import apply_voi, apply_windowing

    if pair is not None:
        level, width = pair
        return window(values, level, width), f"window {level:g} / {width:g}, as asked for"
    headers, done = _different(headers), []
    for part, header in zip([values] if len(headers) == 1 else values, headers, strict=True):
        flat = _flat(dataset, header)
        with np.errstate(over="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a VOI LUT after a rescale: its indices are whole numbers all the same
            try:
                if flat.get("VOILUTSequence"):
                    entries, first, bits = (int(n) for n in numbers(flat.VOILUTSequence[0], "LUTDescriptor", 3))
                    if bits == 8 and (entries or 65536) > 256:
                        raise ValueError("it has more than 256 entries of 8 bits, which pydicom does not read rightly")
                    indices = part.clip(first, first + (entries or 65536) - 1)
                    done.append(apply_voi(indices, flat) / (2**bits - 1))
                    shown = f"VOI LUT {value(flat.VOILUTSequence[0], 'LUTExplanation') or ''}".rstrip()
                elif "WindowCenter" in flat:
                    # pydicom maps to the range of the stored bits: the ends tell which
                    low, high = apply_windowing(np.array([-1e300, 1e300]), flat)
                    done.append((apply_windowing(part, flat) - low) / (high - low))
                    level, width, text = _windows(header)[0]
                    many = f", the first of {len(flat.WindowCenter)}" if np.ndim(flat.WindowCenter) else ""
                    shown = f"window {level:g} / {width:g} of the header ({flat.VOILUTFunction}{many})"
            except Exception as error:
                raise ValueError(f"The header's window or VOI LUT cannot be applied: {error}.") from error
    if len(done) < len(headers):
        real = values if padding is None else values[~padding]
        low, high = (real.min(), real.max()) if real.size else (0, 0)
        image = (values - np.float64(low)) / (high - low) if high > low else np.zeros(values.shape)
        return image.clip(0, 1), f"smallest to largest value, {low:g} to {high:g}: the header has no window"
    shown += " (other frames have their own)" if len(done) > 1 else ""
    return done[0] if len(headers) == 1 else np.stack(done), shown


def _padding(dataset, stored):
    """True where a pixel holds the padding value or lies between it and the range limit (PS3.3 C.7.5.1.1.2), or is no
    finite number; None without such pixels.
    """
    mask = np.zeros(stored.shape, bool) if stored.dtype.kind != "f" else ~np.isfinite(stored)
    for kind in ("", "Float", "DoubleFloat"):
        ends = numbers(dataset, f"{kind}PixelPaddingValue")[:1]
        if ends:
            ends += numbers(dataset, f"{kind}PixelPaddingRangeLimit")[:1]
            mask |= (stored >= min(ends)) & (stored <= max(ends))
    return mask if mask.any() else None


def _colours(dataset, stored, kind):
    """(RGB values as float32, the largest possible one)."""
    from pydicom.pixels import apply_color_lut

    if kind != "PALETTE COLOR":
        return stored[..., :3].astype(np.float32), 2 ** int(numbers(dataset, "BitsStored", 1)[0]) - 1
    entries, first, bits = (int(n) for n in numbers(dataset, "RedPaletteColorLookupTableDescriptor", 3) or (0, 0, 0))
    if bits not in (8, 16):
        raise ValueError("The pixels are indices into a palette of colours, and the header has no such palette.")
    try:
        # pydicom counts indices in the type of the colours, so that larger ones would start again at 0
        indices = stored.clip(first, first + (entries or 65536) - 1)
        if bits == 8 and np.ptp(indices) > 255:
            raise ValueError("more than 256 colours of 8 bits")
        return apply_color_lut(indices, dataset)[..., :3].astype(np.float32), 2**bits - 1
    except Exception as error:
        raise ValueError(f"The palette of colours cannot be read: {error}.") from error


def to_hounsfield(dataset):
    """The pixels of a CT dataset in Hounsfield units: float32, stored value × Rescale Slope + Rescale Intercept.

    Shape (h, w) or (frames, h, w). Pixels that hold the Pixel Padding Value lie outside the image and are converted
    like the others. Formula: PS3.3 C.11.1. Raises ValueError if the modality is not CT, the picture has colours (a
    screenshot), the rescale is missing, or its type says that the result is not in Hounsfield units.
    """
    if value(dataset, "Modality") != "CT":
        raise ValueError(f"Hounsfield units exist for CT alone; the modality here is {value(dataset, 'Modality')!r}.")
    if is_colour(dataset):
        kind = value(dataset, "PhotometricInterpretation")
        raise ValueError(f"The picture has colours ({kind}): a screenshot or an overlay, without Hounsfield units.")
    headers = frame_headers(dataset)
    names = ("RescaleSlope", "RescaleIntercept")
    missing = [name for name in names if not all(numbers(header, name) for header in headers)]
    if missing and not items(dataset, "ModalityLUTSequence"):
        raise ValueError(f"The header lacks {' and '.join(missing)}: without them stored values have no unit.")
    values, unit = modality_values(dataset, headers, pixels(dataset))
    if unit != "HU":
        kind = value(headers[0], "RescaleType") or "not said"
        raise ValueError(f"Rescale Type is {kind!r}: the rescaled values are not Hounsfield units.")
    return values.astype(np.float32)


def window(image, level, width):
    """Map level − width/2 to 0 and level + width/2 to 1, linearly, and clip what lies outside: float32 in [0, 1].

    level, width: numbers; of the several values that a header may hold, the first of each is taken. This is DICOM's
    LINEAR_EXACT function (PS3.3 C.11.2.1.3.2). Its default, LINEAR, takes half a unit off the level and one off the
    width, which is right for whole-number values and wrong for narrow windows. Raises ValueError if the width is not
    positive, or one of them is missing or no number.
    """
    pair = []
    for name, given in (("level", level), ("width", width)):
        first = next(iter(given), None) if np.iterable(given) and not isinstance(given, str) else given
        try:
            pair.append(float(first))
        except (TypeError, ValueError):
            raise ValueError(
                f"The {name} of the window is {first!r}, no number. A header without a window leaves the choice to you."
            ) from None
    level, width = pair
    if not (np.isfinite(level) and 0 < width < np.inf):
        raise ValueError(f"The width of a window must be positive, its level a number; they are {width} and {level}.")
    scaled = (np.asarray(image, np.float32) - np.float32(level - width / 2)) / np.float32(width)
    return np.clip(scaled, 0, 1)


def _demand_finite(**arrays):
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            what = "NaN" if np.isnan(values).any() else "an infinite value"
            raise ValueError(
                f"`{name}` holds {what}, as files that mark what is outside do. Decide what it stands for, and "
                "take such pixels out of mean and range (np.nanmin, np.nanmean, …)."
            )


def min_max(images, low, high):
    """Map `low` to 0 and `high` to 1, linearly, without clipping: float32, shape as `images`.

    low, high: numbers, or arrays that broadcast against the images. Take them from the training split, or from each
    image itself. Raises ValueError for NaN or infinity in them, and unless high > low everywhere: a blank image has none.
    """
    images, low, high = (np.asarray(values, np.float32) for values in (images, low, high))
    _demand_finite(low=low, high=high)
    if not np.all(high > low):
        raise ValueError("`high` must be larger than `low`; they are equal for a blank image. Leave such images out.")
    return (images - low) / (high - low)


def z_score(images, mean, std):
    """Subtract `mean` and divide by `std`: float32, shape as `images`, in standard deviations.

    mean, std: numbers, or arrays that broadcast against the images. Take them from the training split, or from each
    image itself. Raises ValueError for NaN or infinity in them, and unless std > 0 everywhere: a blank image has none.
    """
    images, mean, std = (np.asarray(values, np.float32) for values in (images, mean, std))
    _demand_finite(mean=mean, std=std)
    if not np.all(std > 0):
        raise ValueError("`std` must be positive; it is 0 for a blank image. Leave such images out.")
    return (images - mean) / std
