"""What lesson 05 promises of course_lib.imaging, on the real files that pydicom brings along."""

import copy
import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, examples
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.pixels import apply_rescale, apply_windowing
from pydicom.uid import ExplicitVRBigEndian, JPEGBaseline8Bit

from course_lib import imaging


def _ct():
    return imaging.read_dicom(examples.get_path("ct"))


def _saved(dataset):
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _declaring(syntax):
    """The CT's bytes, with another transfer syntax written into the first part of the file."""
    raw = Path(examples.get_path("ct")).read_bytes()
    start = raw.index(b"\x02\x00\x10\x00UI") + 6
    old = int.from_bytes(raw[start : start + 2], "little")
    name = syntax.encode() + b"\0" * (len(syntax) % 2)
    changed = raw[:start] + len(name).to_bytes(2, "little") + name + raw[start + 2 + old :]
    length_at = raw.index(b"\x02\x00\x00\x00UL\x04\x00") + 8
    length = int.from_bytes(raw[length_at : length_at + 4], "little") + len(name) - old
    return changed[:length_at] + length.to_bytes(4, "little") + changed[length_at + 4 :]


# ---- Reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["CT_small", "MR_small", "MR_small_RLE", "examples_rgb_color", "examples_ybr_color"])
def test_good_files_are_read(name):
    dataset = imaging.read_dicom(get_testdata_file(f"{name}.dcm"))
    assert dataset.pixel_array.shape[-3 if dataset.SamplesPerPixel > 1 else -2] == dataset.Rows


def _bad_files():
    ct = Path(examples.get_path("ct")).read_bytes()
    echo = Path(examples.get_path("ybr_color")).read_bytes()
    without = dcmread(examples.get_path("ct"))
    del without.PixelData
    no_syntax = get_testdata_file("meta_missing_tsyntax.dcm")
    return {
        "empty": (b"", "not a DICOM file"),
        "text": (b"Patient complains of a cough. " * 40, "not a DICOM file"),
        "cut off in the pixels": (ct[:20_000], "cut off.*32,768 bytes.*13,700"),
        "one byte of the pixels missing": (ct[: ct.index(b"\xfc\xff\xfc\xff") - 1], "cut off.*32,767"),
        "cut off in the header": (ct[:6_000], "cut off"),
        "cut off before the SOP class": (ct[:400], "cut off|holds no pixels|makes no sense"),
        "cut off while compressed": (echo[:100_000], "cut off"),
        "no pixels": (_saved(without), "holds no pixels.*CT"),
        "report": (Path(get_testdata_file("reportsi.dcm")).read_bytes(), "holds no pixels.*SR"),
        "declared big endian": (_declaring(ExplicitVRBigEndian), "Big Endian.*makes no sense"),
        "declared compressed": (_declaring(JPEGBaseline8Bit), "JPEG Baseline.*not compressed"),
        "no transfer syntax": (Path(no_syntax).read_bytes(), "Transfer Syntax UID.*missing"),
        "deflated": (_declaring("1.2.840.10008.1.2.1.99"), "header.*cannot be read"),
        "12-bit JPEG": (Path(get_testdata_file("JPGExtended.dcm")).read_bytes(), "cannot be decoded as 'JPEG Extended"),
    }


@pytest.mark.parametrize("kind", _bad_files())
def test_bad_files_get_a_sentence_that_names_the_file(kind, tmp_path):
    content, message = _bad_files()[kind]
    path = tmp_path / "scan.dcm"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing but the sentence
        with pytest.raises(ValueError, match=message) as caught:
            imaging.read_dicom(path)
    assert "scan.dcm" in str(caught.value) and "\n" not in str(caught.value)


def test_missing_decoder_is_named(monkeypatch):
    path = get_testdata_file("MR_small_jpeg_ls_lossless.dcm")
    from pydicom.pixels import get_decoder

    decoder = get_decoder(dcmread(path).file_meta.TransferSyntaxUID)
    monkeypatch.setattr(decoder, "_available", {})  # also where a plug-in happens to be installed
    with pytest.raises(ValueError, match="JPEG-LS Lossless.*no decoder"):
        imaging.read_dicom(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.dcm"):
        imaging.read_dicom(tmp_path / "nowhere.dcm")


def test_what_pydicom_noticed_reaches_the_caller(tmp_path):
    path = tmp_path / "implicit.dcm"
    path.write_bytes(_declaring("1.2.840.10008.1.2"))  # pydicom reads it all the same, and warns
    with pytest.warns(UserWarning, match="implicit.dcm.*explicit VR"):
        dataset = imaging.read_dicom(path)
    assert np.array_equal(dataset.pixel_array, _ct().pixel_array)


# ---- Units and windows --------------------------------------------------------------------------


def test_hounsfield_equals_pydicom_at_a_slope_other_than_one():
    dataset = _ct()
    dataset.RescaleSlope, dataset.RescaleIntercept = "0.5", "-100.25"
    units = imaging.to_hounsfield(dataset)
    assert units.dtype == np.float32
    assert np.allclose(units, apply_rescale(dataset.pixel_array, dataset))


def test_hounsfield_of_anything_else_is_refused():
    with pytest.raises(ValueError, match="'MR'"):
        imaging.to_hounsfield(imaging.read_dicom(examples.get_path("mr")))
    dataset = _ct()
    del dataset.RescaleIntercept
    with pytest.raises(ValueError, match="lacks RescaleIntercept"):
        imaging.to_hounsfield(dataset)
    dataset = _ct()
    dataset.RescaleType = "OD"
    with pytest.raises(ValueError, match="'OD'"):
        imaging.to_hounsfield(dataset)


def test_window_equals_pydicoms_exact_function():
    dataset = _ct()
    dataset.WindowCenter, dataset.WindowWidth, dataset.VOILUTFunction = 37.5, 401, "LINEAR_EXACT"
    units = imaging.to_hounsfield(dataset)
    theirs = apply_windowing(units, dataset)
    theirs = (theirs - theirs.min()) / (theirs.max() - theirs.min())
    assert np.allclose(imaging.window(units, 37.5, 401), theirs, atol=1e-6)


def test_window_at_its_ends_and_beyond():
    assert imaging.window([-1e4, -160, 40, 240, 1e4], 40, 400).tolist() == pytest.approx([0, 0, 0.5, 1, 1])
    with pytest.raises(ValueError, match="positive"):
        imaging.window([0, 1], 40, 0)


# ---- Scale --------------------------------------------------------------------------------------


def test_min_max_and_z_score_use_the_numbers_they_are_given():
    images = np.array([[[1.0, 3.0]], [[5.0, 9.0]]])
    assert imaging.min_max(images, 1, 5).ravel().tolist() == [0, 0.5, 1, 2]  # no clipping
    each = imaging.min_max(images, images.min((1, 2), keepdims=True), images.max((1, 2), keepdims=True))
    assert each.ravel().tolist() == [0, 1, 0, 1]
    scores = imaging.z_score(images, images.mean(), images.std())
    assert scores.dtype == np.float32 and abs(scores.mean()) < 1e-6 and abs(scores.std() - 1) < 1e-6


def test_whole_numbers_do_not_wrap_around():
    stored = np.array([0, 100, 200], np.uint8)
    assert imaging.min_max(stored, 100, 200).tolist() == [-1, 0, 1]
    assert imaging.z_score(stored, np.uint8(100), np.uint8(50)).tolist() == [-2, 0, 2]
    assert imaging.min_max(stored, np.int8(-100), np.int8(100)).tolist() == pytest.approx([0.5, 1, 1.5])


def test_a_blank_image_is_refused():
    blank = np.ones((4, 4))
    with pytest.raises(ValueError, match="blank"):
        imaging.min_max(blank, blank.min(), blank.max())
    with pytest.raises(ValueError, match="blank"):
        imaging.z_score(blank, blank.mean(), blank.std())


# ---- Spacing ------------------------------------------------------------------------------------


def test_resample_keeps_millimetres():
    # a ramp along the rows, in mm: after resampling, pixel centres must still read their own position
    spacing, new = (2.0, 0.5), (1.0, 1.0)
    ramp = (np.arange(40) + 0.5)[:, None] * spacing[0] * np.ones((1, 64))
    result, actual = imaging.resample(ramp, spacing, new)
    assert result.shape == (80, 32) and actual == new
    inside = slice(2, -2)
    assert np.allclose(result[inside, 5], ((np.arange(80) + 0.5) * 1.0)[inside], atol=1e-4)


def test_resample_reports_the_spacing_that_rounding_leaves():
    result, actual = imaging.resample(np.zeros((10, 7)), (1, 1), (3, 2))
    assert result.shape == (3, 4)
    assert actual == pytest.approx((10 / 3, 7 / 4))


def test_shrinking_blurs_and_growing_does_not():
    stripes = np.tile([0.0, 1.0], (66, 33))
    assert set(np.unique(stripes[:, 1::3])) == {0.0, 1.0}  # every third column: false stripes, three times as wide
    small, _ = imaging.resample(stripes, (1, 1), (3, 3))
    assert np.abs(small - 0.5)[:, 2:-2].max() < 0.1  # grey instead
    same, _ = imaging.resample(stripes, (1, 1), (0.5, 1))
    assert set(np.unique(same.round(6))) == {0.0, 1.0}


def test_masks_keep_their_labels_and_type():
    mask = np.zeros((30, 30), np.uint8)
    mask[8:20, 5:17] = 3
    result, _ = imaging.resample(mask, (1, 1), (0.7, 1.6), mask=True)
    assert result.dtype == np.uint8 and set(np.unique(result)) == {0, 3}
    flags, _ = imaging.resample(mask == 3, (1, 1), (2, 2), mask=True)
    assert flags.dtype == bool and 30 <= flags.sum() <= 42


def test_impossible_spacings_are_refused():
    for spacing in ((1,), (1, 0), (1, -1), (1, 1, 1), (1, float("nan"))):
        with pytest.raises(ValueError, match="`new_spacing`"):
            imaging.resample(np.zeros((5, 5)), (1, 1), spacing)


# ---- Privacy ------------------------------------------------------------------------------------

# Everything here is invented.
SECRETS = ("Doe", "Jane", "19570314", "MRN-4711", "20260109", "Somewhere", "Nurse Joy", "1.2.3.4.5", "SCANNER7")


def _with_an_invented_patient():
    dataset = _ct()
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "Doe^Jane", "MRN-4711", "19570314"
    dataset.StudyDate, dataset.InstitutionName = "20260109", "Somewhere General"
    dataset.ImageComments = "Nurse Joy phoned Mrs Doe"
    dataset.OtherPatientIDsSequence[0].PatientID = "MRN-4711"
    dataset.private_block(0x0099, "ACME", create=True).add_new(1, "LO", "Jane Doe")
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        setattr(dataset, name, f"1.2.3.4.5.{len(name)}")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.SourceApplicationEntityTitle = "SCANNER7"
    dataset.preamble = b"Jane Doe".ljust(128, b"\0")
    return dataset


def test_no_invented_secret_survives_in_the_bytes():
    dataset = _with_an_invented_patient()
    before = _saved(dataset)
    assert all(secret.encode() in before for secret in SECRETS)
    after = _saved(imaging.deidentify(dataset, "P001", {}))
    assert [secret for secret in SECRETS if secret.encode() in after] == []


def test_text_of_the_real_files_does_not_survive():
    for name in ("ct", "mr", "rgb_color", "ybr_color"):
        dataset = imaging.read_dicom(examples.get_path(name))
        after = _saved(imaging.deidentify(dataset, "P001", {}))
        removed = [
            str(element.value)
            for element in dataset.iterall()
            if element.keyword not in imaging.KEPT and element.VR in ("PN", "LO", "SH", "LT", "ST", "UI", "DA", "TM")
        ]
        kept = "".join(str(dataset.get(keyword, "")) for keyword in imaging.KEPT if keyword != "PixelData")
        removed = [text for text in removed if len(text) > 5 and text not in kept]
        assert removed and [text for text in removed if text.encode() in after] == []


def test_the_copy_is_whole_and_the_original_untouched():
    dataset = _with_an_invented_patient()
    before = copy.deepcopy(dataset)
    clean = imaging.deidentify(dataset, "P001", {})
    clean.PixelSpacing[0] = 99
    assert dataset == before
    clean = dcmread(io.BytesIO(_saved(imaging.deidentify(dataset, "P001", {}))))
    assert np.array_equal(clean.pixel_array, dataset.pixel_array)
    assert np.array_equal(imaging.to_hounsfield(clean), imaging.to_hounsfield(dataset))
    assert clean.PixelSpacing == dataset.PixelSpacing and clean.PatientID == "P001"
    assert clean.PatientIdentityRemoved == "YES" and clean.LongitudinalTemporalInformationModified == "REMOVED"
    assert not any(element.tag.is_private or element.VR == "SQ" for element in clean)
    assert "BurnedInAnnotation" not in clean  # nobody has looked at the pixels


def test_compressed_pixels_survive():
    dataset = imaging.read_dicom(examples.get_path("ybr_color"))
    clean = dcmread(io.BytesIO(_saved(imaging.deidentify(dataset, "P001", {}))))
    assert np.array_equal(clean.pixel_array, dataset.pixel_array)


def test_new_uids_are_consistent_within_a_study_and_new_every_time():
    first, second = _with_an_invented_patient(), _with_an_invented_patient()
    second.SOPInstanceUID = "1.2.3.4.5.99"
    uids = {}
    a, b = (imaging.deidentify(dataset, "P001", uids) for dataset in (first, second))
    assert a.StudyInstanceUID == b.StudyInstanceUID != first.StudyInstanceUID
    assert a.FrameOfReferenceUID == b.FrameOfReferenceUID != first.FrameOfReferenceUID
    assert a.SOPInstanceUID != b.SOPInstanceUID
    assert a.file_meta.MediaStorageSOPInstanceUID == a.SOPInstanceUID
    assert a.SOPClassUID == first.SOPClassUID  # says what kind of object it is, not whose
    assert imaging.deidentify(first, "P001", {}).StudyInstanceUID != a.StudyInstanceUID


def test_what_it_cannot_do_is_refused():
    with pytest.raises(ValueError, match="SharedFunctionalGroupsSequence"):
        imaging.deidentify(dcmread(get_testdata_file("liver_1frame.dcm")), "P001", {})
    with pytest.raises(ValueError, match="no SOPClassUID and no SOPInstanceUID"):
        imaging.deidentify(Dataset(), "P001", {})


@pytest.mark.parametrize("name", ["ct", "rgb_color", "ybr_color"])
def test_blank_outside_overwrites_the_stored_pixels(name):
    dataset = imaging.read_dicom(examples.get_path(name))
    before = dataset.pixel_array.copy()
    result = dcmread(io.BytesIO(_saved(imaging.blank_outside(dataset, 50, 110, 20, 90))))
    after = result.pixel_array
    assert after.shape == before.shape and np.array_equal(dataset.pixel_array, before)
    outside = np.ones(before.shape[-3:-1] if dataset.SamplesPerPixel > 1 else before.shape, bool)
    outside[50:110, 20:90] = False
    if dataset.SamplesPerPixel == 1:
        before, after = before[..., None], after[..., None]
    assert (after[..., outside, :] == (before.min() if name == "ct" else 0)).all()
    assert np.array_equal(after[..., ~outside, :], before[..., ~outside, :])


def test_black_is_the_largest_value_where_small_is_white():
    dataset = _ct()
    dataset.PhotometricInterpretation = "MONOCHROME1"
    pixels = imaging.blank_outside(dataset, 50, 110, 20, 90).pixel_array
    assert pixels[0, 0] == dataset.pixel_array.max()


def test_impossible_rectangles_and_kinds_are_refused():
    dataset = _ct()
    for box in ((0, 0, 0, 10), (-1, 10, 0, 10), (0, 129, 0, 10), (0, 10, 10, 5), (0, 10, -3, 5), (0, 10, 0, 129)):
        with pytest.raises(ValueError, match="no rectangle"):
            imaging.blank_outside(dataset, *box)
    with pytest.raises(ValueError, match="palette"):
        imaging.blank_outside(dcmread(get_testdata_file("examples_palette.dcm")), 0, 10, 0, 10)
    with pytest.raises(ValueError, match="big-endian"):
        imaging.blank_outside(dcmread(get_testdata_file("MR_small_bigendian.dcm")), 0, 10, 0, 10)
