"""Reading a DICOM file, and saying what is wrong with one that cannot be read."""

import warnings
from pathlib import Path


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
