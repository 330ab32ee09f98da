"""Reading a DICOM file, and saying what is wrong with one that cannot be read."""

import contextlib
import os
import warnings
import zlib
from pathlib import Path

import psutil

_DEFLATED = "1.2.840.10008.1.2.1.99"
_LARGEST = 500_000_000  # bytes that a deflated file may unpack to: a small one can hold a huge picture
_PIXELS = "PixelData", "FloatPixelData", "DoubleFloatPixelData"


class _Wrong(ValueError):
    """What is wrong with a file, in a sentence."""


def demand_memory(size: float, what: str) -> None:
    """Raise a ValueError if `what` would take more bytes than are free: before they are asked for."""
    free = psutil.virtual_memory().available
    if size > free:
        raise _Wrong(f"{what} would take {size / 1e9:,.1f} GB of memory, and {free / 1e9:,.1f} GB are free.")


def read_dicom(path):
    """Read a DICOM image and return its pydicom Dataset, whose `pixel_array` is known to decode.

    A file without preamble, as older and planning systems write them, is read if it makes sense, with a warning.
    Raises TypeError for what is no path, FileNotFoundError or PermissionError, and ValueError with a sentence that says
    what is wrong if the path is a folder (see `read_series`), or the file is no DICOM file, is a table of contents
    (DICOMDIR), is cut off, holds no pixels, declares a transfer syntax (the way its bytes are written) that is missing,
    wrong or not supported here, unpacks to more than 500 MB, takes more memory than is free, or is damaged otherwise.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(
            f"read_dicom takes the path of a file, not {path!r:.60}. (pydicom's get_testdata_file gives None for a file "
            "that it does not have.)"
        )
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder. imaging.read_series reads the slices in it; read_dicom reads one file.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            dataset = _decoded(path, caught)
        except _Wrong:
            raise
        except PermissionError:
            raise PermissionError(f"You may not read {path}: its owner has to permit it.") from None
        # A damaged header, or one read in the wrong syntax, breaks the parser in ways it does not announce.
        except Exception as error:
            text = " ".join(str(error).split()) or type(error).__name__
            raise ValueError(
                f"The header of {path.name} cannot be read: {text}. It is damaged or mislabelled."
            ) from error
    for warning in caught:  # the file could be read: what pydicom noticed goes to whoever called
        warnings.warn(f"{path.name}: {warning.message}", stacklevel=2)
    return dataset


def _decoded(path, caught):
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError
    from pydicom.pixels.utils import get_expected_length

    with path.open("rb") as file:
        head = file.read(132)
    if head.startswith(b"\x1f\x8b"):
        raise _Wrong(f"{path.name} is packed with gzip. Unpack it first (gunzip), and read what comes out.")
    if head[128:] == b"DICM":
        _demand_size(path)
    try:
        dataset = dcmread(path)
    except InvalidDicomError:
        dataset = _without_preamble(path)
        warnings.warn("it has no preamble, the first 132 bytes that every DICOM file should have", stacklevel=2)
    complaint = _complaint(dataset, [str(warning.message) for warning in caught])
    if complaint:
        raise _Wrong(f"{path.name} {complaint}")
    size = 0
    with contextlib.suppress(Exception):  # where elements are missing, decoding says which
        size = get_expected_length(dataset)
    demand_memory(size, f"The pixels of {path.name}")
    try:
        dataset.pixel_array  # noqa: B018  decoded here and kept by pydicom, so that it cannot fail later
    except Exception as error:
        text = " ".join(str(part) for part in [error, *(warning.message for warning in caught)])
        raise _Wrong(f"{path.name} {_decoding_complaint(dataset, ' '.join(text.split()))}") from error
    return dataset


def _demand_size(path):
    """Refuse a deflated file that unpacks to more than _LARGEST bytes, before pydicom unpacks it whole."""
    from pydicom.filereader import read_dataset

    try:
        with path.open("rb") as file:  # as pydicom does, which needs no length of the first group
            file.seek(132)
            if read_dataset(file, False, True, stop_when=lambda tag, *_: tag.group != 2).TransferSyntaxUID != _DEFLATED:
                return
            packed = file.read()
        unpacking, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
        while packed and size <= _LARGEST:
            size += len(unpacking.decompress(packed, 1 << 22))
            packed = unpacking.unconsumed_tail
    except Exception:
        return  # damaged: dcmread fails as well, and says more
    if size > _LARGEST:
        raise _Wrong(f"{path.name} is deflated, and unpacks to more than {_LARGEST // 1_000_000} MB: it is not read.")


def _without_preamble(path):
    """The dataset of a file that begins with its elements at once; _Wrong if they make no sense."""
    from pydicom import dcmread
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    try:
        dataset = dcmread(path, force=True)
        sensible = len(dataset) > 2 and not _unknown(dataset) and ("SOPClassUID" in dataset or "Rows" in dataset)
    except Exception:
        sensible = False
    if not sensible:
        raise _Wrong(
            f"{path.name} is not a DICOM file: the letters DICM are missing after its first 128 bytes, and read "
            "without them it makes no sense. Check that it is the right file and that it was copied whole."
        )
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return dataset


def _unknown(dataset):
    from pydicom.datadict import dictionary_has_tag

    return any(not tag.is_private and not dictionary_has_tag(tag) for tag in dataset.keys())


def _complaint(dataset, remarks):
    """What is wrong with a file whose header could be parsed, as the rest of a sentence; None if nothing shows."""
    if "DirectoryRecordSequence" in dataset:
        return (
            "is a table of contents (DICOMDIR), as the first file of a patient's CD: it lists images and holds none. "
            "Open one of the files that it lists."
        )
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is None:
        return "does not say how its bytes are written: Transfer Syntax UID (0002,0010) is missing. Export it again."
    if "SOPClassUID" not in dataset and _unknown(dataset):
        return (
            f"declares the transfer syntax '{_name(syntax)}', but read that way its header makes no sense. "
            "The declaration is wrong or the file is damaged. Export it again."
        )
    if not any(name in dataset for name in _PIXELS):
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
    from pydicom.pixels.utils import get_expected_length

    syntax, name = dataset.file_meta.TransferSyntaxUID, _name(dataset.file_meta.TransferSyntaxUID)
    if "less than expected" in text:
        there = next(len(dataset[element].value) for element in _PIXELS if element in dataset)
        return (
            f"is cut off: its header announces {get_expected_length(dataset):,} bytes of pixels, and {there:,} are there. "
            "Copy or download it again."
        )
    if "matches the expected number for uncompressed" in text:
        return (
            f"declares the transfer syntax '{name}', but its pixels are not compressed: their size is that of "
            "plain numbers. The declaration is wrong. Export it again."
        )
    try:
        available = get_decoder(syntax).is_available
    except Exception:
        available = False
    if not available:
        return (
            f"is compressed as '{name}', for which no decoder is installed. "
            "pydicom's page on compressed pixel data lists the package that can read it."
        )
    return f"has pixels that cannot be decoded as '{name}': {text[:200]}"


def _name(syntax):
    return getattr(syntax, "name", syntax)  # a damaged header may hold several, or no UID
