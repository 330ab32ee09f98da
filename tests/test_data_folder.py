"""Own folders and tables: what is read, what is left out and why, who is in which part, and what is not known."""

import os
import warnings
from pathlib import Path
from types import SimpleNamespace

import nibabel
import numpy as np
import psutil
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file

from course_lib import data, imaging

CLASSES = "normal", "pneumonia"
PARTS = "train", "val", "test"


def picture(number, shape=(12, 12), dtype=np.uint8):
    return np.random.default_rng(number).integers(0, np.iinfo(dtype).max + 1, shape, dtype)


def png(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def dicom(path, number=0, shape=(12, 12), **elements):
    """A small CT file with these elements; one that is None is taken away."""
    dataset = dcmread(get_testdata_file("CT_small.dcm"))
    values = picture(number, shape, np.uint16) % 4096
    dataset.Rows, dataset.Columns, dataset.PixelData = *shape, values.tobytes()
    dataset.PixelRepresentation, dataset.WindowCenter, dataset.WindowWidth = 0, 1000, 4000
    dataset.PatientID, dataset.StudyInstanceUID = f"P{number}", f"1.2.{number}"
    for name, element in elements.items():
        if element is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, element)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path)
    return path


@pytest.fixture
def folder(tmp_path):
    """hospital/normal/0.png … 9.png, and pneumonia/10.png … 19.png, of 12×12 pixels."""
    for number in range(20):
        png(tmp_path / "hospital" / CLASSES[number // 10] / f"{number}.png", picture(number))
    return tmp_path / "hospital"


@pytest.fixture(autouse=True)
def no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def load(path, capsys, **options):
    """The dataset, what was printed, and a dictionary from each file's name to (part, picture, class, patient)."""
    capsys.readouterr()
    dataset = data.load(path, **options)
    found = {}
    for part in PARTS:
        split = getattr(dataset, part)
        groups = [None] * len(split) if split.groups is None else split.groups.tolist()
        for x, label, name, group in zip(split.x, split.targets["label"], split.files, groups, strict=True):
            assert str(name) not in found, "an image is in one part"
            found[str(name)] = part, x, dataset.class_names[label], group
    return dataset, capsys.readouterr().out, found


def table(path, rows, head="path,label,patient"):
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


# ---- Folders of classes


def test_each_folder_is_a_class_and_each_image_is_in_one_part(folder, capsys):
    dataset, printed, found = load(folder, capsys)
    assert dataset.name == "hospital" and dataset.class_names == CLASSES and len(found) == 20
    for name, (_, x, label, _) in found.items():
        number = int(Path(name).stem)
        assert name == f"{label}/{number}.png" and label == CLASSES[number // 10]
        np.testing.assert_allclose(x[..., 0] * 255, picture(number), atol=1e-4)
    for label in CLASSES:
        assert [sum(f[0] == part and f[2] == label for f in found.values()) for part in PARTS] == [6, 2, 2]
    assert dataset.train.x.dtype == np.float32 and dataset.train.x.shape == (12, 12, 12, 1)
    assert dataset.train.targets["label"].dtype == np.int64
    assert "20 of 20 files were read" in printed and "left out" not in printed


def test_nothing_is_claimed_that_is_not_known(folder, capsys):
    dataset, printed, found = load(folder, capsys)
    assert dataset.simulated is None and dataset.official == () and "not checked" in dataset.source
    assert all(group is None for *_, group in found.values()) and "patients unknown; targets" in str(dataset)
    sentence = "patients unknown: each image counted as a patient of its own"
    assert sentence in printed and sentence in dataset.note and "unknown for 20 images" in printed


def test_a_seed_is_another_split_and_the_same_seed_the_same(folder, capsys):
    parts = [{n: f[0] for n, f in load(folder, capsys, seed=seed)[2].items()} for seed in (0, 0, 1)]
    assert parts[0] == parts[1] != parts[2]


def test_folders_of_parts_are_kept_and_a_missing_validation_is_cut_from_training(folder, capsys):
    for old in folder.rglob("*.png"):
        number = int(old.stem)
        part = ("Train", "test", "valid")[(number % 10 > 5) + (number % 10 > 7)]
        png(folder.parent / "kept" / part / old.parent.name / old.name, picture(number))
        part = ("Train", "test")[number % 10 > 7]
        png(folder.parent / "two" / part / old.parent.name / old.name, picture(number))
    found = load(folder.parent / "kept", capsys)[2]
    assert {n.split("/")[0]: f[0] for n, f in found.items()} == {"Train": "train", "test": "test", "valid": "val"}
    found = load(folder.parent / "two", capsys)[2]
    assert all((f[0] == "test") == name.startswith("test/") for name, f in found.items())
    assert sum(f[0] == "val" for f in found.values()) == 2 and {f[2] for f in found.values()} == set(CLASSES)


def test_what_is_left_out_is_said_by_reason_with_count_and_first_names(folder, capsys):
    for number in range(5):
        (folder / "normal" / f"broken{number}.png").write_bytes(bytes(range(number)))
    whole = (folder / "normal" / "3.png").read_bytes()
    (folder / "normal" / "cut.png").write_bytes(whole[:-60])
    (folder / "normal" / "scan.tif").write_bytes(b"x")
    (folder / "above.png").write_bytes(whole)
    png(folder / "normal" / "anna" / "1.png", picture(90))
    png(folder / "normal" / "black.png", picture(0) * 0)
    for hidden in (".DS_Store", "normal/._3.png", "__MACOSX/normal/3.png"):
        (folder / hidden).parent.mkdir(parents=True, exist_ok=True)
        (folder / hidden).write_bytes(b"x")
    _, printed, found = load(folder, capsys)
    assert len(found) == 20 and "20 of 30 files were read" in printed
    lines = printed.splitlines()
    assert "left out  5: " in lines[1] and "(normal/broken0.png, normal/broken1.png, normal/broken2.png, …)" in lines[1]
    for reason, name in (
        ("image file is truncated", "normal/cut.png"),
        ("no .png, .jpg, .jpeg, .dcm, .nii, .nii.gz, but .tif", "normal/scan.tif"),
        ("in no folder of a class", "above.png"),
        ("deeper than", "normal/anna/1.png"),
        ("is of one grey", "normal/black.png"),
    ):
        assert any(line.startswith(f"  left out  1: {reason}") and line.endswith(f" ({name})") for line in lines), (
            reason
        )
    assert "DS_Store" not in printed and "MACOSX" not in printed


def test_the_same_picture_in_two_classes_is_in_none_and_copies_count_once(folder, capsys):
    png(folder / "pneumonia" / "same.png", picture(3))
    png(folder / "pneumonia" / "twin.png", picture(13))
    _, printed, found = load(folder, capsys)
    assert not {"normal/3.png", "pneumonia/same.png", "pneumonia/twin.png"} & set(found) and len(found) == 19
    assert "left out  2: the same picture in two classes (normal/3.png, pneumonia/same.png)" in printed
    assert "left out  1: a copy of a picture (pneumonia/twin.png)" in printed


def test_options_that_make_no_sense_are_refused(folder):
    for options, message in (
        ({"n_patients": 5}, "do not apply"),
        ({"n_test": 5}, "do not apply"),
        ({"size": 0}, "size is 0"),
        ({"size": 6.5}, "size is 6.5"),
        ({"seed": -1}, "seed is -1"),
    ):
        with pytest.raises(ValueError, match=message):
            data.load(folder, **options)


def test_what_is_no_folder_of_classes_is_told_what_to_do(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty has no folders of classes.*holds nothing"):
        data.load(tmp_path / "empty")
    with pytest.raises(ValueError, match="holds 10 in no folder of a class, as 0.png.*read_series"):
        data.load(folder / "normal")
    (tmp_path / "one").mkdir()
    (folder / "normal").rename(tmp_path / "one" / "normal")
    with pytest.raises(ValueError, match="images of 'normal', but none of 'no other'|takes two classes"):
        data.load(tmp_path / "one")
    (tmp_path / "one" / "flu").mkdir()
    (tmp_path / "one" / "flu" / "1.png").write_bytes(b"")
    with pytest.raises(ValueError, match="images of 'normal', but none of 'flu'.*\n.*left out  1: .*flu/1.png"):
        data.load(tmp_path / "one")


def test_a_class_with_too_few_patients_is_refused(folder):
    for number in range(12, 20):
        (folder / "pneumonia" / f"{number}.png").unlink()
    with pytest.raises(ValueError, match="no image of 'pneumonia'.*'pneumonia' has 2"):
        data.load(folder)
    broken = folder / "third" / "1.png"
    broken.parent.mkdir()
    broken.write_bytes(b"")
    with pytest.raises(ValueError, match="images of 'normal', 'pneumonia', but none of 'third'"):
        data.load(folder)  # no class is lost without a word
    broken.unlink()
    png(folder / "pneumonia" / "third.png", picture(12))
    data.load(folder)


def test_a_file_that_may_not_be_read_is_left_out(folder, capsys, monkeypatch):
    secret = dicom(folder / "normal" / "secret.dcm")
    opened = Path.open

    def refuse(self, *mode):
        if self == secret:
            raise PermissionError(13, "Permission denied", str(secret))
        return opened(self, *mode)

    monkeypatch.setattr(Path, "open", refuse)
    assert "left out  1: You may not read it: its owner has to permit it (normal/secret.dcm)" in load(folder, capsys)[1]
    monkeypatch.undo()
    if os.name == "posix" and os.geteuid():
        folder.chmod(0)
        with pytest.raises(PermissionError, match="You may not read .*hospital"):
            data.load(folder)
        folder.chmod(0o700)


def test_what_does_not_fit_into_memory_is_refused(folder, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2e9))
    data.load(folder, size=1000)
    with pytest.raises(ValueError, match=r"20 images would take 2\.9 GB of memory, and 2\.0 GB are free"):
        data.load(folder, size=2000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=5e4))
    with pytest.raises(ValueError, match=r"20 images \(size=64 makes them small\) would take 0\.0 GB"):
        data.load(folder)


@pytest.mark.parametrize("kind", ["png", "dicom", "nifti"])
def test_a_small_file_of_a_huge_picture_is_not_unpacked(folder, capsys, kind, monkeypatch):
    path = folder / "normal" / {"png": "bomb.png", "dicom": "bomb.dcm", "nifti": "bomb.nii.gz"}[kind]
    if kind == "png":
        png(path, np.zeros((5000, 5000), np.uint8))
    elif kind == "dicom":
        dicom(path, Rows=60000, Columns=60000)
    else:
        header = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)).header
        header.set_data_shape((30000, 30000, 30000))
        path = path.with_suffix("")
        path.write_bytes(header.binaryblock + bytes(4))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=5e8))
    assert "would take … GB of memory" in load(folder, capsys)[1]


# ---- Patients


def test_images_of_one_patient_stay_together_by_the_header(tmp_path, capsys):
    for number in range(30):
        label = CLASSES[number % 10 // 5]
        dicom(tmp_path / "ct" / label / f"{number}.dcm", number, PatientID=f" P{number % 10} ")
    dataset, printed, found = load(tmp_path / "ct", capsys)
    for patient in range(10):
        mine = [found[f"{CLASSES[patient // 5]}/{number}.dcm"] for number in range(patient, 30, 10)]
        assert len({(part, group) for part, _, _, group in mine}) == 1, "one part, one number"
    assert len({group for *_, group in found.values()}) == 10 and dataset.train.groups.dtype == np.int64
    assert "patients  10, none of them in two parts" in printed and "P3" not in str(dataset), "no identity is shown"


def test_a_patient_with_both_classes_stays_together(tmp_path, capsys):
    for number in range(40):
        dicom(tmp_path / "ct" / CLASSES[number % 2] / f"{number}.dcm", number, PatientID=f"P{number // 4}")
    found = load(tmp_path / "ct", capsys)[2]
    assert {len({f[0] for n, f in found.items() if int(Path(n).stem) // 4 == p}) for p in range(10)} == {1}


def test_without_a_patient_the_study_keeps_images_together_but_is_no_patient(tmp_path, capsys):
    for number in range(30):
        label = CLASSES[number % 10 // 5]
        study = f"1.2.{number % 10}"
        dicom(tmp_path / "ct" / label / f"{number}.dcm", number, PatientID="", StudyInstanceUID=study)
    _, printed, found = load(tmp_path / "ct", capsys)
    for study in range(10):
        mine = [found[f"{CLASSES[study // 5]}/{number}.dcm"] for number in range(study, 30, 10)]
        assert len({part for part, *_ in mine}) == 1 and mine[0][3] is None
    assert "patients unknown: each image or DICOM study counted" in printed


def test_some_unknown_patients_are_counted_and_no_numbers_given(folder, capsys):
    for number in range(30, 34):
        dicom(folder / "normal" / f"{number}.dcm", number, PatientID="one")
    _, printed, found = load(folder, capsys)
    assert "patients unknown for 20 of 24 images" in printed and {group for *_, group in found.values()} == {None}
    assert len({found[f"normal/{number}.dcm"][0] for number in range(30, 34)}) == 1


def test_one_patient_for_all_cannot_be_split(tmp_path):
    for number in range(8):
        dicom(tmp_path / "ct" / CLASSES[number % 2] / f"{number}", number, PatientID="ANON")
    with pytest.raises(ValueError, match="anonymised ones may, a table with a column patient"):
        data.load(tmp_path / "ct")


# ---- Tables


@pytest.mark.parametrize("head", ["path,label,patient", "\ufeffPatient; PATH ;Label", "label\tpatient\tpath\textra"])
def test_a_table_says_who_is_who(folder, capsys, head):
    mark = next(m for m in ",;\t" if m in head)
    order = [name.strip("\ufeff ").lower() for name in head.split(mark)]
    rows = []
    for number in range(20):
        row = {"path": f"{CLASSES[number // 10]}\\{number}.png", "label": f"grade {number % 2}", "extra": ""}
        row["patient"] = f"p{number // 2 % 5 + 5 * (number % 2)}"
        rows.append(mark.join(row[name] for name in order))
    where = table(folder / "list.csv", rows, head)
    for path in (folder, where):
        dataset, printed, found = load(path, capsys)
        assert dataset.class_names == ("grade 0", "grade 1") and len(found) == 20 and "patients  10" in printed
        for number in range(10):
            one, other = found[f"normal/{number}.png"], found[f"pneumonia/{number + 10}.png"]
            assert one[0] == other[0] and one[3] == other[3] and one[2] == other[2] == f"grade {number % 2}"


def test_the_table_and_not_the_header_says_who_is_who(tmp_path, capsys):
    for number in range(12):
        dicom(tmp_path / f"{number}.dcm", number, PatientID="ANON", StudyInstanceUID="1.2")
    table(tmp_path / "t.csv", [f"{number}.dcm,{number % 2},p{number}" for number in range(12)])
    assert "patients  12, none" in load(tmp_path, capsys)[1]


def test_labels_that_are_numbers_are_in_their_order(folder, capsys):
    rows = [f"{CLASSES[n // 10]}/{n}.png,{(2, 10, 9)[n % 3]}," for n in range(20)]
    dataset, printed, found = load(table(folder / "t.csv", rows), capsys)
    assert dataset.class_names == ("2", "9", "10") and found["normal/1.png"][2] == "10"
    assert "patients unknown: " in printed, "an empty patient is none"


def test_a_split_of_the_table_is_kept_and_one_patient_in_two_parts_refused(folder, capsys):
    rows = [f"{CLASSES[n // 10]}/{n}.png,{n // 10},p{n // 2},{('Train', 'val', 'TEST')[n // 2 % 3]}" for n in range(20)]
    where = table(folder / "t.csv", rows, "path,label,patient,split")
    found = load(where, capsys)[2]
    assert {n: f[0] for n, f in found.items()} == {r.split(",")[0]: r.split(",")[3].lower() for r in rows}
    table(where, [rows[0].replace("Train", "test"), *rows[1:]], "path,label,patient,split")
    with pytest.raises(ValueError, match="1 patients are in two parts, for example 'p0'"):
        data.load(where)
    table(where, [row.replace("TEST", "val") for row in rows], "path,label,patient,split")
    with pytest.raises(ValueError, match="part 'test' has no image of '0', '1'"):
        data.load(where)


def test_faults_of_a_table_are_named(folder, capsys):
    rows = [f"{CLASSES[n // 10]}/{n}.png,{n // 10},p{n}" for n in range(18)]
    where = table(folder / "t.csv", [*rows, "normal/gone.png,0,p9"])
    printed = load(where, capsys)[1]
    assert "left out  1: named in the table, but not there (normal/gone.png)" in printed
    assert "left out  2: not named in the table (pneumonia/18.png, pneumonia/19.png)" in printed
    for content, head, message in (
        (rows, "file,label,patient", "lacks the column 'path'; its first line names 'file', 'label', 'patient'"),
        ([*rows, "normal/9.png,,p9"], "path,label,patient", "row 20: .* 'normal/9.png', '', ''"),
        ([f"{row},train" for row in rows[:-1]] + [f"{rows[-1]},later"], "path,label,patient,split", "row 19.*'later'"),
    ):
        with pytest.raises(ValueError, match=message):
            data.load(table(where, content, head))
    where.write_bytes("path,label\nä,ö".encode("utf-16"))
    with pytest.raises(ValueError, match="cannot be read as a table.*UTF-8"):
        data.load(where)
    table(folder / "u.csv", rows)
    with pytest.raises(ValueError, match="holds 2 tables: give the path of one"):
        data.load(folder)
    with pytest.raises(FileNotFoundError):
        data.load(folder / "gone.csv")


# ---- Pictures


def test_dicom_goes_through_greys_polarity_included(folder, capsys):
    for number, kind in ((30, "MONOCHROME1"), (31, "MONOCHROME2")):
        path = dicom(folder / "normal" / f"{number}", 1234, PhotometricInterpretation=kind, PatientID=kind)
    found = load(folder, capsys)[2]
    np.testing.assert_allclose(found["normal/31"][1][..., 0], imaging.greys(imaging.read_dicom(path)).image)
    np.testing.assert_allclose(found["normal/30"][1] + found["normal/31"][1], 1, atol=1e-6)
    assert "1  stored as a negative, turned round (normal 1, pneumonia 0)" in load(folder, capsys)[1]


def test_frames_and_volumes_give_their_middle_one_and_say_so(folder, capsys):
    clip = dicom(folder / "normal" / "clip.dcm", NumberOfFrames=5, shape=(60, 12), Rows=12)
    frames = imaging.greys(imaging.read_dicom(clip)).image
    values = np.random.default_rng(5).random((12, 12, 7)).astype(np.float32)
    values[0, 0, 3], values[1, 1, 1] = np.nan, 3  # outside, in the slice that is taken
    for name, affine in (("ras", np.eye(4)), ("las", np.diag([-1.0, 1, 1, 1]))):
        there = values if name == "ras" else values[::-1]
        nibabel.save(nibabel.Nifti1Image(there, affine), folder / "pneumonia" / f"{name}.nii.gz")
    nibabel.save(nibabel.Nifti1Image(values[..., 2], np.eye(4)), folder / "pneumonia" / "flat.nii")
    nibabel.save(nibabel.Nifti1Image(np.zeros((12, 12, 7, 3)), np.eye(4)), folder / "pneumonia" / "time.nii")
    _, printed, found = load(folder, capsys)
    np.testing.assert_array_equal(found["normal/clip.dcm"][1][..., 0], frames[2])
    # rows from front to back, columns from the patient's right to left: both axes of RAS turned round
    low = np.nanmin(values)
    wanted = np.nan_to_num((values[..., 3] - low) / (3 - low), nan=0).T[::-1, ::-1]
    names = [name for name in ("pneumonia/ras.nii.gz", "pneumonia/las.nii.gz") if name in found]
    assert len(names) == 1, "read alike, so that one is a copy"
    np.testing.assert_allclose(found[names[0]][1][..., 0], wanted, atol=1e-6)
    assert "pneumonia/flat.nii" in found
    assert "2  several frames or slices, the middle one was taken (normal 1, pneumonia 1)" in printed
    assert "is no volume of grey values: it has more axes, or colours (pneumonia/time.nii)" in printed


def test_photographs_are_read_as_one_sees_them(folder, capsys):
    colour = picture(40, (12, 12, 3))
    png(folder / "normal" / "colour.png", colour)
    png(folder / "normal" / "grey.png", picture(41)[..., None].repeat(3, -1))
    turned = Image.fromarray(picture(42, (6, 12)))
    exif = turned.getexif()
    exif[0x0112] = 6  # the camera was held upright: turn by a quarter
    turned.save(folder / "normal" / "turned.png", exif=exif)
    glass = np.dstack([colour, np.full((12, 12), 200, np.uint8)])
    png(folder / "normal" / "glass.png", glass)
    png(folder / "normal" / "opaque.png", np.dstack([colour[::-1], np.full((12, 12), 255, np.uint8)]))
    _, printed, found = load(folder, capsys, size=12)
    np.testing.assert_allclose(found["normal/colour.png"][1] * 255, colour, atol=1e-3)
    np.testing.assert_allclose(found["normal/opaque.png"][1] * 255, colour[::-1], atol=1e-3)
    np.testing.assert_allclose(found["normal/grey.png"][1] * 255, picture(41)[..., None].repeat(3, -1), atol=1e-3)
    upright = found["normal/turned.png"][1][:, 3:9, 0] * 255
    np.testing.assert_allclose(upright, np.rot90(picture(42, (6, 12)), -1), atol=1e-3)
    assert "2  PNG, colour (normal 2, pneumonia 0)" in printed and "22  PNG, grey" in printed
    assert "transparent in places: what lies behind is not known (normal/glass.png)" in printed


def test_pictures_of_16_bits_are_divided_by_what_their_scanner_used(folder, capsys):
    values = [picture(number, dtype=np.uint16) // 16 for number in (50, 51)]
    values[0][0, 0], values[1] = 4095, values[1] // 8
    for number, value in enumerate(values):
        png(folder / "normal" / f"deep{number}.png", value)
    _, printed, found = load(folder, capsys)
    for number, value in enumerate(values):
        np.testing.assert_allclose(found[f"normal/deep{number}.png"][1][..., 0], value / 4095, atol=1e-5)
    assert "2  16-bit pictures, divided by 4095" in printed


def test_a_square_keeps_proportions_and_fills_up_with_black(folder, capsys):
    ramp = np.tile(np.linspace(100, 200, 40), (80, 1)).astype(np.uint8)
    png(folder / "normal" / "tall.png", ramp)
    _, printed, found = load(folder, capsys, size=20)
    x = found["normal/tall.png"][1][..., 0]
    assert x.shape == (20, 20) and (x[:, :5] == 0).all() and (x[:, 15:] == 0).all() and (x[:, 5:15] > 0.3).all()
    np.testing.assert_allclose(x[10, 5:15] * 255, ramp[0].reshape(10, 4).mean(1), atol=2)
    assert "1  not square, black at two sides (normal 1, pneumonia 0)" in printed
    assert "20  smaller than 20 pixels, enlarged" in printed
    assert "2: 12 × 12 to 80 × 40 pixels, fitted into 20 × 20" in printed


def test_a_small_square_takes_the_mean_and_not_single_pixels(folder, capsys):
    board = np.indices((64, 64)).sum(0) % 2 * 255
    png(folder / "normal" / "board.png", board.astype(np.uint8))
    x = load(folder, capsys, size=8)[2]["normal/board.png"][1]
    np.testing.assert_allclose(x, 0.5, atol=0.03)


def test_pixels_that_are_not_square_become_so(folder, capsys):
    dicom(folder / "normal" / "wide.dcm", shape=(20, 20), PixelSpacing=[1, 0.5])
    _, printed, found = load(folder, capsys, size=20)
    x = found["normal/wide.dcm"][1][..., 0]
    assert (x[:, :5] == 0).all() and (x[:, 15:] == 0).all() and x[:, 5:15].mean() > 0.2
    assert "spacing   1 mm between rows; unknown for 20 images" in printed


def test_other_sizes_need_one_to_be_named(folder):
    png(folder / "normal" / "large.png", picture(60, (30, 40)))
    with pytest.raises(ValueError, match=r"not of one size: .*\(12, 12\).*normal/large.png has \(30, 40\).*size=64"):
        data.load(folder)


def test_kinds_are_counted_by_class(folder, capsys):
    for number in range(30, 36):
        dicom(folder / "pneumonia" / f"{number}.dcm", number, Modality="DX" if number % 2 else "CR")
    printed = load(folder, capsys)[1]
    for line in ("20  PNG, grey (normal 10, pneumonia 10)", "3  DICOM CR, grey (normal 0, pneumonia 3)", "3  DICOM DX"):
        assert line in printed


# ---- What else knows of folders


def test_a_folder_has_a_fingerprint_of_names_and_bytes_and_is_noted(folder, capsys, monkeypatch):
    monkeypatch.setattr(data, "LOADED", [])
    load(folder, capsys, size=8)
    assert [{"name": str(folder), "size": 8}] == data.LOADED
    marks = [data.fingerprint(folder)]
    (folder / ".hidden").write_bytes(b"x")
    assert data.fingerprint(str(folder)) == marks[0] and len(marks[0]) == 8
    (folder / "normal" / "9.png").rename(folder / "pneumonia" / "0.png")  # the same bytes in the same order
    marks.append(data.fingerprint(folder))
    png(folder / "pneumonia" / "0.png", picture(99))
    marks.append(data.fingerprint(folder))
    assert len(set(marks)) == 3
