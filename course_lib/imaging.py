"""From a medical image file to an array for a network: reading, units, window, scale, spacing, privacy.

Lesson 05 explains what is done here. Images are arrays of any shape unless a docstring says otherwise.
DICOM's sections are cited as in the current edition of the standard, https://www.dicomstandard.org/current.
"""

import copy
import warnings
from pathlib import Path

import numpy as np

# ---- Reading ------------------------------------------------------------------------------------


def read_dicom(path):
    """Read a DICOM image and return its pydicom Dataset, whose `pixel_array` is known to decode.

    Raises FileNotFoundError if there is no such file, and ValueError with a sentence that says what is wrong if
    the file is no DICOM file, is cut off, holds no pixels, declares a transfer syntax (the way its bytes are
    written) that is missing, wrong or not supported here, or cannot be decoded for another reason.
    """
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            dataset = dcmread(path)
        except InvalidDicomError:
            raise ValueError(
                f"{path.name} is not a DICOM file: the letters DICM are missing behind its first 128 bytes. "
                "Check that it is the right file and that it was copied whole."
            ) from None
        # A header read in the wrong syntax breaks the parser in ways it does not announce.
        except Exception as error:
            raise ValueError(
                f"The header of {path.name} cannot be read: {error}. It is damaged or mislabelled."
            ) from error
        complaint = _complaint(dataset, [str(warning.message) for warning in caught])
        if complaint:
            raise ValueError(f"{path.name} {complaint}")
        try:
            dataset.pixel_array  # noqa: B018  decoded here and kept by pydicom, so that it cannot fail later
        except Exception as error:
            text = " ".join(str(part) for part in [error, *(warning.message for warning in caught)])
            raise ValueError(f"{path.name} {_decoding_complaint(dataset, ' '.join(text.split()))}") from error
    for warning in caught:  # the file could be read: what pydicom noticed goes to whoever called
        warnings.warn(f"{path.name}: {warning.message}", stacklevel=2)
    return dataset


def _complaint(dataset, remarks):
    """What is wrong with a file whose header could be parsed, as the rest of a sentence; None if nothing shows."""
    from pydicom.datadict import dictionary_has_tag

    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is None:
        return "does not say how its bytes are written: Transfer Syntax UID (0002,0010) is missing. Export it again."
    unknown = any(not tag.is_private and not dictionary_has_tag(tag) for tag in dataset.keys())
    if "SOPClassUID" not in dataset and unknown:
        return (
            f"declares the transfer syntax '{syntax.name}', but read that way its header makes no sense. "
            "The declaration is wrong or the file is damaged. Export it again."
        )
    if not any(name in dataset for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        if _cut_off(dataset, remarks):
            return "is cut off: it ends before its pixels are complete. Copy or download it again."
        return (
            f"holds no pixels: there is no Pixel Data element (7FE0,0010). Its modality is "
            f"{dataset.get('Modality') or 'not given'}. Reports and plans have none; an image without them is incomplete."
        )
    return None


def _cut_off(dataset, remarks):
    """Whether the file ends inside an element, so far as can be seen."""
    from pydicom.dataelem import RawDataElement

    # pydicom reads what there is and does not say that a value is shorter than announced.
    raw = (dataset.get_item(tag) for tag in dataset.keys())
    short = any(isinstance(item, RawDataElement) and len(item.value or b"") < item.length < 0xFFFFFFFF for item in raw)
    return short or any("End of file" in remark for remark in remarks)


def _decoding_complaint(dataset, text):
    """Why the pixels of a readable header cannot be decoded, as the rest of a sentence."""
    from pydicom.pixels import get_decoder

    syntax = dataset.file_meta.TransferSyntaxUID
    if "less than expected" in text:
        expected = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * (dataset.BitsAllocated // 8)
        expected *= int(dataset.get("NumberOfFrames") or 1)
        return (
            f"is cut off: its header announces {expected:,} bytes of pixels, and {len(dataset.PixelData):,} are there. "
            "Copy or download it again."
        )
    if "matches the expected number for uncompressed" in text:
        return (
            f"declares the transfer syntax '{syntax.name}', but its pixels are not compressed: their size is that of "
            "plain numbers. The declaration is wrong. Export it again."
        )
    try:
        available = get_decoder(syntax).is_available
    except NotImplementedError:
        available = False
    if not available:
        return (
            f"is compressed as '{syntax.name}', for which no decoder is installed. "
            "pydicom's page on compressed pixel data lists the package that can read it."
        )
    return f"has pixels that cannot be decoded as '{syntax.name}': {text}"


# ---- Units and windows --------------------------------------------------------------------------


def to_hounsfield(dataset):
    """The pixels of a CT dataset in Hounsfield units: float32, stored value × Rescale Slope + Rescale Intercept.

    Shape as `dataset.pixel_array`: (h, w) or (frames, h, w). Pixels that hold the Pixel Padding Value lie outside
    the image and are converted like the others. Formula: PS3.3 C.11.1. Raises ValueError if the modality is not
    CT, the rescale is missing, or its type says that the result is not in Hounsfield units.
    """
    if dataset.get("Modality") != "CT":
        raise ValueError(f"Hounsfield units exist for CT alone; the modality here is {dataset.get('Modality')!r}.")
    missing = [name for name in ("RescaleSlope", "RescaleIntercept") if dataset.get(name) is None]
    if missing:
        raise ValueError(f"The header lacks {' and '.join(missing)}: without them stored values have no unit.")
    if dataset.get("RescaleType", "HU") != "HU":
        raise ValueError(f"Rescale Type is {dataset.RescaleType!r}: the rescaled values are not Hounsfield units.")
    stored = dataset.pixel_array.astype(np.float32)
    return stored * np.float32(dataset.RescaleSlope) + np.float32(dataset.RescaleIntercept)


def window(image, level, width):
    """Map level − width/2 to 0 and level + width/2 to 1, linearly, and clip what lies outside: float32 in [0, 1].

    This is DICOM's LINEAR_EXACT function (PS3.3 C.11.2.1.3.2). Its default, LINEAR, takes half a unit off the level
    and one off the width, which is right for whole-number displays. Raises ValueError if the width is not positive.
    """
    if not width > 0:
        raise ValueError(f"The width of a window must be positive; it is {width}.")
    scaled = (np.asarray(image, np.float32) - np.float32(level - width / 2)) / np.float32(width)
    return np.clip(scaled, 0, 1)


# ---- Scale --------------------------------------------------------------------------------------


def min_max(images, low, high):
    """Map `low` to 0 and `high` to 1, linearly, without clipping: float32, shape as `images`.

    low, high: numbers, or arrays that broadcast against the images. Take them from the training split, or from each
    image itself. Raises ValueError unless high > low everywhere: a blank image has no range.
    """
    images, low, high = (np.asarray(values, np.float32) for values in (images, low, high))
    if not np.all(high > low):
        raise ValueError("`high` must be larger than `low`; they are equal for a blank image. Leave such images out.")
    return (images - low) / (high - low)


def z_score(images, mean, std):
    """Subtract `mean` and divide by `std`: float32, shape as `images`, in standard deviations.

    mean, std: numbers, or arrays that broadcast against the images. Take them from the training split, or from each
    image itself. Raises ValueError unless std > 0 everywhere: a blank image has no spread.
    """
    images, mean, std = (np.asarray(values, np.float32) for values in (images, mean, std))
    if not np.all(std > 0):
        raise ValueError("`std` must be positive; it is 0 for a blank image. Leave such images out.")
    return (images - mean) / std


# ---- Spacing ------------------------------------------------------------------------------------


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


# ---- Privacy ------------------------------------------------------------------------------------

# What an image needs in order to be read, measured and put in order. None of these attributes is listed in
# PS3.15 Table E.1-1 (edition 2024b), whose attributes the basic profile removes or replaces.
KEPT = (
    "SpecificCharacterSet", "ImageType", "SOPClassUID", "Modality", "SeriesNumber", "InstanceNumber",
    "SliceThickness", "SpacingBetweenSlices", "PatientPosition", "ImagePositionPatient", "ImageOrientationPatient",
    "Laterality", "ImageLaterality", "FrameTime", "SamplesPerPixel", "PhotometricInterpretation",
    "PlanarConfiguration", "NumberOfFrames", "FrameIncrementPointer", "Rows", "Columns", "PixelSpacing",
    "PixelAspectRatio", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue",
    "RescaleIntercept", "RescaleSlope", "RescaleType", "WindowCenter", "WindowWidth", "VOILUTFunction",
    "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod", "PixelData",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
)  # fmt: skip

# Attributes that have to exist, and may be empty.
_EMPTIED = ("PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber",
            "ReferringPhysicianName", "StudyID")  # fmt: skip

_REPLACED_UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")

# Sequences without which the pixels or their place would be wrong.
_NEEDED_SEQUENCES = ("ModalityLUTSequence", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")


def deidentify(dataset, patient_id, uids):
    """Return a new dataset with the pixels, the attributes in KEPT, and nothing else of the old header.

    patient_id: the pseudonym to write. uids: a dict that is filled with old UID → new UID; pass the same dict for
    all files of a study, so that they still belong together, and then destroy it or lock it away, since it leads
    back. Empty are the attributes that must exist, such as name and study date; private attributes, sequences,
    dates and the 128 bytes in front of the header are gone.

    It removes at least what the Basic Application Level Confidentiality Profile removes (PS3.15 Annex E), but it is
    not an implementation of that profile: it tests neither what the kept values contain nor whether the result is a
    complete object of its kind. It does not look at the pixels (see `blank_outside`). Raises ValueError if the
    dataset keeps essential facts in sequences, which would be lost, or has no SOP Class or Instance UID.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import generate_uid

    needed = [name for name in _NEEDED_SEQUENCES if name in dataset]
    if needed:
        raise ValueError(
            f"This dataset keeps essential facts in {', '.join(needed)}, which this short version would remove. "
            "Use a complete de-identification tool for it."
        )
    missing = [name for name in ("SOPClassUID", "SOPInstanceUID") if not dataset.get(name)]
    if missing:
        raise ValueError(f"This dataset has no {' and no '.join(missing)}, so it is no complete DICOM object.")
    clean = Dataset()
    for name in KEPT:
        if name in dataset:
            clean.add(copy.deepcopy(dataset[name]))
    for name in _EMPTIED:
        setattr(clean, name, "")
    clean.PatientID = patient_id
    for name in _REPLACED_UIDS:
        if name in dataset:
            # A random UID: one computed from the old UID could be found again by trying.
            setattr(clean, name, uids.setdefault(str(dataset[name].value), generate_uid()))
    clean.PatientIdentityRemoved = "YES"
    clean.DeidentificationMethod = "Keep-list of a course, not a complete PS3.15 profile"
    clean.LongitudinalTemporalInformationModified = "REMOVED"
    clean.file_meta = FileMetaDataset()
    clean.file_meta.MediaStorageSOPClassUID = clean.SOPClassUID
    clean.file_meta.MediaStorageSOPInstanceUID = clean.SOPInstanceUID
    clean.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    clean.preamble = bytes(128)
    return clean


def blank_outside(dataset, top, bottom, left, right):
    """Return a copy whose pixels are black outside rows top … bottom − 1 and columns left … right − 1, in all frames.

    The pixel values themselves are overwritten, and stored without compression; colour becomes RGB. Raises ValueError
    if the rectangle is empty or reaches out of the image, or if the pixels are indices into a palette or in
    the retired big-endian order.
    """
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        raise ValueError("The pixels are indices into a palette of colours. Convert the image to RGB first.")
    if not dataset.file_meta.TransferSyntaxUID.is_little_endian:
        raise ValueError("The file is written in big-endian byte order, which DICOM has retired. Export it again.")
    if not (0 <= top < bottom <= dataset.Rows and 0 <= left < right <= dataset.Columns):
        raise ValueError(
            f"Rows {top}–{bottom} and columns {left}–{right} are no rectangle inside an image of "
            f"{dataset.Rows} × {dataset.Columns} pixels."
        )
    pixels = dataset.pixel_array
    colour = dataset.SamplesPerPixel > 1
    rows, columns = (-3, -2) if colour else (-2, -1)
    inside = [slice(None)] * pixels.ndim
    inside[rows], inside[columns] = slice(top, bottom), slice(left, right)
    inside = tuple(inside)
    kind = "RGB" if colour else dataset.PhotometricInterpretation
    black = 0 if colour else (pixels.max() if kind == "MONOCHROME1" else pixels.min())
    blanked = np.full_like(pixels, black)
    blanked[inside] = pixels[inside]
    result = copy.deepcopy(dataset)
    result.set_pixel_data(blanked, kind, dataset.BitsStored, generate_instance_uid=False)
    return result
