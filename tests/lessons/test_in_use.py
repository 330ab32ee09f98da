"""Lesson in_use: releases, refusals, other scanners, alarms."""

import datetime
import io
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from course_lib import ROOT, data, models, results
from course_lib.images import simulate_scanner
from course_lib.lessons.in_use import explorers, monitoring, serve
from course_lib.lessons.in_use import model as lesson

pytestmark = pytest.mark.slow

keras = models.keras
NOTEBOOK = next((ROOT / "notebooks").glob("[0-9][0-9]_in_use.ipynb"))


def test_the_lesson_opens_without_keras():
    code = "from course_lib.lessons.in_use import exercises, explorers, model, monitoring, serve; "
    code += "import sys; assert 'keras' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, timeout=120)


# ---- shift ---------------------------------------------------------------------------------------


def test_another_scanner_changes_nothing_at_rest_and_what_it_says_otherwise():
    images = np.random.default_rng(0).random((3, 16, 16, 1), np.float32)
    assert np.allclose(simulate_scanner(images), images, atol=1e-6)
    assert np.allclose(simulate_scanner(images, gamma=2.0), images**2, atol=1e-6)
    black = np.zeros((50, 16, 16, 1), np.float32)
    noisy = simulate_scanner(black, noise=0.05)  # Rician noise in air has the mean σ √(π/2)
    assert noisy.mean() == pytest.approx(0.05 * np.sqrt(np.pi / 2), rel=0.02) and noisy.dtype == np.float32
    assert np.array_equal(noisy, simulate_scanner(black, noise=0.05))
    dot = np.zeros((1, 41, 41, 1), np.float32)
    dot[0, 20, 20] = 1
    line = simulate_scanner(dot, blur=6.0)[0, 20, :, 0]
    assert line[17] == pytest.approx(line[20] / 2, rel=0.03) and line[23] == pytest.approx(line[20] / 2, rel=0.03)
    for wrong in ({"noise": -0.1}, {"blur": -1.0}, {"gamma": 0.0}):
        with pytest.raises(ValueError, match="cannot be negative"):
            simulate_scanner(images, **wrong)


def test_distance_is_mahalanobis():
    from scipy.spatial.distance import mahalanobis

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 4)) @ rng.normal(size=(4, 4)) + 3
    familiar = monitoring.familiarise(rows)
    expected = [mahalanobis(row, rows.mean(0), np.linalg.inv(np.cov(rows.T))) for row in rows[:5]]
    assert np.allclose(familiar.distance(rows[:5]), expected, rtol=1e-3)
    assert (familiar.distance(rows) ** 2).mean() == pytest.approx(4, rel=0.05)  # the number of features
    constant = np.hstack([rows, np.full((200, 1), 7.0)])
    assert np.isfinite(monitoring.familiarise(constant).distance(constant)).all()
    for wrong in (rows[:1], rows[0], np.full((5, 2), np.nan)):
        with pytest.raises(ValueError, match="at least two images"):
            monitoring.familiarise(wrong)


def test_cusum_by_hand_for_one_and_for_many_series():
    values = [1.0, 3.0, 2.0, 0.0, 5.0]
    expected = [0, 1.5, 2, 0.5, 4]
    assert np.allclose(monitoring.cusum(values, reference=1.0, slack=0.5), expected)
    assert np.allclose(monitoring.cusum([values, values], reference=1.0, slack=0.5), [expected, expected])
    assert monitoring.cusum([0.0, -9.0, 0.0], reference=1.0, slack=0.5).max() == 0


def test_the_first_alarm_is_a_day_counted_from_one():
    sums = np.array([[0.0, 2.0, 3.0, 0.0], [2.1, 0.0, 0.0, 9.0], [2.0, 2.0, 0.0, 1.0]])
    assert np.array_equal(monitoring.first_alarm(sums, 2.0), [3, 1, np.inf])


def test_daily_means_draw_patients_and_not_images():
    score, groups = np.array([0.0, 0, 0, 0, 0, 0, 0, 0, 0, 10]), np.array([1] * 9 + [2])
    days = monitoring.daily_means(score, groups, 20, 50, repeats=200)
    assert days.shape == (200, 50)
    assert days.mean() == pytest.approx(5, abs=0.1)  # two patients; as images it would be 1
    assert days.std() == pytest.approx(5 / np.sqrt(20), rel=0.05)


def test_false_alarms_depend_on_the_patients_who_set_the_limit():
    rng = np.random.default_rng(0)
    settings = {"patients": 8, "days": 40, "slack": 0.5, "repeats": 200}
    known, others = rng.normal(size=60), rng.normal(size=400)
    share, options, limit = monitoring.false_alarms(known, others, **settings)
    assert 0 <= share <= 1 and limit > 0 and options["reference"] == pytest.approx(known.mean(), abs=0.02)
    assert monitoring.false_alarms(known, known, **settings)[0] == pytest.approx(0.05, abs=0.05)
    assert monitoring.false_alarms(known - 0.5, others, **settings)[0] > 0.9  # a reference that is too low always rings
    assert monitoring.false_alarms(known, others, **settings) == (share, options, limit)


# ---- releases ------------------------------------------------------------------------------------

CARD = {
    "name": "tiny",
    "classes": ["healthy", "ill"],
    "input": {"modality": "MR", "size": 16, "field_of_view_mm": 208.0, "brightest": 0.8},
    "temperature": 1.0,
    "threshold": 0.5,
    "largest_distance": 7.0,
    "reliability": {"count": [0, 10], "right": [None, 0.9]},
}


@pytest.fixture(scope="module")
def release():
    return lesson.release()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    keras.utils.set_random_seed(0)
    model = models.small_cnn((16, 16, 1), 2)
    familiar = monitoring.familiarise(np.random.default_rng(0).normal(size=(60, 48)))
    folder = tmp_path_factory.mktemp("shelf") / "tiny-1"
    return folder, serve.save(serve.Release(model, familiar, CARD), folder)


@pytest.fixture
def small(tiny, tmp_path):
    """A tiny release in a folder of its own."""
    shutil.copytree(tiny[0], tmp_path / "tiny-1")
    return tmp_path / "tiny-1"


def change_card(folder, change=lambda card: None):
    """What an attacker does: the card fits the files that were put in place of the right ones."""
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    card["sha256"] = {name: serve.fingerprint(folder / name) for name in serve.FILES}
    change(card)
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")


def test_a_release_comes_back_as_it_went(small, tiny):
    again = serve.load(small, known=[tiny[1]])
    assert again.card["name"] == "tiny" and again.card["sha256"]["model.keras"] == tiny[1]
    assert again.familiar.precision.shape == (48, 48)
    before = {path.name: path.read_bytes() for path in small.iterdir()}
    with pytest.raises(FileExistsError, match="never overwritten"):
        serve.save(again, small)
    assert before == {path.name: path.read_bytes() for path in small.iterdir()}


@pytest.mark.parametrize("name", serve.FILES)
def test_a_changed_file_is_not_loaded(small, name):
    content = bytearray((small / name).read_bytes())
    content[len(content) // 2] ^= 1
    (small / name).write_bytes(content)
    with pytest.raises(ValueError, match="fingerprint differs"):
        serve.load(small)


def cut(folder):
    text = (folder / "card.json").read_text(encoding="utf-8")
    (folder / "card.json").write_text(text[: len(text) // 2], encoding="utf-8")


def put(**entries):
    return lambda folder: change_card(folder, lambda card: card.update(entries))


def drop(*keys):
    def change(card):
        for key in keys[:-1]:
            card = card[key]
        del card[keys[-1]]

    return lambda folder: change_card(folder, change)


def another_file(name, content):
    def change(folder):
        (folder / name).write_bytes(content)
        change_card(folder)

    return change


def zipped(**parts):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name.replace("__", "."), content)
    return buffer.getvalue()


def another_network(folder):
    keras.Sequential([keras.Input((16, 16, 1)), keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D()]).save(
        folder / "model.keras"
    )
    change_card(folder)


def unfamiliar(folder):
    np.savez(folder / "familiar.npz", mean=np.zeros(48), precision=np.full((48, 48), np.nan))
    change_card(folder)


HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(200)
ARRAYS = {"mean__npy": b"", "precision__npy": bytes(serve.LARGEST_RELEASE + 1)}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (cut, "card.json cannot be read"),
        (lambda folder: (folder / "card.json").write_bytes(b"\xff\xfe"), "card.json cannot be read"),
        (lambda folder: (folder / "card.json").write_text("[1, 2]"), "holds list, not the entries of a card"),
        (drop("sha256", "model.keras"), "sha256/model.keras is missing"),
        (drop("sha256"), "sha256/model.keras is missing"),
        (drop("input", "brightest"), "input/brightest is missing"),
        (put(temperature=0), "temperature is 0; it must be a finite number above 0"),
        (put(largest_distance=float("nan")), "largest_distance is nan"),
        (put(threshold="0.5"), "threshold is '0.5'; it must be a finite number above 0"),
        (put(reliability={"count": 3, "right": [0.5]}), "reliability/count is 3; it must be a list"),
        (put(classes=["healthy", "mass", "infarct"]), "The model has 2 outputs, the card 3 classes"),
        (put(input={**CARD["input"], "size": 8}), "images of 8 × 8 pixels, cannot be loaded"),
        (another_file("model.keras", HDF5), "model.keras is of another kind than its name says"),
        (
            another_file("model.keras", zipped(mean__npy=b"")),
            "does not hold config.json, metadata.json, model.weights.h5",
        ),
        (another_file("familiar.npz", zipped(**ARRAYS)), "familiar.npz unpacks to 100 MB"),
        (another_file("familiar.npz", zipped(mean__npy=b"", precision__npy=b"")), "familiar.npz cannot be loaded"),
        (another_network, "The model has 4 outputs, the card 2 classes"),
        (unfamiliar, "familiar.npz does not fit the model, which has 48 features"),
    ],
)
def test_a_release_that_is_not_what_it_should_be_is_named(small, damage, reason):
    damage(small)
    with pytest.raises(ValueError, match=re.escape(reason)) as caught:
        serve.load(small, known=[serve.fingerprint(small / "model.keras")])
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", ["card.json", *serve.FILES])
def test_a_missing_file_is_named(small, name):
    (small / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"no file {name} in tiny-1"):
        serve.load(small)


def test_an_old_keras_reads_only_models_that_are_known(small, tiny, monkeypatch):
    monkeypatch.setattr(serve, "version", lambda name: "3.13.1")
    with pytest.raises(ValueError, match=r"not one that you know, and Keras 3\.13\.1 is installed.*before 3\.13\.2"):
        serve.load(small)
    assert serve.load(small, known=[tiny[1]]).card["name"] == "tiny"
    monkeypatch.setattr(serve, "version", lambda name: "3.13.2")
    assert serve.load(small).card["name"] == "tiny"


def test_code_in_a_lambda_layer_is_not_run(small, tmp_path):
    trace = str(tmp_path / "trace")
    layer = keras.layers.Lambda(lambda x: (open(trace, "w").close(), x)[1], output_shape=(2,))  # noqa: PTH123
    keras.Sequential([keras.Input((2,)), layer]).save(small / "model.keras")
    Path(trace).unlink(missing_ok=True)
    change_card(small)
    with pytest.raises(ValueError, match="[Ll]ambda"):
        serve.load(small, known=[serve.fingerprint(small / "model.keras")])
    assert not Path(trace).exists()
    keras.models.load_model(small / "model.keras", safe_mode=False)(np.zeros((1, 2)))
    assert Path(trace).exists(), "the test's own attack does nothing, so it proves nothing"


class _Pickled:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_code_in_an_array_is_not_run(small, tmp_path):
    trace = tmp_path / "trace"
    np.savez(small / "familiar.npz", mean=np.array([_Pickled(trace)], object), precision=np.eye(1))
    change_card(small)
    with pytest.raises(ValueError, match="allow_pickle"):
        serve.load(small, known=[serve.fingerprint(small / "model.keras")])
    assert not trace.exists()
    pickle.loads(pickle.dumps(_Pickled(trace)))
    assert trace.exists(), "the test's own attack does nothing, so it proves nothing"


# ---- from a file to an answer ----------------------------------------------------------------------

WANTED = {"size": 64, "field_of_view_mm": 208.0, "brightest": 1.0}
RNG = np.random.default_rng(0)
GREY = np.uint8(RNG.integers(0, 256, (80, 80)))
COLOURED = np.uint8(RNG.integers(0, 256, (80, 80, 3)))
MR = np.int16(RNG.integers(0, 900, (64, 64)))
JPEG_2000 = "1.2.840.10008.1.2.4.90"


def png(array, kind="png", **options):
    buffer = io.BytesIO()
    (array if isinstance(array, Image.Image) else Image.fromarray(array)).save(buffer, kind, **options)
    return buffer.getvalue()


def dicom(pixels=MR, syntax=None, **changes):
    """An axial MR slice of 208 mm as the model wants it, but for the changes; None takes an element away."""
    import pydicom
    from pydicom.data import get_testdata_file

    file = pydicom.dcmread(get_testdata_file("MR_small.dcm", download=False))
    file.Rows, file.Columns = pixels.shape
    file.PixelSpacing = [208 / file.Rows] * 2
    file.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    if pixels.dtype == np.float32:
        del file.PixelData
        file.FloatPixelData, file.BitsAllocated = pixels.tobytes(), 32
    else:
        file.PixelData, file.PixelRepresentation = pixels.tobytes(), int(pixels.dtype.kind == "i")
    for name, value in changes.items():
        if value is None:
            delattr(file, name)
        else:
            setattr(file, name, value)
    if "PixelPaddingValue" in file:
        file["PixelPaddingValue"].VR = "SS"
    if syntax:
        file.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    file.save_as(buffer, **({} if syntax is None else {"implicit_vr": False, "little_endian": True}))
    return buffer.getvalue()


def deflated(with_length=True):
    """A DICOM file that pydicom reads and that is deflated; without the length of its first group as well."""
    import pydicom
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    file = pydicom.dcmread(io.BytesIO(dicom()))
    file.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    buffer = io.BytesIO()
    file.save_as(buffer, implicit_vr=False, little_endian=True)
    content = buffer.getvalue()
    return content if with_length else content[:132] + content[144:]


def several():
    """A PNG with two pictures."""
    return png(Image.fromarray(GREY), save_all=True, append_images=[Image.fromarray(255 - GREY)])


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return png(GREY, "jpeg", exif=exif)


def transparent():
    return png(np.dstack([GREY] * 3 + [np.full_like(GREY, 254)]))


def with_value(value):
    pixels = MR.astype(np.float32)
    pixels[3, 4] = value
    return dicom(pixels)


def read(content):
    return serve.read_image(content, WANTED)


def brain(change=lambda image: image):
    test = data.load("brain-lesions").test
    return change(test.x[lesson.largest_slices(test, [1], [4])[0], ..., 0])


def bytes_of(image):
    return np.uint8(np.round(255 * image))


@pytest.mark.parametrize(
    "content",
    [png(GREY), png(np.repeat(GREY[..., None], 3, 2)), png(np.uint16(GREY) * 257), png(GREY, "jpeg"), dicom(),
     dicom(MR.astype(np.float32)), dicom(ImageOrientationPatient=[0.97, 0.24, 0, -0.24, 0.97, 0]), dicom(NumberOfFrames="")],
    ids=["grey", "grey as RGB", "16 bits", "JPEG", "DICOM", "float DICOM", "a little askew", "empty number of frames"],
)  # fmt: skip
def test_good_files_are_read(content):
    image = read(content)
    assert image.shape == (1, 64, 64, 1) and image.dtype == np.float32
    assert image.min() >= 0 and image.max() <= 1 and image.std() > 0.02


def test_pixels_are_those_of_the_file():
    array = GREY[:64, :64]
    for content in (png(array), png(np.uint16(array) * 257)):
        assert np.allclose(read(content)[0, ..., 0], array / 255, atol=1e-3)
    expected = MR / MR.max()
    assert np.allclose(read(dicom())[0, ..., 0], expected, atol=1e-6)
    darker = serve.read_image(dicom(), {**WANTED, "brightest": 0.75})
    assert np.allclose(darker[0, ..., 0], 0.75 * expected, atol=1e-6)
    rescaled = dicom(
        np.uint16(MR // 2 + 50), RescaleSlope=2, RescaleIntercept=-100
    )  # the same values, stored otherwise
    assert np.allclose(read(rescaled)[0, ..., 0], MR // 2 * 2 / (MR // 2 * 2).max(), atol=1e-6)
    padded = MR.copy()
    padded[:5] = -2000
    image = read(dicom(padded, PixelPaddingValue=-2000))[0, ..., 0]
    assert np.all(image[:5] == 0) and np.allclose(image[5:], MR[5:] / MR[5:].max(), atol=1e-6)


REFUSED = {  # check -> pairs (file, part of the reason)
    "type": [
        (b"", "neither PNG nor JPEG, nor DICOM"),
        (b"GIF89a" + bytes(100), "neither PNG nor JPEG"),
        (b"\x1f\x8b" + dicom(), "neither PNG nor JPEG"),
        (dicom()[132:], "neither PNG nor JPEG"),
    ],
    "size": [
        (bytes(10_000_001), "at most 10"),
        (png(GREY[:30, :30]), "30 × 30 pixels"),
        (png(np.zeros((1200, 1200), np.uint8)), "1200 × 1200 pixels"),
        (png(GREY[:64]), "not square"),
        (dicom(Rows=2000, Columns=2000), "2000 × 2000 pixels"),
        (dicom(NumberOfFrames=2), "several frames"),
        (several(), "several pictures"),
    ],
    "damage": [
        (png(GREY)[:700], "damaged"),
        (png(GREY, "jpeg")[:700], "damaged"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "damaged"),
        (dicom()[:2000], "its pixels cannot be read"),
        (dicom()[:600], "the header says nothing"),
        (dicom()[:-400], "its pixels cannot be read"),
    ],
    "compression": [
        (deflated(), "Deflated Explicit VR Little Endian"),
        (deflated(with_length=False), "Deflated Explicit VR Little Endian"),
        (dicom(syntax=JPEG_2000, PixelData=b"\xfe\xff\x00\xe0\x00\x00\x00\x00"), "JPEG 2000"),
    ],
    "modality": [
        (dicom(Modality="CT"), "The header says CT"),
        (dicom(Modality=None), "nothing about its modality"),
        (png(COLOURED), "colours"),
        (dicom(PhotometricInterpretation="RGB"), "not grey: the header says RGB"),
        (dicom(PhotometricInterpretation="PALETTE COLOR"), "not grey"),
        (dicom(SamplesPerPixel=3), "not grey"),
        (transparent(), "transparent"),
    ],
    "field of view": [
        (dicom(PixelSpacing=[0.3, 0.3]), "shows 19 mm a side"),
        (dicom(PixelSpacing=[3.25, 1.625]), "shows 208 × 104 mm"),
        (dicom(PixelSpacing=[1.625, 3.25]), "shows 104 × 208 mm"),
        (dicom(PixelSpacing=None), "How large a pixel is, is not known: the header gives none"),
        (dicom(PixelSpacing=[0, 0]), "which is impossible"),
    ],
    "orientation": [
        (dicom(ImageOrientationPatient=[-1, 0, 0, 0, 1, 0]), "column numbers grow towards the patient's right"),
        (dicom(ImageOrientationPatient=[1, 0, 0, 0, -1, 0]), "row numbers grow towards the front"),
        (dicom(ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), "column numbers grow towards the back"),
        (dicom(ImageOrientationPatient=[0, 1, 0, 1, 0, 0]), "column numbers grow towards the back"),
        (dicom(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), "not two directions at right angles"),
        (dicom(ImageOrientationPatient=None), "Image Orientation (Patient) is missing"),
        (turned(), "has to be turned"),
    ],
    "polarity": [
        (dicom(PhotometricInterpretation="MONOCHROME1"), "small values are white"),
        (dicom(PresentationLUTShape="INVERSE"), "small values are white"),
        (png(np.uint16(GREY) * 16), "largest value, 4,080, uses few"),
    ],
    "values": [
        (with_value(np.nan), "not finite"),
        (with_value(np.inf), "not finite"),
        (dicom(RescaleSlope=1, RescaleIntercept=-100), "negative, down to -100"),
    ],
    "range": [
        (png(np.full((80, 80), 77, np.uint8)), "one grey"),
        (dicom(np.zeros((64, 64), np.int16)), "one grey"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "reason"), [pytest.param(*pair, id=f"{name} {n}") for name, rows in REFUSED.items() for n, pair in enumerate(rows)]
)  # fmt: skip
def test_bad_files_are_refused_with_a_sentence(content, reason, capfd, recwarn):
    with pytest.raises(serve.Refusal, match=re.escape(reason)) as caught:
        read(content)
    assert str(caught.value).endswith((".", ").")) and caught.value.__cause__ is None
    assert not recwarn.list and capfd.readouterr() == ("", "")


def test_damage_anywhere_ends_in_a_picture_or_in_a_sentence():
    rng, good, seen = np.random.default_rng(0), [png(GREY), png(GREY, "jpeg"), dicom()], []
    for number in range(240):
        content = bytearray(good[number % 3])
        if number % 2:
            content = content[: rng.integers(len(content))]
        else:
            for place in rng.integers(len(content) if number % 4 else 1500, size=6):
                content[place] = rng.integers(256)
        try:
            image = read(bytes(content))
        except serve.Refusal as refusal:
            seen.append(str(refusal))
        else:
            assert image.shape == (1, 64, 64, 1) and 0 <= image.min() <= image.max() <= 1
    assert len(seen) > 60 and all(sentence.endswith((".", ").")) for sentence in seen)


def test_a_packed_file_is_not_unpacked(monkeypatch):
    import pydicom

    for content in (deflated(), deflated(with_length=False)):
        assert pydicom.dcmread(io.BytesIO(content), force=True).Rows == 64  # the attack is one
    monkeypatch.setattr(pydicom.filereader.zlib, "decompress", lambda *_: pytest.fail("it was unpacked"))
    for content in (deflated(), deflated(with_length=False)):
        with pytest.raises(serve.Refusal, match="Deflated"):
            read(content)


def test_a_huge_picture_in_a_small_file_is_not_unpacked(monkeypatch):
    bomb = png(np.zeros((6000, 6000), np.uint8))
    assert len(bomb) < 100_000
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("the pixels were unpacked"))
    with pytest.raises(serve.Refusal, match="6000 × 6000"):
        read(bomb)


@pytest.mark.parametrize("wrong", [None, "brain.png", Path("brain.png"), 3])
def test_what_is_no_bytes_gets_a_sentence(wrong):
    with pytest.raises(TypeError, match=r"takes the bytes of a file.*read_bytes\(\)"):
        read(wrong)


def hot():
    pixels = MR.copy()
    pixels[30, 30] = 9000
    return dicom(pixels)


LET_THROUGH = {  # check -> a file that shows its blind side
    "type": lambda: png(bytes_of(brain(lambda image: np.where(np.eye(64) > 0, 1, image)))),  # a line drawn over it
    "size": lambda: png(Image.fromarray(GREY[:8, :8]).resize((64, 64))),
    "damage": lambda: dicom()[:-1400] + bytes(400) + dicom()[-1000:],
    "compression": lambda: png(np.asarray(Image.open(io.BytesIO(png(GREY, "jpeg", quality=5))))),
    "modality": lambda: dicom(SequenceName="T2", BodyPartExamined="KNEE"),
    "field of view": lambda: png(bytes_of(brain(lambda image: image[12:52, 12:52].repeat(2, 0).repeat(2, 1)))),
    "orientation": lambda: png(bytes_of(brain(lambda image: image[:, ::-1]))),
    "polarity": lambda: png(255 - bytes_of(brain())),
    "values": hot,
    "range": lambda: png(GREY),
}


def table():
    """The rows of the table in the notebook's section on the page: check -> what it refuses."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    text = next(text for cell in cells if "| check | refuses |" in (text := "".join(cell["source"])))
    return dict(re.findall(r"(?m)^\| ([a-z ]+) \| (?!refuses)(.+) \|$", text))


def test_each_row_of_the_table_has_files_that_it_refuses_and_a_blind_side(release):
    assert list(table()) == list(serve.NOT_SEEN) == [*REFUSED, "distance"] == [*LET_THROUGH, "distance"]
    assert release.card["not_seen"] == serve.NOT_SEEN


@pytest.mark.parametrize("check", LET_THROUGH)
def test_what_a_check_does_not_see_is_read(check):
    assert read(LET_THROUGH[check]()).shape == (1, 64, 64, 1)


def test_the_distance_refuses_what_the_checks_before_it_cannot_and_lets_through_what_the_card_says(release):
    def says(content):
        return serve.answer(release, serve.read_image(content, release.card["input"]))

    for known in (brain(), brain(lambda image: image[:, ::-1]), brain(lambda image: image[::-1])):
        assert says(png(bytes_of(known))).distance <= release.card["largest_distance"]
    for name in ("polarity", "field of view", "range"):
        with pytest.raises(serve.Refusal, match="does not look like"):
            says(LET_THROUGH[name]())
    with pytest.raises(serve.Refusal, match="does not look like"):
        serve.answer(release, lesson.visitors()["ct"])
    mirrored = says(png(bytes_of(brain(lambda image: image[:, ::-1])))).heat
    assert (
        np.abs(mirrored[:, ::-1] - says(png(bytes_of(brain()))).heat).mean() < 0.1 * mirrored.max()
    )  # on the other side
    for value in (np.nan, np.inf):
        with pytest.raises(serve.Refusal, match="no finite numbers"):
            serve.answer(release, np.full((1, 64, 64, 1), value, np.float32))


def test_a_slice_as_dicom_is_answered_as_its_picture_is(release):
    picture = bytes_of(brain() / brain().max() * release.card["input"]["brightest"])
    pixels = np.uint16(np.round(picture / picture.max() * 4000))
    wanted = release.card["input"]
    as_picture, as_dicom = (serve.read_image(content, wanted) for content in (png(picture), dicom(pixels)))
    assert np.allclose(as_picture, as_dicom, atol=2e-3)
    first, second = (serve.answer(release, image) for image in (as_picture, as_dicom))
    assert first.lesion == pytest.approx(second.lesion, abs=0.03) and first.found == second.found


def test_an_answer_is_calibrated_thresholded_and_explained(release):
    image = serve.read_image(_file("brain, simulated: mass"), release.card["input"])
    said = serve.answer(release, image)
    logits, features = serve.look(release.model, image)
    expected = np.exp(logits[0] / release.card["temperature"])
    assert np.allclose(said.probability, expected / expected.sum(), atol=1e-5)
    assert said.probability.argmax() == 1 and said.found and said.lesion == pytest.approx(1 - said.probability[0])
    assert said.heat.shape == (64, 64) and said.heat.max() > 0
    assert said.distance == pytest.approx(release.familiar.distance(features["early"])[0])
    count, share = said.like_this
    assert count > 20 and 0.5 < share <= 1
    strict = serve.Release(release.model, release.familiar, {**release.card, "threshold": 1.1})
    assert not serve.answer(strict, image).found
    narrow = serve.Release(release.model, release.familiar, {**release.card, "largest_distance": said.distance - 0.1})
    with pytest.raises(serve.Refusal, match="does not look like"):
        serve.answer(narrow, image)


def _file(name):
    return dict(lesson.demo_files())[name]


def test_the_page_refuses_what_it_should_and_answers_brains():
    refused = {name for name, content in lesson.demo_files() if explorers._words(content).startswith("No answer.")}
    brains = {name for name, _ in lesson.demo_files() if name.startswith("brain, simulated")}
    foreign = {name for name, _ in lesson.demo_files() if not name.startswith(("brain, simulated", "the mass"))}
    assert refused & brains == {
        "brain, simulated: infarct"
    }  # the price that known patients pay, as the folded answer says
    assert foreign <= refused and "the mass, a noisy scanner" in refused
    assert not refused & {"the mass, a blurred scanner", "the mass, upside down"}


def test_an_uploaded_file_is_answered_in_words():
    page = explorers.demo_page()
    box = page._layout(page)
    upload, said = box.children[0].children[1], box.children[1]
    assert "lesion" in said.value
    content = memoryview(b"<b>no picture</b>")
    upload.value = (
        {
            "name": "x.png",
            "type": "",
            "size": 17,
            "content": content,
            "last_modified": datetime.datetime.now(datetime.UTC),
        },
    )
    assert page.values["file"] == bytes(content) and "No answer. The file is neither" in said.value
    assert ("yours: x.png", bytes(content)) in page.controls["file"].options


def test_an_upload_of_ipywidgets_7_holds_a_dict_by_name():
    upload = {"x.png": {"metadata": {"name": "x.png", "size": 4}, "content": b"\x89PNG"}}
    assert explorers._uploaded(upload) == [("x.png", b"\x89PNG")] and explorers._uploaded({}) == []


# ---- what the folded answers say -------------------------------------------------------------------


def test_a_blur_of_one_and_a_half_pixels_costs_accuracy_and_is_mostly_answered():
    _, accuracy, sure, refused, _ = explorers.judged(blur=1.5)
    assert accuracy == pytest.approx(0.79, abs=0.03) and sure == pytest.approx(0.91, abs=0.03)
    assert refused == pytest.approx(0.16, abs=0.03)
    assert explorers.judged(noise=0.01, gamma=1.25, blur=1.5)[1] == pytest.approx(0.75, abs=0.03)


def test_four_patients_a_day_notice_a_quarter_of_the_change_too_rarely():
    noticed = {}
    for patients in (4, 16):
        means, reference, spread = explorers._streams(1, patients)
        first = monitoring.first_alarm(monitoring.cusum((means - reference) / spread, reference=0, slack=0.5), 12.0)
        noticed[patients] = np.mean((first > 30) & np.isfinite(first)), spread
    assert noticed[4][0] == pytest.approx(0.54, abs=0.07) and noticed[16][0] > 0.95
    assert noticed[4][1] == pytest.approx(2 * noticed[16][1], rel=0.05)


# ---- stored results --------------------------------------------------------------------------------


def test_stored_results_belong_together(release):
    runs, days = results.load("in_use/scanners"), results.arrays("in_use/scanners", 0)
    assert list(runs) == list(range(5)) and all(set(run) == {"plain", "varied"} for run in runs.values())
    assert len(days["test"]) == 5 and len(days["test_groups"]) == days["test"].shape[1]
    assert np.mean(days["val"] > release.card["largest_distance"]) == pytest.approx(0.02, abs=0.003)
    told = [row["refused"] for row in runs[0]["plain"]["scanners"]["all three"]]
    assert np.allclose((days["test"] > release.card["largest_distance"]).mean(1), told, atol=2e-3)
    assert release.card["warning"] == serve.WARNING and release.card["data"]["simulated"]


def test_the_release_is_the_stored_plain_network(release):
    for stored, weights in zip(lesson.plain_network().get_weights(), release.model.get_weights(), strict=True):
        assert np.array_equal(stored, weights)


def test_the_release_can_be_read_by_the_lowest_keras(release):
    assert release.card["made_with"]["keras"].startswith("3.10.")


def test_the_release_names_the_generator_that_made_its_data(release):
    assert release.card["data"]["generator"] == data.fingerprint(release.card["data"]["name"])
