"""Own folders and tables: what is read, what is left out and why, who is in which part, and what is not known."""

import gzip
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


def test_each_folder_is_a_class_and_nothing_is_claimed_that_is_not_known(folder, capsys):
    dataset, printed, found = load(folder, capsys)
    assert dataset.name == "hospital" and dataset.class_names == CLASSES and len(found) == 20
    for name, (_, x, label, group) in found.items():
        number = int(Path(name).stem)
        assert name == f"{label}/{number}.png" and label == CLASSES[number // 10] and group is None
        np.testing.assert_allclose(x[..., 0] * 255, picture(number), atol=1e-4)
    for label in CLASSES:
        assert [sum(f[0] == part and f[2] == label for f in found.values()) for part in PARTS] == [6, 2, 2]
    assert dataset.train.x.dtype == np.float32 and dataset.train.x.shape == (12, 12, 12, 1)
    assert dataset.train.targets["label"].dtype == np.int64
    assert "20 of 20 files are used" in printed and "left out" not in printed
    assert dataset.simulated is None and dataset.official == () and "not checked" in dataset.source
    sentence = "patients unknown: each image counted as its own patient"
    assert sentence in printed and sentence in dataset.note and "patients unknown; targets" in str(dataset)
    assert "20  PNG (normal 10, pneumonia 10)" in printed and "20  spacing unknown (normal 10" in printed


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
    dicom(folder.parent / "kept" / "docs" / "normal" / "1", 99)
    _, printed, found = load(folder.parent / "kept", capsys)
    assert {n.split("/")[0]: f[0] for n, f in found.items()} == {"Train": "train", "test": "test", "valid": "val"}
    assert "docs/normal/1: does not lie in the folder of a class" in printed and {f[2] for f in found.values()} == {
        *CLASSES
    }
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
    (folder / "normal" / "gone.png").symlink_to(folder / "nowhere.png")
    for number in (7, 8):
        (folder / "normal" / f"{number}.dcm").write_bytes(
            dicom(folder.parent / "one").read_bytes()[: -200 - 10 * number]
        )
    for hidden in (".DS_Store", "normal/._3.png", "__MACOSX/normal/3.png"):
        (folder / hidden).parent.mkdir(parents=True, exist_ok=True)
        (folder / hidden).write_bytes(b"x")
    _, printed, found = load(folder, capsys)
    assert len(found) == 20 and "20 of 33 files are used" in printed
    for line in (
        "left out  5: normal/broken0.png: cannot identify image file; likewise normal/broken1.png, normal/broken2.png, …",
        "left out  2: above.png: does not lie in the folder of a class (a table can name files anywhere); likewise normal/an",
        "left out  2: normal/7.dcm: is cut off: its header announces 288 bytes of pixels, and",
        "left out  1: normal/cut.png: image file is truncated",
        "left out  1: normal/scan.tif: is no .png, .jpg, .jpeg, .dcm, .nii, .nii.gz, but .tif",
        "left out  1: normal/black.png: is of one grey",
        "left out  1: normal/gone.png: is a link that leads nowhere",
    ):
        assert line in printed
    assert "DS_Store" not in printed and "MACOSX" not in printed


def test_a_class_may_be_a_link(folder, capsys):
    (folder / "pneumonia").rename(folder.parent / "elsewhere")
    (folder / "pneumonia").symlink_to(folder.parent / "elsewhere")
    assert load(folder, capsys)[0].class_names == CLASSES
    for name in ("one", "two"):  # and rings are not walked
        (folder / "normal" / name).symlink_to(folder)
    assert "20 of 20 files" in load(folder, capsys)[1]
    (folder / "normal" / "self").symlink_to(folder / "normal" / "self")
    assert "normal/self: is a link that leads nowhere" in load(folder, capsys)[1]


def test_the_same_picture_in_two_classes_is_in_none_and_copies_count_once(folder, capsys):
    png(folder / "pneumonia" / "same.png", picture(3))
    png(folder / "pneumonia" / "twin.png", picture(13))
    _, printed, found = load(folder, capsys)
    assert not {"normal/3.png", "pneumonia/same.png", "pneumonia/twin.png"} & set(found) and len(found) == 19
    assert "left out  2: normal/3.png: is the same picture in two classes; likewise pneumonia/same.png" in printed
    assert "left out  1: pneumonia/twin.png: is a copy of a picture\n" in printed


def test_options_that_make_no_sense_are_refused(folder):
    for options, message in (
        ({"n_patients": 5}, "do not apply"),
        ({"n_test": 5}, "do not apply"),
        ({"size": 0}, "size is 0"),
        ({"size": True}, "size is True"),
        ({"size": 6.5}, "size is 6.5"),
        ({"seed": -1}, "seed is -1"),
    ):
        with pytest.raises(ValueError, match=message):
            data.load(folder, **options)


def test_what_is_no_folder_of_classes_is_told_what_to_do(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty is no dataset of two classes.*folder/class/image.png.*Images: none"):
        data.load(tmp_path / "empty")
    with pytest.raises(
        ValueError, match="Images: none.\n.*\n.*left out  10: 0.png: does not lie in the folder of a class"
    ):
        data.load(folder / "normal")
    for kind in ("flu", "cold"):
        (folder / kind).mkdir()
        (folder / kind / "1.png").write_bytes(b"")
    with pytest.raises(
        ValueError, match="'cold' 0, 'flu' 0, 'normal' 10, 'pneumonia' 10.\n.*\n.*left out  2: cold/1.png: cannot"
    ):
        data.load(folder)  # no class is lost without a word


def test_a_class_with_too_few_patients_is_refused(folder):
    for number in range(12, 20):
        (folder / "pneumonia" / f"{number}.png").unlink()
    with pytest.raises(ValueError, match="no image of pneumonia.*'pneumonia' has 2"):
        data.load(folder)
    png(folder / "pneumonia" / "third.png", picture(12))
    data.load(folder)


def test_what_may_not_be_read_is_said(folder, capsys, monkeypatch):
    secret, closed = dicom(folder / "normal" / "secret.dcm"), folder / "pneumonia"

    def refuse(path, function):
        def refused(self, *options):
            if self == path:
                raise PermissionError(13, "Permission denied", str(path))
            return function(self, *options)

        return refused

    monkeypatch.setattr(Path, "open", refuse(secret, Path.open))
    assert "left out  1: normal/secret.dcm: may not be read: its owner has to permit it\n" in load(folder, capsys)[1]
    monkeypatch.setattr(Path, "iterdir", refuse(closed, Path.iterdir))
    with pytest.raises(PermissionError, match="Permission denied: .*pneumonia cannot be read"):
        data.load(folder)


def test_what_does_not_fit_into_memory_is_refused(folder, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2e9))
    data.load(folder, size=1000)
    with pytest.raises(
        ValueError, match=r"all images \(`size` makes them smaller\) would take 2\.6 GB .* 2\.0 GB are free"
    ):
        data.load(folder, size=4000)
    png(folder / "normal" / "z.png", picture(1, (12, 12, 3)))  # colours take three times as much
    with pytest.raises(ValueError, match=r"all images .* would take 2\.6 GB"):
        data.load(folder, size=2600)


@pytest.mark.parametrize("kind", ["png", "dcm", "nii", "nii.gz"])
def test_a_small_file_of_a_huge_picture_is_not_unpacked(folder, capsys, kind, monkeypatch):
    path = folder / "normal" / f"bomb.{kind}"
    if kind == "png":
        png(path, np.zeros((5000, 5000), np.uint8))
    elif kind == "dcm":
        dicom(path, Rows=60000, Columns=60000)
    else:
        header = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)).header
        header.set_data_shape((3000, 3000, 3000))
        content = header.binaryblock + bytes(4)
        path.write_bytes(gzip.compress(content) if kind == "nii.gz" else content)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=5e8))
    size = {"png": "0.6", "dcm": "7.2"}.get(kind, "432.0")
    assert f"would take {size} GB of memory, and 0.5 GB are free" in load(folder, capsys)[1]


# ---- Patients


@pytest.mark.parametrize("known", ["patient", "study"])
def test_images_of_one_patient_stay_together_by_the_header(tmp_path, capsys, known):
    for number in range(30):
        who = {"PatientID": f" P{number % 10} "}
        if known == "study":
            who = {"PatientID": "", "StudyInstanceUID": f"1.2.{number % 10}"}
        dicom(tmp_path / "ct" / CLASSES[number % 10 // 5] / f"p{number % 10}" / f"{number}", number, **who)
    dataset, printed, found = load(tmp_path / "ct", capsys)
    for p in range(10):
        mine = [found[f"{CLASSES[p // 5]}/p{p}/{number}"] for number in range(p, 30, 10)]
        assert len({(part, group) for part, _, _, group in mine}) == 1, "one part, one number"
    assert len({group for *_, group in found.values()}) == 10 and dataset.train.groups.dtype == np.int64
    assert "patients  10, each in one part" in printed and "P3" not in str(dataset), "no identity is shown"
    assert ("30  no Patient ID: the study stands for the patient" in printed) == (known == "study")


def test_a_patient_with_both_classes_stays_together(tmp_path, capsys):
    for number in range(40):
        dicom(tmp_path / "ct" / CLASSES[number % 2] / f"{number}.dcm", number, PatientID=f"P{number // 4}")
    found = load(tmp_path / "ct", capsys)[2]
    assert {len({f[0] for n, f in found.items() if int(Path(n).stem) // 4 == p}) for p in range(10)} == {1}


def test_some_unknown_patients_are_counted_and_no_numbers_given(folder, capsys):
    for number in range(30, 34):
        dicom(folder / "normal" / f"{number}.dcm", number, PatientID="one")
    _, printed, found = load(folder, capsys)
    assert "patients unknown for 20 of 24 images" in printed and {group for *_, group in found.values()} == {None}
    assert len({found[f"normal/{number}.dcm"][0] for number in range(30, 34)}) == 1


def test_one_patient_for_all_cannot_be_split_but_a_table_may_say_who_is_who(tmp_path, capsys):
    for number in range(12):
        dicom(tmp_path / "ct" / CLASSES[number % 2] / f"{number}", number, PatientID="ANON", StudyInstanceUID="1.2")
    with pytest.raises(ValueError, match="anonymised ones may, a table with a column patient"):
        data.load(tmp_path / "ct")
    table(tmp_path / "ct" / "t.csv", [f"{CLASSES[number % 2]}/{number},{number % 2},p{number}" for number in range(12)])
    assert "patients  12, each in one part" in load(tmp_path / "ct", capsys)[1]


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


def test_labels_that_are_numbers_are_in_their_order(folder, capsys):
    rows = [f"{CLASSES[n // 10]}/{n}.png,{(2, 10, 9)[n % 3]}," for n in range(20)]
    dataset, printed, found = load(table(folder / "t.csv", rows), capsys)
    assert dataset.class_names == ("2", "9", "10") and found["normal/1.png"][2] == "10"
    assert "patients unknown: " in printed, "an empty patient is none"


def test_a_split_of_the_table_is_kept_without_copies_and_with_each_patient_in_one_part(folder, capsys):
    rows = [f"{CLASSES[n // 10]}/{n}.png,{n // 10},p{n // 2},{('Train', 'val', 'TEST')[n // 2 % 3]}" for n in range(20)]
    where = table(folder / "t.csv", rows, "path,label,patient,split")
    found = load(where, capsys)[2]
    assert {n: f[0] for n, f in found.items()} == {r.split(",")[0]: r.split(",")[3].lower() for r in rows}
    png(folder / "normal" / "4.png", picture(2))  # of a test patient, the same as of one for validation
    assert "left out  1: normal/4.png: is a copy of a picture in another part" in load(where, capsys)[1]
    table(where, [rows[0].replace("Train", "test"), *rows[1:]], "path,label,patient,split")
    with pytest.raises(ValueError, match="1 patients are in two parts, for example 'p0'"):
        data.load(where)
    table(where, [row.replace("TEST", "val") for row in rows], "path,label,patient,split")
    with pytest.raises(ValueError, match="part 'test' has no image of 0, 1"):
        data.load(where)


def test_faults_of_a_table_are_named(folder, capsys):
    rows = [f"{CLASSES[n // 10]}/{n}.png,{n // 10},p{n}" for n in range(18)]
    where = table(folder / "t.csv", [*rows, "normal/gone.png,0,p9", f"{'long' * 1000}.png,0,p9"])
    assert "left out  2: normal/gone.png: is named in the table, but not there; likewise long" in load(where, capsys)[1]
    for content, head, message in (
        (rows, "file,label,patient", "needs columns path and label, and none twice; it has file, label, patient"),
        ([f"{row},1" for row in rows], "path,label,patient,LABEL", "none twice; it has path, label, patient, label"),
        ([], "", "it has none"),
        ([], "path,label", "Images: none"),
        (["", *rows, "normal/9.png,,p9"], "path,label,patient", "line 21: .* 'normal/9.png', '', ''"),
        ([f"{row},train" for row in rows[:-1]] + [f"{rows[-1]},later"], "path,label,patient,split", "line 19.*'later'"),
        ([f'"{"x" * 200_000}",1,p'], "path,label,patient", "cannot be read as a table .*field limit"),
    ):
        with pytest.raises(ValueError, match=message):
            data.load(table(where, content, head))
    where.write_bytes("path,label\nä,ö".encode("utf-16"))
    with pytest.raises(ValueError, match="cannot be read as a table.*UTF-8"):
        data.load(where)
    table(folder / "u.csv", rows)
    with pytest.raises(ValueError, match="holds 2 tables: give the path of one"):
        data.load(folder)
    with pytest.raises(FileNotFoundError, match="No such file or directory: .*gone.csv"):
        data.load(folder / "gone.csv")


# ---- Pictures


def test_dicom_goes_through_greys_and_what_it_did_is_said(folder, capsys):
    for number, kind in ((30, "MONOCHROME1"), (31, "MONOCHROME2")):
        path = dicom(folder / "normal" / f"{number}", 1234, PhotometricInterpretation=kind, PatientID=kind)
    dicom(folder / "pneumonia" / "32", 32, WindowCenter=None, WindowWidth=None, Modality="DX", PixelSpacing=None)
    _, printed, found = load(folder, capsys)
    np.testing.assert_allclose(found["normal/31"][1][..., 0], imaging.greys(imaging.read_dicom(path)).image)
    np.testing.assert_allclose(found["normal/30"][1] + found["normal/31"][1], 1, atol=1e-6)
    for line in (
        "1  HU, window … / … of the header (LINEAR); inverted (MONOCHROME1) (normal 1, pneumonia 0)",
        "1  HU, window … / … of the header (LINEAR) (normal 1, pneumonia 0)",
        "1  unknown unit, smallest to largest value, … to … the header has no window (normal 0, pneumonia 1)",
        "2  DICOM CT (normal 2, pneumonia 0)",
        "1  DICOM DX (normal 0, pneumonia 1)",
        "3  column numbers grow towards the patient's left; row numbers grow towards the back (normal 2, pneumonia 1)",
        "21  spacing unknown (normal 10, pneumonia 11)",
        "spacing   0.661 mm between rows",
    ):
        assert line in printed


def test_frames_and_volumes_give_their_middle_one_and_say_so(folder, capsys):
    clip = dicom(folder / "normal" / "clip.dcm", NumberOfFrames=5, shape=(60, 12), Rows=12)
    frames = imaging.greys(imaging.read_dicom(clip)).image
    values = np.random.default_rng(5).random((12, 12, 7)).astype(np.float32)
    values[0, 0, 3], values[0, 1, 3], values[1, 1, 1] = np.nan, np.inf, 3  # outside, in the slice that is taken
    for name, affine in (("ras", np.eye(4)), ("las", np.diag([-1.0, 1, 1, 1]))):
        there = values if name == "ras" else values[::-1]
        nibabel.save(nibabel.Nifti1Image(there, affine), folder / "pneumonia" / f"{name}.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.zeros((12, 12, 7, 3)), np.eye(4)), folder / "pneumonia" / "time.nii")
    flat = nibabel.Nifti1Image(values[..., 2], None)
    flat.header["pixdim"][1:3] = 0.001, 0.002
    flat.header.set_xyzt_units("meter")
    nibabel.save(flat, folder / "pneumonia" / "flat.nii")
    _, printed, found = load(folder, capsys)
    np.testing.assert_array_equal(found["normal/clip.dcm"][1][..., 0], frames[2])
    # rows from front to back, columns from the patient's right to left: both axes of RAS turned round
    low = np.nanmin(values)
    wanted = np.nan_to_num((values[..., 3] - low) / (3 - low), nan=0, posinf=0).T[::-1, ::-1]
    names = [name for name in ("pneumonia/ras.nii.gz", "pneumonia/las.nii.gz") if name in found]
    assert len(names) == 1, "read alike, so that one is a copy"
    np.testing.assert_allclose(found[names[0]][1][..., 0], wanted, atol=1e-6)
    assert "1  orientation unknown (normal 0, pneumonia 1)" in printed and "spacing   0.661 to 2 mm" in printed
    assert "2  several frames or slices, the middle one was taken (normal 1, pneumonia 1)" in printed
    assert "pneumonia/time.nii: is no volume of grey values: it has more axes, or colours" in printed


def test_photographs_are_read_as_one_sees_them(folder, capsys):
    colour = picture(40, (12, 12, 3))
    png(folder / "normal" / "colour.png", colour)
    png(folder / "normal" / "grey.PNG", picture(41)[..., None].repeat(3, -1))
    turned = Image.fromarray(picture(42, (6, 12)))
    exif = turned.getexif()
    exif[0x0112] = 6  # the camera was held upright: turn by a quarter
    turned.save(folder / "normal" / "turned.png", exif=exif)
    glass = np.dstack([colour, np.full((12, 12), 200, np.uint8)])
    png(folder / "normal" / "glass.png", glass)
    png(folder / "normal" / "opaque.png", np.dstack([colour[::-1], np.full((12, 12), 255, np.uint8)]))
    first, second = Image.fromarray(picture(43)), Image.fromarray(picture(44))
    first.save(folder / "normal" / "film.png", save_all=True, append_images=[second])
    _, printed, found = load(folder, capsys, size=12)
    np.testing.assert_allclose(found["normal/colour.png"][1] * 255, colour, atol=1e-3)
    np.testing.assert_allclose(found["normal/opaque.png"][1] * 255, colour[::-1], atol=1e-3)
    np.testing.assert_allclose(found["normal/grey.PNG"][1] * 255, picture(41)[..., None].repeat(3, -1), atol=1e-3)
    np.testing.assert_allclose(found["normal/film.png"][1][..., 0] * 255, picture(43), atol=1e-3)
    upright = found["normal/turned.png"][1][:, 3:9, 0] * 255
    np.testing.assert_allclose(upright, np.rot90(picture(42, (6, 12)), -1), atol=1e-3)
    assert "2  in colour (normal 2, pneumonia 0)" in printed and "25  PNG (normal 15, " in printed
    assert "1  several pictures, the first was taken (normal 1, pneumonia 0)" in printed
    assert "normal/glass.png: is transparent in places: what lies behind is not known" in printed


def test_pictures_of_16_bits_are_divided_by_what_their_scanner_used(folder, capsys):
    values = [picture(number, dtype=np.uint16) // 16 for number in (50, 51)]
    values[1] //= 8
    for number, value in enumerate(values):
        png(folder / "normal" / f"deep{number}.png", value)
    for largest, said in ((4095, "12 bits are used, so divided by 4095"), (65535, "16 bits, divided by 65535")):
        _, printed, found = load(folder, capsys)
        assert f"{said} (normal {2 + (largest == 65535)}, pneumonia 0)" in printed
        for number, value in enumerate(values):
            np.testing.assert_allclose(found[f"normal/deep{number}.png"][1][..., 0], value / largest, atol=1e-5)
        png(folder / "normal" / "full.png", picture(52, dtype=np.uint16))


def test_a_square_keeps_proportions_and_fills_up_with_black(folder, capsys):
    ramp = np.tile(np.linspace(100, 200, 40), (80, 1)).astype(np.uint8)
    png(folder / "normal" / "tall.png", ramp)
    board = np.indices((64, 64)).sum(0) % 2 * 255
    png(folder / "normal" / "board.png", board.astype(np.uint8))
    dicom(folder / "normal" / "wide.dcm", shape=(20, 20), PixelSpacing=[1, 0.5])  # its pixels are not square
    _, printed, found = load(folder, capsys, size=20)
    for name in ("normal/tall.png", "normal/wide.dcm"):
        x = found[name][1][..., 0]
        assert x.shape == (20, 20) and (x[:, :5] == 0).all() and (x[:, 15:] == 0).all() and x[:, 5:15].mean() > 0.2
    x = found["normal/tall.png"][1][..., 0]
    np.testing.assert_allclose(x[10, 5:15] * 255, ramp[0].reshape(10, 4).mean(1), atol=2)
    assert found["normal/board.png"][1].std() < 0.1, "means, not single pixels"
    assert "2  not square, black at two sides (normal 2, pneumonia 0)" in printed
    assert "4: 12 × 12 to 80 × 40 pixels, fitted into 20 × 20" in printed and "spacing   1 mm" in printed


def test_other_sizes_need_one_to_be_named(folder):
    png(folder / "normal" / "large.png", picture(60, (30, 40)))
    with pytest.raises(ValueError, match=r"not of one size: .*\(12, 12\).*normal/large.png has \(30, 40\).*size=64"):
        data.load(folder)


# ---- What else knows of folders


def test_a_folder_has_a_fingerprint_of_names_and_bytes_and_is_noted(folder, capsys, monkeypatch):
    monkeypatch.setattr(data, "LOADED", [])
    load(folder, capsys, size=8)
    assert [{"name": str(folder), "size": 8}] == data.LOADED
    marks = [data.fingerprint(folder)]
    (folder / ".hidden").write_bytes(b"x")
    (folder / "gone.png").symlink_to("nowhere")
    assert data.fingerprint(str(folder)) == marks[0] and len(marks[0]) == 8
    (folder / "normal" / "9.png").rename(folder / "pneumonia" / "0.png")  # the same bytes in the same order
    marks.append(data.fingerprint(folder))
    where = table(folder / "t.csv", [])
    for number in (98, 99):  # of a table, too, the images count
        png(folder / "pneumonia" / "0.png", picture(number))
        marks.append(data.fingerprint(where))
    assert len(set(marks)) == 4
    monkeypatch.chdir(folder)
    (folder / "t.csv").unlink()
    assert load(".", capsys)[0].name == "hospital"
