"""Real datasets in MedMNIST's format: what is read, what is refused, and what a failed download says."""

import hashlib
import http.server
import io
import re
import socket
import threading
import time
import warnings
import zipfile
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from urllib.parse import urlparse

import numpy as np
import psutil
import pytest

from course_lib import data
from course_lib.data import medmnist


def arrays(shape=(28, 28), classes=2, **replaced):
    """The six arrays of a small file that is in order."""
    rng = np.random.default_rng(0)
    made = {}
    for split, n in (("train", 12), ("val", 6), ("test", 6)):
        made[f"{split}_images"] = rng.integers(0, 256, (n, *shape), dtype=np.uint8)
        made[f"{split}_labels"] = (np.arange(n, dtype=np.uint8) % classes)[:, None]
    return {key: value for key, value in (made | replaced).items() if value is not None}


IMAGES = arrays()["train_images"]
LABELS = arrays()["train_labels"]


@pytest.fixture
def write(tmp_path):
    def write_file(name="hospital.npz", **options):
        path = tmp_path / name
        np.savez_compressed(path, **arrays(**options))
        return path

    return write_file


@pytest.fixture(autouse=True)
def no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


@pytest.mark.parametrize(
    "shape, expected", [((28, 28), (28, 28, 1)), ((64, 64), (64, 64, 1)), ((28, 28, 3), (28, 28, 3))]
)
def test_reads_grey_colour_and_larger_images(write, shape, expected):
    dataset = data.load(write(shape=shape, classes=3))
    raw = arrays(shape=shape, classes=3)
    for split in ("train", "val", "test"):
        read = getattr(dataset, split)
        assert read.x.shape[1:] == expected and read.x.dtype == np.float32
        np.testing.assert_allclose(
            read.x.reshape(raw[f"{split}_images"].shape) * 255, raw[f"{split}_images"], atol=1e-4
        )
        np.testing.assert_array_equal(read.targets["label"], raw[f"{split}_labels"][:, 0])
        assert read.targets["label"].dtype == np.int64 and read.groups is None and read.masks is None
    assert dataset.class_names == ("class 0", "class 1", "class 2")
    assert dataset.simulated is None and "not known whether real" in str(dataset) and "patients unknown" in str(dataset)


def test_a_path_may_be_text(write):
    assert data.load(str(write())).name == "hospital"


def test_a_name_gives_names_of_classes_and_nothing_else(write):
    dataset = data.load(write("breastmnist_64.npz", shape=(64, 64)))
    assert dataset.class_names == ("malignant", "normal or benign")
    assert dataset.simulated is None and dataset.official == () and dataset.licence == medmnist.UNKNOWN_LICENCE
    assert "named like BreastMNIST" in dataset.source and "not checked" in str(dataset) and "(real)" not in str(dataset)
    other = data.load(write("breastmnist_128.npz", classes=3))
    assert other.class_names == ("class 0", "class 1", "class 2") and "BreastMNIST" not in str(other), "it is none"


def test_a_development_file_keeps_its_class_names_and_says_what_it_is(write):
    dataset = data.load(write("pneumoniamnist-dev.npz"))
    assert dataset.name == "pneumoniamnist-dev" and dataset.class_names == ("normal", "pneumonia")
    assert "development file" in str(dataset) and "another source set" not in str(dataset)
    assert dataset.simulated is None and "not checked" in str(dataset)


@pytest.fixture
def published(write, monkeypatch):
    """A dataset "testmnist" whose published arrays are those of `arrays()`, with a development file of other ones."""
    content = {"published": arrays(), "development": arrays(train_images=IMAGES[::-1], test_images=255 - IMAGES[:6])}
    marks = {
        name: {
            split: medmnist._mark_of(
                (28, 28),
                [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in of[f"{split}_images"]],
                of[f"{split}_labels"][:, 0],
            )
            for split in medmnist.SPLITS
        }
        for name, of in content.items()
    }
    about = {
        "md5": hashlib.md5(write("first.npz", shape=(8, 8)).read_bytes(), usedforsecurity=False).hexdigest(),
        "splits": marks["published"],
        "development": marks["development"],
        "class_names": ["a", "b"],
        "licence": "CC0",
        "source": "a test",
        "note": "A note.",
    }
    monkeypatch.setattr(medmnist, "known", lambda: {"testmnist": about})
    return content


def test_published_arrays_are_recognised_in_any_file_and_any_order(published, tmp_path):
    (tmp_path / "first.npz").rename(tmp_path / "renamed.npz")
    assert len(data.load(tmp_path / "renamed.npz").official) == 3, "the published file, by its MD5"
    order = np.random.default_rng(1).permutation(12)
    file = dict(published["published"])
    file["train_images"], file["train_labels"] = file["train_images"][order], file["train_labels"][order]
    np.savez(tmp_path / "mine.npz", **file)
    dataset = data.load(tmp_path / "mine.npz")
    assert dataset.simulated is False and dataset.source == "a test" and dataset.note == "A note."
    assert dataset.official == ("testmnist/train", "testmnist/val", "testmnist/test") and dataset.class_names == (
        "a",
        "b",
    )
    assert "as published, by checksum: testmnist/train" in str(dataset)


def test_one_pixel_or_label_that_differs_is_not_the_published_split(published, tmp_path):
    for key, split in (("train_images", "train"), ("test_labels", "test"), ("val_images", "val")):
        file = {name: array.copy() for name, array in published["published"].items()}
        file[key].flat[0] ^= 1
        np.savez(tmp_path / "testmnist.npz", **file)
        dataset = data.load(tmp_path / "testmnist.npz")
        assert dataset.simulated is None and f"testmnist/{split}" not in dataset.official and len(dataset.official) == 2
        assert "the rest was not checked" in dataset.source and "A note." not in str(dataset)
    swapped = {key: array[::-1] if key == "train_labels" else array for key, array in published["published"].items()}
    np.savez(tmp_path / "testmnist.npz", **swapped)
    assert "testmnist/train" not in data.load(tmp_path / "testmnist.npz").official, "each label at its image"


def test_the_development_file_is_real_and_called_so_under_any_name(published, tmp_path):
    np.savez(tmp_path / "x.npz", **published["development"])
    dataset = data.load(tmp_path / "x.npz")
    assert dataset.simulated is False and "development file" in dataset.note and dataset.official == ("testmnist/val",)


@pytest.mark.parametrize("name", ["generated.npz", "pneumoniamnist.npz", "breastmnist_64.npz"])
def test_what_is_generated_is_called_simulated_whatever_its_name(write, name):
    dataset = data.load(write(name, generated_by=np.array(medmnist.GENERATED)))
    assert dataset.simulated is True and "(simulated)" in str(dataset) and "no patient" in dataset.source
    assert dataset.class_names == ("class 0", "class 1") and "MedMNIST" not in str(dataset)
    for other in ("PneumoniaMNIST, real", "", ["a", "b"]):  # what others write there says nothing
        dataset = data.load(write("x.npz", generated_by=np.array(other)))
        assert dataset.simulated is None and dataset.source == "the file x.npz"


@pytest.mark.parametrize(
    "change, message",
    [
        ({"val_labels": None}, "lacks val_labels; it holds"),
        ({"train_images": IMAGES / 255}, "train_images has type float64, .*uint8"),
        ({"train_images": IMAGES[0]}, r"train_images has shape \(28, 28\)"),
        ({"train_images": IMAGES[..., None].repeat(2, -1)}, r"shape \(12, 28, 28, 2\)"),
        ({"train_images": IMAGES[:, :, :, None, None]}, "three-dimensional"),
        ({"val_images": IMAGES[:6, ..., None]}, r"val_images has shape \(6, 28, 28, 1\)\. .*images\[..., 0\]"),
        ({"val_images": IMAGES[:0], "val_labels": LABELS[:0]}, r"shape \(0, 28, 28\).* no axis of length 0"),
        ({"test_images": IMAGES[:6, :20]}, r"test_images are \(20, 28\), train_images \(28, 28\)"),
        ({"train_labels": LABELS.astype(float)}, "train_labels has type float64, .*whole numbers"),
        ({"train_labels": LABELS[:, 0]}, r"train_labels has shape \(12,\), .*\(n, 1\).*labels\[:, None\]"),
        ({"train_labels": LABELS.repeat(14, 1)}, "several labels"),
        ({"train_labels": LABELS.astype("m8[s]")}, "train_labels has type timedelta64"),
        ({"val_labels": np.eye(2)[LABELS[:6, 0]]}, r"val_labels has shape \(6, 2\).*argmax\(1\)\[:, None\]"),
        ({"train_labels": LABELS[:9]}, "train has 12 images, but 9 labels"),
        ({"test_labels": LABELS[:6].astype(np.int8) - 1}, "test_labels holds -1"),
        ({"train_labels": LABELS * 2}, r"train_labels are \[0, 2\]"),
        ({"test_labels": LABELS[:6] + 4}, "test_labels holds 5, but there are 2 classes"),
        ({"train_labels": np.array([[{}]] * 12, dtype=object)}, "train_labels.npy holds Python objects.*refused"),
    ],
)
def test_what_is_not_in_the_format_is_refused_with_the_reason(write, change, message):
    with pytest.raises(ValueError, match=message):
        data.load(write(**change))


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-200])


def flip_bytes(path):
    content = bytearray(path.read_bytes())
    content[2000:2010] = bytes(10)
    path.write_bytes(content)


def single_array(path):
    with path.open("wb") as file:
        np.save(file, IMAGES)


def encrypt(path):
    """Sets the mark that each entry of the archive's table of contents would have."""
    content = bytearray(path.read_bytes())
    for found in re.finditer(b"PK\x01\x02", content):
        content[found.start() + 8] |= 1
    path.write_bytes(content)


def announce(path, shape):
    """Replaces one array by a header of this shape with no pixels behind it."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w") as archive:
        for key in arrays():
            archive.writestr(f"{key}.npy", header.getvalue())


def not_an_array(path):
    with zipfile.ZipFile(path, "w") as archive:
        for key in arrays():
            archive.writestr(f"{key}.npy", "no array")


@pytest.mark.parametrize(
    "spoil, message",
    [
        (cut_off, "cut off or damaged"),
        (flip_bytes, "damaged"),
        (not_an_array, "train_images.npy is not a NumPy array"),
        (encrypt, "train_images.npy is encrypted.*password"),
        (lambda path: announce(path, (10**7, 10**4, 10**4)), "announces 1,000,000,000,000,000 bytes.*holds 0: damaged"),
        (lambda path: path.write_bytes(b""), "is not an .npz file"),
        (lambda path: path.write_text("patient,label\n1,0\n"), "begins with b'patient,labe'"),
        (lambda path: path.write_text("\n<!DOCTYPE html><html>404</html>"), "web page"),
        (single_array, "is not an .npz file"),
    ],
)
def test_spoiled_files_are_refused_with_the_reason(write, spoil, message):
    path = write()
    spoil(path)
    with pytest.raises(ValueError, match=message) as caught:
        data.load(path)
    assert str(path) in str(caught.value)


def test_one_damaged_byte_anywhere_never_ends_in_a_bare_traceback(write):
    path = write()
    good = path.read_bytes()
    places = np.random.default_rng(0).integers(len(good), size=150)
    refused = 0
    for place in [*places, *range(len(good) - 150, len(good), 3)]:  # and the archive's table of contents
        damaged = bytearray(good)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            data.load(path)  # a byte that nothing depends on, such as a time, may be anything
        except ValueError:
            refused += 1
    assert refused > 100


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file .*nothing.npz"):
        data.load(tmp_path / "nothing.npz")


def test_what_does_not_fit_into_memory_is_refused_before_it_is_unpacked(write, monkeypatch):
    path = write()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=80_000))
    with pytest.raises(ValueError, match=r"hospital.npz .*would take 0\.0 GB of memory, and 0\.0 GB are free"):
        data.load(path)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=100_000))
    data.load(path)  # 24 images of 784 bytes, and four times as much as float32: 94 kB
    bomb = np.broadcast_to(np.uint8(0), (300, 1_000, 1_000))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the name is there already: the last one counts
        with archive.open("test_images.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(member, {"descr": "|u1", "fortran_order": False, "shape": bomb.shape})
            for _ in range(30):
                member.write(bytes(10_000_000))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=8e8))
    with pytest.raises(ValueError, match=r"would take 1\.5 GB of memory, and 0\.8 GB are free"):
        data.load(path)


@pytest.mark.parametrize("name", ["GOOD.NPZ", "Good.Npz"])
def test_an_ending_may_be_in_capitals(write, name):
    write().rename(path := write().with_name(name))
    assert len(data.load(path).train) == 12
    with pytest.raises(FileNotFoundError, match="There is no file"):
        data.load(path.with_name("GONE.NPZ"))


@pytest.mark.parametrize("address", ["https://zenodo.org/records/1/x.npz?download=1", "http://a.org/b.csv", "s3://b/c"])
def test_an_address_is_called_one_with_both_slashes(address):
    for given in (address, PurePosixPath(address)):
        with pytest.raises(ValueError, match=re.escape(f"{address} is an address.") + ".*download"):
            data.load(given)


def test_what_is_no_name_at_all_is_said(tmp_path):
    with (tmp_path / "x.npz").open("wb") as file:
        for nothing in (None, 7, file, [], b"x.npz", np.zeros(3)):
            with pytest.raises(TypeError, match="takes the name of a dataset or the path"):
                data.load(nothing)
    (tmp_path / "x.png").write_bytes(b"")
    with pytest.raises(ValueError, match="reads no such file as .*x.png"):
        data.load(tmp_path / "x.png")


def test_a_file_that_may_not_be_read_is_called_so(write, monkeypatch):
    path, opened = write(), Path.open

    def refuse(self, *mode):
        if self == path:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(self, *mode)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError, match=f"Permission denied: {re.escape(str(path))} cannot be read"):
        data.load(path)


def texts_of(path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data.load(path)
    assert all(warning.filename == __file__ for warning in caught)
    return " ".join(str(warning.message) for warning in caught)


def test_copies_are_found_between_any_two_parts_and_with_two_labels(write):
    images = arrays()
    images["test_images"][:2] = images["val_images"][:2]
    text = texts_of(write(**images))
    assert (
        "2 of 6 test images are also in the val split: results" in text
        and "the train" not in text
        and "label" not in text
    )
    images = arrays()
    images["train_images"][1] = images["train_images"][0]
    assert texts_of(write(**images)) == "hospital.npz: 1 images occur with two labels. One of both is wrong."
    assert texts_of(write()) == ""


def test_parts_of_one_class_warn(write):
    text = texts_of(write(test_labels=LABELS[:6] * 0 + 1))
    assert "all 6 test images have label 1" in text and "AUC is undefined" in text and text.count("all ") == 1
    assert texts_of(write(classes=1)).count("have label 0") == 3


def test_blank_images_and_duplicates_warn(write):
    test_images = arrays()["test_images"]
    test_images[0] = 7
    test_images[1] = IMAGES[3]
    path = write(test_images=test_images)
    with pytest.warns(UserWarning) as caught:  # noqa: PT030 - which of them it says comes below
        dataset = data.load(path)
    texts = " ".join(str(warning.message) for warning in caught)
    assert "1 of 6 test images are blank" in texts and "1 of 6 test images are also in the train split" in texts
    assert all(warning.filename == __file__ for warning in caught), "the warning points to the line that loads"
    assert len(dataset.test) == 6, "nothing is removed"


def test_options_of_simulated_data_are_refused(write):
    for options in ({"size": 64}, {"n_patients": 10}, {"n_test": 500}, {"seed": 1}):
        with pytest.raises(ValueError, match="do not apply"):
            data.load("pneumoniamnist", **options)


def test_every_entry_of_the_list_is_complete():
    assert set(medmnist.known()) == {
        "pneumoniamnist", "breastmnist", "retinamnist", "bloodmnist", "octmnist", "pathmnist", "organamnist"
    }  # fmt: skip
    for name, about in medmnist.known().items():
        assert about["url"] == f"https://zenodo.org/records/10519652/files/{name}.npz?download=1"
        assert re.fullmatch("[0-9a-f]{32}", about["md5"]) and about["licence"] == "CC BY 4.0"
        pixels = sum(about["images"]) * 28 * 28 * about["channels"]
        assert 0 < about["megabytes"] <= 1.01 * pixels / 1e6, "a compressed file is smaller than its pixels"
        assert (
            len(about["images"]) == 3
            and len(about["class_names"]) >= 2
            and about["title"]
            and about["source"]
            and about["task"]
        )
    assert medmnist.known()["breastmnist"]["class_names"][0] == "malignant"


# Downloads: from a server on this machine.


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serves a file as the dataset "testmnist": set `server.answer` to the bytes, or to a status code."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer = self.server.answer
            self.server.requests += 1
            self.send_response(answer if isinstance(answer, int) else 200)
            self.end_headers()
            if not isinstance(answer, int):
                self.wfile.write(answer)

        def log_message(self, *_):
            pass

    cache = tmp_path / "cache"
    monkeypatch.setenv("COURSE_CACHE", str(cache))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.requests = 0
        path = tmp_path / "source.npz"
        np.savez_compressed(path, **arrays())
        running.answer = path.read_bytes()
        about = {
            "url": f"http://127.0.0.1:{running.server_address[1]}/testmnist.npz",
            "md5": hashlib.md5(running.answer, usedforsecurity=False).hexdigest(),
            "megabytes": 0.1,
            "class_names": ["a", "b"],
            "licence": "CC0",
            "source": "a test",
        }
        running.about, running.file = about, cache / "testmnist.npz"
        monkeypatch.setattr(medmnist, "known", lambda: {"testmnist": about})
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_download_is_checked_kept_and_not_repeated(server):
    for _ in range(2):
        dataset = data.load("testmnist")
        assert dataset.class_names == ("a", "b") and dataset.simulated is False and len(dataset.train) == 12
    assert server.requests == 1 and server.file.exists()


def test_wrong_checksum_keeps_nothing(server):
    server.answer += b"!"
    with pytest.raises(ValueError, match="not the published testmnist file.*MD5.*Nothing was kept"):
        data.load("testmnist")
    assert list(server.file.parent.iterdir()) == []


def test_a_file_put_there_by_hand_is_used_or_refused_but_never_replaced(server):
    server.file.parent.mkdir()
    server.file.write_bytes(server.answer)
    assert len(data.load("testmnist").train) == 12
    server.file.write_bytes(b"my own")
    with pytest.raises(ValueError, match="testmnist.npz is not the published"):
        data.load("testmnist")
    assert server.file.read_bytes() == b"my own" and server.requests == 0


def assert_helps(caught, server):
    message = str(caught.value)
    for part in ("testmnist", "0.1 MB", server.about["url"], str(server.file), "data.load('brain-lesions')"):
        assert part in message
    assert caught.value.__suppress_context__, "one sentence instead of the traceback of the network library"


def test_refusal_by_the_server_is_named(server):
    server.answer = 404
    with pytest.raises(ConnectionError, match="the server answers 404") as caught:
        data.load("testmnist")
    assert_helps(caught, server)


def test_without_a_network_the_error_comes_at_once_and_helps(server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server.about["url"] = urlparse(server.about["url"])._replace(netloc=f"127.0.0.1:{port}").geturl()
    start = time.monotonic()
    with pytest.raises(ConnectionError) as caught:
        data.load("testmnist")
    assert time.monotonic() - start < 20
    assert_helps(caught, server)
    assert not server.file.exists()


@pytest.mark.timeout(60)
def test_a_silent_server_is_given_up(server, monkeypatch):
    assert max(medmnist.TIMEOUT) <= 30, "seconds, not minutes"
    monkeypatch.setattr(medmnist, "TIMEOUT", (0.5, 0.5))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        server.about["url"] = f"http://127.0.0.1:{silent.getsockname()[1]}/testmnist.npz"
        with pytest.raises(ConnectionError, match="Timeout") as caught:
            data.load("testmnist")
    assert_helps(caught, server)
