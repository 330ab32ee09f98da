"""Removing what identifies a patient, from the header and from the pixels, always on a copy."""

import copy
import re

import numpy as np

from course_lib.imaging.greys import pixels
from course_lib.imaging.header import items, value

# What an image needs in order to be read, measured and put in order. None of these attributes is listed in
# PS3.15 Table E.1-1 (edition 2024b), whose attributes the basic profile removes or replaces.
KEPT = (
    "SpecificCharacterSet", "ImageType", "SOPClassUID", "Modality", "SeriesNumber", "InstanceNumber",
    "SliceThickness", "SpacingBetweenSlices", "PatientPosition", "ImagePositionPatient", "ImageOrientationPatient",
    "Laterality", "ImageLaterality", "FrameTime", "FrameTimeVector", "SamplesPerPixel", "PhotometricInterpretation",
    "PlanarConfiguration", "NumberOfFrames", "FrameIncrementPointer", "Rows", "Columns", "PixelSpacing",
    "PixelAspectRatio", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue",
    "RescaleIntercept", "RescaleSlope", "RescaleType", "WindowCenter", "WindowWidth", "VOILUTFunction",
    "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod", "PixelData",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData", "SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData", "SegmentedBluePaletteColorLookupTableData", "PatientOrientation",
    "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelPresentation", "PresentationLUTShape", "DoseGridScaling",
    "DoseUnits", "Units", "PixelPaddingRangeLimit", "FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit",
    "DoubleFloatPixelPaddingValue", "DoubleFloatPixelPaddingRangeLimit", "FloatPixelData", "DoubleFloatPixelData",
)  # fmt: skip

# Attributes that have to exist, and may be empty.
_EMPTIED = ("PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber",
            "ReferringPhysicianName", "StudyID")  # fmt: skip

_REPLACED_UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")

# Of these sequences, numbers are kept (and what they are in, where it is one of the standard's words).
_NUMBERS_OF = ("ModalityLUTSequence", "VOILUTSequence", "SequenceOfUltrasoundRegions")
_NUMBERS = ("US", "SS", "UL", "SL", "FL", "FD", "OW", "OB", "IS", "DS")

# Sequences without which pixels, units or places would be wrong, and which are too deep for this short version.
_NEEDED_SEQUENCES = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
                     "RealWorldValueMappingSequence")  # fmt: skip


def deidentify(dataset, patient_id, uids):
    """Return a new dataset with the pixels, the attributes in KEPT, and nothing else of the old header.

    patient_id: the pseudonym to write. uids: a dict that is filled with old UID → new UID; pass the same dict for
    all files of a study, so that they still belong together, and then destroy it or lock it away, since it leads
    back. Empty are the attributes that must exist, such as name and study date. Of lookup tables and ultrasound regions
    the numbers stay. Private attributes, overlays, all other sequences, dates, the 128 bytes in front of the header,
    the bytes behind the last pixel and whatever stands in unused bits of uncompressed pixels are gone.

    It removes at least what the Basic Application Level Confidentiality Profile removes (PS3.15 Annex E), but it is
    not an implementation of that profile: it tests neither what the kept values contain nor whether the result is a
    complete object of its kind. It cannot see text burnt into the pixels (see `blank_outside`), nor comments inside
    compressed (JPEG) frames, which are copied as they are. Raises ValueError if the pseudonym is the old Patient ID
    or part of the name, if the dataset keeps what its pixels need where this would lose it, if its header is damaged,
    or if it has no SOP Class or Instance UID.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import generate_uid

    if not isinstance(uids, dict):
        raise ValueError(f"`uids` is the dict to fill with old UID → new UID, {{}} to begin with; it is {uids!r:.40}.")
    old = {str(value(dataset, name) or "").strip().lower() for name in ("PatientID", "PatientName", "OtherPatientIDs")}
    old |= {part for text in old for part in re.split(r"[\^=\s,]+", text)} - {""}
    if not isinstance(patient_id, str) or not patient_id.strip() or patient_id.strip().lower() in old:
        raise ValueError("The pseudonym must be a text, and neither the old Patient ID nor part of the name.")
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
    for name in (*KEPT, *_frame_vectors(dataset)):
        if value(dataset, name) is not None:
            clean.add(copy.deepcopy(dataset[name]))
    for name in _NUMBERS_OF:
        if kept := [_only_numbers(item) for item in items(dataset, name)]:
            setattr(clean, name, kept)
    for name in _EMPTIED:
        setattr(clean, name, "")
    clean.PatientID = patient_id
    for name in _REPLACED_UIDS:
        if value(dataset, name) is not None:
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
    if not clean.file_meta.TransferSyntaxUID.is_compressed and "PixelData" in clean:
        clean.PixelData = _bare_pixels(clean)
    return clean


def _frame_vectors(dataset):
    """The elements that Frame Increment Pointer names, which count frames by time, dose plane, detector, …"""
    from pydicom.multival import MultiValue

    tags = value(dataset, "FrameIncrementPointer")
    for tag in [] if tags is None else tags if isinstance(tags, (list, MultiValue)) else [tags]:
        if tag in dataset:
            element = dataset[tag]
            if element.tag.is_private or element.VR not in _NUMBERS:
                raise ValueError(f"Frame Increment Pointer points to {element.name}, which this would remove.")
            yield element.keyword


def _only_numbers(item):
    from pydicom.dataset import Dataset

    kept = Dataset()
    for element in item:
        known = element.keyword == "ModalityLUTType" and element.value in ("HU", "OD", "US", "MGML", "Z_EFF", "ED")
        if known or (element.VR in _NUMBERS and not element.tag.is_private):
            kept.add(copy.deepcopy(element))
    return kept


def _bare_pixels(dataset):
    """Uncompressed Pixel Data without what stands behind the last pixel and in bits above High Bit."""
    from pydicom.pixels.utils import get_expected_length

    length = get_expected_length(dataset)
    raw = bytearray(dataset.PixelData[: length + length % 2].ljust(length + length % 2, b"\0"))
    little = dataset.file_meta.TransferSyntaxUID.is_little_endian
    if length % 2:  # one byte fills up the last word; in a big-endian word it stands first
        raw[length if little or dataset["PixelData"].VR == "OB" else length - 1] = 0
    unused = dataset.BitsAllocated - dataset.BitsStored
    if unused and dataset.BitsAllocated in (8, 16, 32) and dataset.HighBit == dataset.BitsStored - 1:
        order = "<" if little else ">"
        signed = "i" if dataset.PixelRepresentation else "u"
        words = np.frombuffer(raw, f"{order}{signed}{dataset.BitsAllocated // 8}")
        raw = (words << unused >> unused).astype(words.dtype).tobytes()  # signed: the sign is repeated, as it has to be
    return bytes(raw)


def blank_outside(dataset, top, bottom, left, right):
    """Return a copy whose pixels are black outside rows top … bottom − 1 and columns left … right − 1, in all frames.

    The pixel values themselves are overwritten, and stored without compression; colour becomes RGB. Thumbnails
    (Icon Image Sequence) and overlays, which may show the same text, are removed; the rest of the header stays (see
    `deidentify`). Raises ValueError if the rectangle is empty or reaches out of the image, or if the pixels cannot be
    decoded, are indices into a palette or in the retired big-endian order.
    """
    from pydicom.uid import ExplicitVRLittleEndian

    kind = value(dataset, "PhotometricInterpretation")
    if kind == "PALETTE COLOR":
        raise ValueError("The pixels are indices into a palette of colours. Convert the image to RGB first.")
    if not dataset.file_meta.TransferSyntaxUID.is_little_endian:
        raise ValueError("The file is written in big-endian byte order, which DICOM has retired. Export it again.")
    box = top, bottom, left, right
    whole = all(isinstance(edge, (int, float, np.number)) and edge == np.floor(edge) for edge in box)
    if not whole or not (0 <= top < bottom <= dataset.Rows and 0 <= left < right <= dataset.Columns):
        raise ValueError(
            f"Rows {top}–{bottom} and columns {left}–{right} are no rectangle inside an image of "
            f"{dataset.Rows} × {dataset.Columns} pixels."
        )
    top, bottom, left, right = map(int, box)
    stored = pixels(dataset)
    colour = dataset.SamplesPerPixel > 1
    rows, columns = (-3, -2) if colour else (-2, -1)
    inside = [slice(None)] * stored.ndim
    inside[rows], inside[columns] = slice(top, bottom), slice(left, right)
    inside = tuple(inside)
    kind = "RGB" if colour else kind
    black = 0 if colour else (np.nanmax(stored) if kind == "MONOCHROME1" else np.nanmin(stored))
    blanked = np.full_like(stored, black)
    blanked[inside] = stored[inside]
    result = copy.deepcopy(dataset)
    for tag in list(result.keys()):  # not the elements: a damaged one cannot even be looked at
        if tag == 0x00880200 or 0x6000 <= tag.group <= 0x60FF:  # Icon Image Sequence, overlays
            del result[tag]
    if blanked.itemsize <= 2:
        result.set_pixel_data(blanked, kind, dataset.BitsStored, generate_instance_uid=False)
        return result
    # pydicom's function writes up to 16 bits
    name = next(name for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData") if name in dataset)
    setattr(result, name, blanked.astype(blanked.dtype.newbyteorder("<")).tobytes())
    result[name].is_undefined_length = False
    if colour:
        result.PhotometricInterpretation, result.PlanarConfiguration = kind, 0
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        result.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return result
