"""Removing what identifies a patient, from the header and from the pixels, always on a copy."""

import copy

import numpy as np

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
