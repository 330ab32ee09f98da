"""What lesson 05 promises of course_lib.imaging, on the real files that pydicom brings along."""

import copy
import gzip
import io
import os
import random
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, dcmwrite, examples
from pydicom.data import get_testdata_file
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.pixels import apply_rescale, apply_windowing
from pydicom.tag import Tag
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


def _deflated(pixels):
    """The CT's header in a file whose deflated part unpacks to `pixels`."""
    raw = _declaring("1.2.840.10008.1.2.1.99")
    length = int.from_bytes(raw[140:144], "little")
    packer = zlib.compressobj(9, wbits=-15)
    return raw[: 144 + length] + packer.compress(pixels) + packer.flush()


def _file(tmp_path, dataset, name="scan.dcm"):
    dataset.save_as(tmp_path / name, enforce_file_format=True)
    return tmp_path / name


# ---- Reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["CT_small", "MR_small", "MR_small_RLE", "examples_rgb_color", "examples_ybr_color"])
def test_good_files_are_read(name):
    dataset = imaging.read_dicom(get_testdata_file(f"{name}.dcm"))
    assert dataset.pixel_array.shape[-3 if dataset.SamplesPerPixel > 1 else -2] == dataset.Rows


def _bad_files():
    ct = Path(examples.get_path("ct")).read_bytes()
    echo = Path(examples.get_path("ybr_color")).read_bytes()
    liver = Path(get_testdata_file("liver_1frame.dcm")).read_bytes()
    ybr = Path(get_testdata_file("SC_ybr_full_422_uncompressed.dcm")).read_bytes()
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
        "gzip": (gzip.compress(ct), "gzip"),
        "table of contents": (Path(get_testdata_file("DICOMDIR")).read_bytes(), "table of contents"),
        "1 bit, cut off": (liver[:-1000], "announces 32,768 bytes"),
        "4:2:2, cut off": (ybr[:-1000], "announces 20,000 bytes"),
        "unknown value representation": (ct.replace(b"\x28\x00\x10\x00US", b"\x28\x00\x10\x00SS\x00", 1), "scan.dcm"),
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


def test_a_small_file_that_unpacks_to_a_huge_one_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("course_lib.imaging.read._LARGEST", 10_000_000)
    bomb = _deflated(bytes(11_000_000))
    for content in (bomb, bomb[:132] + bomb[144:]):  # also where the length of the first group is left out
        (tmp_path / "scan.dcm").write_bytes(content)
        with pytest.raises(ValueError, match="more than 10 MB"):
            imaging.read_dicom(tmp_path / "scan.dcm")
    assert imaging.read_dicom(get_testdata_file("image_dfl.dcm")).Rows == 512


def test_what_is_no_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="folder.*read_series"):
        imaging.read_dicom(tmp_path)
    for nothing in (None, 7, io.BytesIO()):
        with pytest.raises(TypeError, match="path of a file"):
            imaging.read_dicom(nothing)
    path = _file(tmp_path, _ct())
    path.chmod(0)
    if os.name == "posix" and os.geteuid():
        with pytest.raises(PermissionError, match="may not read"):
            imaging.read_dicom(path)


@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
def test_a_file_without_preamble_is_read_with_a_remark(syntax, tmp_path):
    buffer = io.BytesIO()
    dcmwrite(buffer, Dataset(_ct()), implicit_vr=syntax == "implicit", little_endian=True)
    path = tmp_path / "old.dcm"
    path.write_bytes(buffer.getvalue())
    with pytest.warns(UserWarning, match="old.dcm: it has no preamble"):
        dataset = imaging.read_dicom(path)
    assert np.array_equal(imaging.to_hounsfield(dataset), imaging.to_hounsfield(_ct()))


def test_damage_ends_in_sentences(tmp_path):
    rng = random.Random(0)
    names = ["CT_small.dcm", "MR_small_RLE.dcm", "rtdose_1frame.dcm", "SC_rgb_small_odd.dcm", "vlut_04.dcm"]
    contents = [Path(get_testdata_file(name, download=False)).read_bytes() for name in names]
    path, read = tmp_path / "scan.dcm", 0
    for _ in range(150):
        raw = bytearray(rng.choice(contents))
        for _ in range(rng.choice((1, 4))):
            raw[rng.randrange(128, 2500 if len(raw) > 2500 else len(raw))] = rng.randrange(256)
        path.write_bytes(raw if rng.random() < 0.8 else raw[: rng.randrange(len(raw))])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                dataset = imaging.read_dicom(path)
            except ValueError as error:
                assert "\n" not in str(error) and len(str(error)) < 600
                continue
            read += 1
            for use in (
                lambda d: str(imaging.greys(d)),
                imaging.to_hounsfield,
                lambda d: imaging.deidentify(d, "P001", {}),
                lambda d: imaging.blank_outside(d, 0, 2, 0, 2),
            ):
                try:
                    use(dataset)
                except ValueError as error:
                    assert "\n" not in str(error)
    assert read > 25


# ---- Greys --------------------------------------------------------------------------------------


def test_greys_carry_what_belongs_to_them():
    dataset = imaging.read_dicom(get_testdata_file("examples_overlay.dcm"))
    greys = imaging.greys(dataset)
    assert greys.windows == ((450, 790, "WINDOW1"), (200, 443, "WINDOW2")) and "the first of 2" in greys.shown
    assert greys.spacing == pytest.approx((0.72314, 0.72314), abs=1e-5) and greys.spacing_from == "Pixel Spacing"
    assert greys.orientation[0] == "column numbers grow towards the patient's left" and greys.unit == ""
    text = str(greys)
    assert "300 × 484" in text and "450 / 790 WINDOW1" in text and "rows" not in text.split("\n")[0]
    ct = imaging.greys(_ct(), window=(40, 400))
    assert ct.unit == "HU" and np.array_equal(ct.image, imaging.window(imaging.to_hounsfield(_ct()), 40, 400))


@pytest.mark.parametrize("shape", [None, "INVERSE"])
def test_a_radiograph_is_no_negative(shape):
    dataset = _ct()
    before = imaging.greys(dataset).image
    dataset.PhotometricInterpretation = "MONOCHROME2" if shape else "MONOCHROME1"
    if shape:
        dataset.PresentationLUTShape = shape
    greys = imaging.greys(dataset)
    assert np.allclose(greys.image, 1 - before) and "inverted" in greys.shown


@pytest.mark.parametrize("polarity", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_out_of_the_range(polarity):
    dataset = _ct()
    stored = dataset.pixel_array.copy()
    stored[:20], stored[20:24] = -2000, -1995
    dataset.PixelData, dataset.PhotometricInterpretation = stored.tobytes(), polarity
    dataset.add_new("PixelPaddingRangeLimit", "SS", -1990)
    greys = imaging.greys(dataset)
    assert greys.padding[:24].all() and not greys.padding[24:].any() and (greys.image[:24] == 0).all()
    assert greys.image[24:].min() == 0 and greys.image[24:].max() == 1


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_the_headers_window_function_is_used(function):
    dataset = _ct()
    dataset.WindowCenter, dataset.WindowWidth, dataset.VOILUTFunction = [40, 100], [80, 100], function
    units = imaging.to_hounsfield(dataset).astype(float)
    right = {
        "LINEAR": np.clip((units - 39.5) / 79 + 0.5, 0, 1),
        "LINEAR_EXACT": np.clip((units - 40) / 80 + 0.5, 0, 1),
        "SIGMOID": 1 / (1 + np.exp(-4 * (units - 40) / 80)),
    }[function]
    assert np.allclose(imaging.greys(dataset).image, right, atol=1e-6)


def test_a_voi_lut_goes_before_a_window():
    dataset = _ct()
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [4, -100, 8], [0, 51, 204, 255]
    item["LUTDescriptor"].VR, item["LUTData"].VR = "SS", "US"
    dataset.VOILUTSequence, dataset.WindowCenter, dataset.WindowWidth = [item], 40, 80
    units = imaging.to_hounsfield(dataset)
    assert np.allclose(imaging.greys(dataset).image, np.array([0, 0.2, 0.8, 1])[np.clip(units + 100, 0, 3).astype(int)])


def test_header_values_that_make_no_sense_are_named():
    for name, value, message in [
        ("WindowCenter", b"40,5 ", "Window Center.*40,5.*point"),
        ("RescaleSlope", b"1,0 ", "Rescale Slope.*1,0"),
        ("PixelSpacing", b"0,6\\0,6 ", "Pixel Spacing.*0,6"),
    ]:
        raw = io.BytesIO(_saved(_ct()))
        dataset = dcmread(raw)
        dataset.WindowCenter, dataset.WindowWidth = 40, 80
        tag = Tag(name)
        dataset._dict[tag] = RawDataElement(tag, "DS", len(value), value, 0, False, True)
        with pytest.raises(ValueError, match=message):
            imaging.greys(dataset)
    dataset = _ct()
    dataset.WindowCenter, dataset.WindowWidth = [40, 50], 80
    with pytest.raises(ValueError, match="2 Window Center and 1 Window Width"):
        imaging.greys(dataset)


def test_floats_and_what_is_no_number():
    dataset = _ct()
    values = dataset.pixel_array.astype(np.float32)
    values[0, 0] = np.nan
    del dataset.PixelData
    dataset.FloatPixelData, dataset.BitsAllocated = values.tobytes(), 32
    greys = imaging.greys(dataset)
    assert greys.padding.sum() == 1 and greys.image[0, 0] == 0 and np.isfinite(greys.image).all()
    clean = dcmread(io.BytesIO(_saved(imaging.deidentify(dataset, "P001", {}))))
    assert np.array_equal(clean.pixel_array, values, equal_nan=True)
    blanked = dcmread(io.BytesIO(_saved(imaging.blank_outside(dataset, 2, 10, 2, 10)))).pixel_array
    assert np.array_equal(blanked[2:10, 2:10], values[2:10, 2:10]) and np.ptp(blanked[20:]) == 0


def test_spacing_says_where_it_holds():
    dataset = _ct()
    del dataset.PixelSpacing
    dataset.ImagerPixelSpacing = [0.2, 0.1]
    greys = imaging.greys(dataset)
    assert greys.spacing == (0.2, 0.1) and "at the detector" in greys.spacing_from
    dataset.PixelSpacing = [0.2, 0.1]
    assert "equal to Imager" in imaging.greys(dataset).spacing_from
    dataset.PixelSpacing = [0, 0]
    del dataset.ImagerPixelSpacing
    greys = imaging.greys(dataset)
    assert greys.spacing is None and "impossible" in greys.spacing_from
    echo = imaging.greys(imaging.read_dicom(examples.get_path("ybr_color")))
    assert echo.spacing is None and "beyond the picture" in echo.spacing_from  # its frames were made smaller
    assert echo.regions == tuple(imaging.ultrasound_regions(dcmread(examples.get_path("ybr_color"))))
    assert echo.regions[0][:4] == (31, 415, 84, 596) and echo.regions[0].unit_down == "cm"


def test_oblique_and_coded_orientations_in_words():
    dataset = _ct()
    dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    assert imaging.greys(dataset).orientation == (
        "column numbers grow towards the back",
        "row numbers grow towards the feet",
    )
    dataset.ImageOrientationPatient = [0.8, 0.6, 0, -0.6, 0.8, 0]
    assert "mostly towards the patient's left" in imaging.greys(dataset).orientation[0]
    del dataset.ImageOrientationPatient
    dataset.PatientOrientation = ["L", "FA"]
    assert imaging.greys(dataset).orientation[1] == "row numbers grow mostly towards the feet"


def test_frames_with_their_own_rescale():
    dataset = _ct()
    stored = dataset.pixel_array
    dataset.PixelData, dataset.NumberOfFrames = stored.tobytes() * 2, 2
    frames = []
    for slope in (1, 2):
        frame, rescale = Dataset(), Dataset()
        rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = slope, -1000, "HU"
        frame.PixelValueTransformationSequence = [rescale]
        frames.append(frame)
    dataset.PerFrameFunctionalGroupsSequence = frames
    values = imaging.to_hounsfield(dataset)
    assert np.array_equal(values, np.stack([stored - 1000.0, stored * 2 - 1000.0]))
    with pytest.raises(ValueError, match="PerFrame"):
        imaging.deidentify(dataset, "P001", {})


# ---- Series -------------------------------------------------------------------------------------


def _slice(tmp_path, number, z, **changes):
    dataset = _ct()
    dataset.ImagePositionPatient, dataset.SOPInstanceUID = [-158, -179, z], f"1.2.3.{number}"
    for name, value in changes.items():
        setattr(dataset, name, value)
    dataset.PixelData = (dataset.pixel_array * 0 + number).astype("<i2").tobytes()
    return _file(tmp_path, dataset, f"{99 - number}.dcm")


def test_a_series_is_sorted_by_position(tmp_path):
    for number, z in ((1, 10.0), (2, -5.0), (3, 2.5)):
        _slice(tmp_path, number, z, SliceThickness=1)
    volume = imaging.read_series(tmp_path)
    assert (volume.values[:, 0, 0] - volume.values[0, 0, 0]).tolist() == [0, 1, -1]  # 2, 3, 1
    assert volume.spacing == pytest.approx((7.5, 0.661468, 0.661468)) and volume.unit == "HU"
    assert volume.orientation[0] == "slice numbers grow towards the head" and "7.5 ×" in str(volume)
    assert [path.name for path in volume.files] == ["97.dcm", "96.dcm", "98.dcm"]
    real = imaging.read_series(Path(get_testdata_file("DICOMDIR")).parent / "98892001" / "CT5N")
    assert real.values.shape == (5, 16, 16) and real.spacing[0] == pytest.approx(2.5)


@pytest.mark.parametrize(
    "places, changes, message",
    [
        ((0, 1, 3), {}, "not evenly spaced: 2 mm between"),
        ((0, 1, 1), {}, "same place"),
        ((0,), {}, "make no volume"),
        ((0, 1), {"SeriesInstanceUID": "1.2.3.4"}, "2 series"),
        ((0, 1), {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "oriented otherwise"),
        ((0, 1), {"PixelSpacing": [1, 1]}, "2 sizes"),
        ((0, 1), {"ImagePositionPatient": [-100, -179, 1]}, "sheared"),
    ],
)
def test_slices_that_make_no_volume_are_refused(places, changes, message, tmp_path):
    for number, z in enumerate(places):
        _slice(tmp_path, number, z, **(changes if number else {}))
    with pytest.raises(ValueError, match=message):
        imaging.read_series(tmp_path)


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


def test_colours_are_no_hounsfield_units():
    for name in ("examples_rgb_color.dcm", "examples_palette.dcm"):
        dataset = imaging.read_dicom(get_testdata_file(name))
        dataset.Modality, dataset.RescaleSlope, dataset.RescaleIntercept = "CT", 1, -1024
        with pytest.raises(ValueError, match="colours"):
            imaging.to_hounsfield(dataset)
        assert imaging.greys(dataset).unit == ""


def test_window_takes_what_headers_hold():
    overlay = dcmread(examples.get_path("overlay"))
    image = overlay.pixel_array
    assert np.array_equal(
        imaging.window(image, overlay.WindowCenter, overlay.WindowWidth), imaging.window(image, 450, 790)
    )
    for nothing in (None, [], "wide"):
        with pytest.raises(ValueError, match="width of the window is"):
            imaging.window(image, 40, nothing)


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


@pytest.mark.parametrize("value, word", [(np.nan, "NaN"), (np.inf, "infinite")])
def test_what_is_no_number_is_called_so(value, word):
    for function in (imaging.min_max, imaging.z_score):
        with pytest.raises(ValueError, match=f"holds .*{word}") as caught:
            function(np.ones(3), 0.0, value)
        assert "blank" not in str(caught.value)


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


def test_nothing_hides_behind_the_last_pixel_or_in_unused_bits():
    dataset = _with_an_invented_patient()
    stored = dataset.pixel_array
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, 0
    pixels = (stored.clip(0, 4095) | 0x5000).astype("<u2")
    dataset.PixelData = pixels.tobytes() + b"Jane Doe"
    clean = dcmread(io.BytesIO(_saved(imaging.deidentify(dataset, "P001", {}))))
    assert clean.PixelData == (pixels & 0x0FFF).tobytes()
    dataset = _ct()  # and signed numbers keep their sign
    dataset.BitsStored, dataset.HighBit = 12, 11
    signed = (stored - 1000).clip(-2048, 2047).astype("<i2")
    dataset.PixelData = (signed & 0x0FFF).astype("<i2").tobytes()
    assert imaging.deidentify(dataset, "P001", {}).PixelData == signed.tobytes()


def test_sequences_keep_numbers_and_lose_text():
    dataset = _ct()
    item = Dataset()
    item.LUTDescriptor, item.LUTData, item.LUTExplanation = [2, 0, 8], [0, 255], "for Mrs Doe"
    item["LUTDescriptor"].VR, item["LUTData"].VR = "US", "US"
    dataset.VOILUTSequence = [item]
    after = _saved(imaging.deidentify(dataset, "P001", {}))
    clean = dcmread(io.BytesIO(after))
    assert clean.VOILUTSequence[0].LUTData == [0, 255] and b"Doe" not in after


def test_a_pseudonym_is_new_and_the_dict_a_dict():
    dataset = _with_an_invented_patient()
    for name in ("MRN-4711", "doe", "Doe^Jane", " Jane", "", None):
        with pytest.raises(ValueError, match="pseudonym"):
            imaging.deidentify(dataset, name, {})
    with pytest.raises(ValueError, match="`uids` is the dict"):
        imaging.deidentify(dataset, "P001", None)
    dataset.FrameIncrementPointer = Tag("ImageComments")
    with pytest.raises(ValueError, match="points to Image Comments"):
        imaging.deidentify(dataset, "P001", {})


def test_blank_outside_knows_thumbnails_overlays_and_32_bits():
    dataset = _ct()
    dataset.IconImageSequence = [Dataset()]
    dataset.add_new(0x60003000, "OW", b"Jane Doe")
    assert b"Doe" not in _saved(result := imaging.blank_outside(dataset, 50, 110.0, np.int64(20), 90))
    assert "IconImageSequence" not in result and result.PatientID == dataset.PatientID
    for name in ("rtdose.dcm", "SC_rgb_rle_32bit.dcm"):
        before = imaging.read_dicom(get_testdata_file(name))
        after = dcmread(io.BytesIO(_saved(imaging.blank_outside(before, 2, 8, 2, 8)))).pixel_array
        inside = (..., slice(2, 8), slice(2, 8), slice(None))[: 4 if before.SamplesPerPixel > 1 else 3]
        assert np.array_equal(after[inside], before.pixel_array[inside])
        assert (
            after.max() <= before.pixel_array.max() and np.ptp(after[..., 0, 0] if after.ndim < 3 else after[0, 0]) == 0
        )
    with pytest.raises(ValueError, match="no rectangle"):
        imaging.blank_outside(dataset, 0, 10.5, 0, 10)


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
