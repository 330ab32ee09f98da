"""The student's progress: kept by topic, carried over from the first edition, and never lost."""

import datetime
import json
import os
import re
import subprocess
import sys

import pytest
from filelock import FileLock

from course_lib import ROOT
from course_lib.exercises import Coding, Mistake, store


def _double(x):
    return 2 * x


DOUBLE = Coding(
    "pairs", "double", _double, lambda: [(1.0,), (2.5,)], (Mistake(lambda x: x + 2, "You add 2."),), (), (), "Two."
)


@pytest.fixture
def work(tmp_path, monkeypatch):
    folder = tmp_path / "my work"
    monkeypatch.setenv("COURSE_WORK", str(folder))
    return folder


def _kept(folder):
    return json.loads((folder / "progress.json").read_text(encoding="utf-8"))


def test_check_keeps_progress(work, capsys):
    exercise = DOUBLE
    exercise.check(...)
    assert not (work / "progress.json").exists(), "what was not attempted is not an attempt"
    exercise.check(lambda x: x)
    assert _kept(work) == {"pairs": {"double": {"attempts": 1, "correct": False}}}
    exercise.check(_double)
    exercise.check(lambda x: x)
    entry = _kept(work)["pairs"]["double"]
    assert (entry["attempts"], entry["correct"]) == (3, True), "what was correct once stays correct"
    assert entry["since"] == datetime.date.today().isoformat()


def test_work_folder(work, monkeypatch):
    from course_lib import work_folder

    assert work_folder() == work
    monkeypatch.setenv("COURSE_WORK", "")
    assert work_folder() == ROOT / "work"


def _python(code, **options):
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, **options)


def test_two_notebooks_at_once_lose_nothing(work):
    code = "from course_lib.exercises.store import record\nfor _ in range(50): record('pairs', 'double', correct=False)"
    both = [_python(code, stdout=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate(timeout=120)[0] for process in both] == [b"", b""]
    assert _kept(work)["pairs"]["double"]["attempts"] == 100


def test_crash_between_write_and_replace(work, capsys):
    store.record("pairs", "double", correct=True)
    before = (work / "progress.json").read_bytes()
    crash = (
        "import os\nfrom course_lib.exercises import store\n"
        "store.os.replace = lambda *_: os._exit(7)\nstore.record('pairs', 'double', correct=False)"
    )
    assert _python(crash).wait(timeout=60) == 7
    assert (work / "progress.json").read_bytes() == before
    assert (work / ".progress.tmp").exists()  # what the crash left behind is used again
    store.record("pairs", "double", correct=False)
    assert _kept(work)["pairs"]["double"]["attempts"] == 2
    assert capsys.readouterr().out == ""
    assert sorted(path.name for path in work.iterdir()) == [".progress.lock", "progress.json"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"01": {"correlate"',
        b"\xff\xfe\x00",
        b"[1, 2]",
        b'{"01": 3}',
        b'{"01": {"a": {"attempts": "x", "correct": true}}}',
    ]
    + [b"[" * 100_000, b'{"01": {"a": {"attempts": 1, "correct": "yes"}}}'],
)
def test_damaged_file_is_set_aside(work, capsys, content):
    work.mkdir()
    for number in (1, 2):
        (work / "progress.json").write_bytes(content)
        store.record("pairs", "double", correct=True)
        assert f"progress.damaged-{number}.json" in capsys.readouterr().out
        assert (work / f"progress.damaged-{number}.json").read_bytes() == content
        assert _kept(work)["pairs"]["double"]["attempts"] == 1


def test_progress_that_cannot_be_kept(tmp_path, monkeypatch, capsys):
    in_the_way = tmp_path / "work"
    in_the_way.write_text("a file, where the folder should be")
    monkeypatch.setenv("COURSE_WORK", str(in_the_way))
    DOUBLE.check(_double)
    out = capsys.readouterr().out
    assert "✔ Correct." in out and "could not be saved" in out
    store.progress()
    assert "could not be read" in capsys.readouterr().out
    assert in_the_way.read_text() == "a file, where the folder should be"


def test_full_disk_leaves_nothing_behind(work, monkeypatch, capsys):
    store.record("pairs", "double", correct=True)
    before = (work / "progress.json").read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "fsync", full)
    store.record("pairs", "double", correct=False)
    assert "No space left" in capsys.readouterr().out
    assert (work / "progress.json").read_bytes() == before
    assert not list(work.glob(".progress.tmp"))


def test_somebody_holds_the_lock(work, monkeypatch, capsys):
    work.mkdir()
    monkeypatch.setattr(store, "FileLock", lambda path, timeout: FileLock(path, timeout=0.2))
    other = FileLock(work / ".progress.lock", is_singleton=False)
    with other:
        store.record("pairs", "double", correct=True)
    assert "could not be saved" in capsys.readouterr().out
    store.record("pairs", "double", correct=True)
    assert _kept(work)["pairs"]["double"]["attempts"] == 1


def test_progress_table(work, capsys):
    store.record("of_another_edition", "something", correct=True)  # first: what is recorded next must keep it
    store.record("convolution", "output_size", correct=True)
    store.record("convolution", "output_size", correct=False)
    store.record("convolution", "correlate", correct=False)
    store.progress()
    out = capsys.readouterr().out
    assert re.search(r"✔ output_size +2 attempts\n", out)
    assert re.search(r"✘ correlate +1 attempt\n", out)
    assert re.search(r"○ flipping +open\n", out)
    notebooks = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    titles = re.findall(r"^(\d\d \w+): (\d+) of \d+ correct$", out, re.M)
    assert [title.replace(" ", "_") for title, _ in titles] == notebooks
    assert [done for title, done in titles if title == "01 convolution"] == ["1"]
    assert _kept(work)["of_another_edition"], "what this version does not know is kept"


def test_progress_without_notebooks(work, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(store, "ROOT", tmp_path)
    store.progress()
    topics = re.findall(r"^(\w+): 0 of \d+ correct$", capsys.readouterr().out, re.M)
    assert topics == sorted(topics) and "convolution" in topics
    assert not work.exists(), "who only reads writes nothing"


def test_progress_is_read_without_a_lock(work, capsys, monkeypatch):
    """In a folder that may only be read, no lock file can be made."""
    store.record("convolution", "correlate", correct=True)
    (work / ".progress.lock").unlink()

    def forbidden(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(store, "FileLock", forbidden)
    store.progress()
    assert re.search(r"✔ correlate +1 attempt\n", capsys.readouterr().out)
    store.record("convolution", "correlate", correct=True)
    assert "could not be saved" in capsys.readouterr().out


FIRST_EDITION = {
    "01": {
        "correlate": {"attempts": 3, "correct": True, "since": "2024-02-01"},
        "gone": {"attempts": 1, "correct": False},
    },
    "06": {"random_gain": {"attempts": 2, "correct": False}},
    "07": {"best_epoch": {"attempts": 4, "correct": True, "since": "2024-03-01"}},
    "17": {"seen_before": {"attempts": 5, "correct": False}},
    "18": {"ring": {"attempts": 1, "correct": True, "since": "2024-04-01"}},
    "98": {"unknown": {"attempts": 6, "correct": False}},
}


def test_progress_by_number_becomes_progress_by_topic(work, capsys):
    work.mkdir()
    both = FIRST_EDITION | {"convolution": {"correlate": {"attempts": 2, "correct": True, "since": "2025-01-01"}}}
    (work / "progress.json").write_text(json.dumps(both), encoding="utf-8")
    store.progress()
    assert re.search(r"✔ correlate +5 attempts\n", capsys.readouterr().out)
    assert _kept(work) == both, "who only reads writes nothing"
    for attempts in (1, 2):  # carried over once, not again
        store.record("gan", "gan_losses", correct=False)
        assert _kept(work) == {
            "convolution": {
                "correlate": {"attempts": 5, "correct": True, "since": "2024-02-01"},
                "gone": {"attempts": 1, "correct": False},
            },
            "augmentation": FIRST_EDITION["06"],
            "first_cnn": FIRST_EDITION["07"],
            "capstone": FIRST_EDITION["17"],
            "beyond": FIRST_EDITION["18"],
            "98": FIRST_EDITION["98"],
            "gan": {"gan_losses": {"attempts": attempts, "correct": False}},
        }
    assert capsys.readouterr().out == ""


def test_an_exercise_that_went_to_another_lesson_takes_its_progress_along(work, capsys):
    work.mkdir()
    solved = {"attempts": 2, "correct": True, "since": "2025-05-05"}
    stored = {"02": {"max_pool_gradient": solved, "max_pool": solved}, "activation": {"relu_gradient": solved}}
    stored |= {"17": {"gap": solved, "mirror": solved}}
    (work / "progress.json").write_text(json.dumps(stored), encoding="utf-8")
    store.record("network_from_scratch", "relu_gradient", correct=False)
    assert _kept(work) == {
        "pooling": {"max_pool": solved},
        "network_from_scratch": {"max_pool_gradient": solved, "relu_gradient": solved | {"attempts": 3}},
        "capstone": {"mirror": solved},
        "capstone_solution": {"gap": solved},
    }
    assert capsys.readouterr().out == ""


def test_the_last_lesson_of_the_first_edition_became_two(work):
    work.mkdir()
    solved = {"attempts": 2, "correct": True, "since": "2025-05-05"}
    stored = {"18": {"cusum": solved, "combine_gradients": solved}, "beyond": {"alarm_rings": solved}}
    (work / "progress.json").write_text(json.dumps(stored), encoding="utf-8")
    store.record("in_use", "cusum", correct=False)
    assert _kept(work) == {
        "in_use": {"cusum": solved | {"attempts": 3}, "alarm_rings": solved},
        "beyond": {"combine_gradients": solved},
    }


def test_numbers_are_those_of_the_first_edition():
    numbered = {
        number: topic for topic, number in [("start_here", "00"), ("medical_images", "05"), ("restoration", "16")]
    }
    assert numbered.items() <= store._FIRST_EDITION.items() and len(store._FIRST_EDITION) == 19


def test_one_bad_entry_costs_only_itself(work, capsys):
    work.mkdir()
    good = {"attempts": 4, "correct": False}
    stored = {
        "gan": {"good": good, "bad": {"attempts": -5, "correct": False}, "odd": {"attempts": True, "correct": True}}
    }
    (work / "progress.json").write_text(json.dumps(stored), encoding="utf-8-sig")  # as Windows' editor saves it
    store.progress()
    assert "damaged" not in capsys.readouterr().out
    store.record("gan", "good", correct=False)
    assert "progress.damaged-1.json" in capsys.readouterr().out
    assert _kept(work) == {"gan": {"good": {"attempts": 5, "correct": False}}}
    assert json.loads((work / "progress.damaged-1.json").read_text(encoding="utf-8-sig")) == stored


def test_mark_of_windows_is_no_damage(work, capsys):
    work.mkdir()
    (work / "progress.json").write_text(json.dumps(FIRST_EDITION), encoding="utf-8-sig")
    store.record("98", "unknown", correct=False)
    assert capsys.readouterr().out == "" and _kept(work)["98"]["unknown"]["attempts"] == 7


@pytest.mark.skipif(os.name == "nt", reason="links and modes of files are otherwise on Windows")
def test_link_and_mode_stay(work, tmp_path, monkeypatch, capsys):
    work.mkdir()
    real = tmp_path / "synchronised" / "mine.json"
    real.parent.mkdir()
    real.write_text("{}")
    real.chmod(0o640)  # not what a new file gets
    (work / "progress.json").symlink_to(real)
    store.record("gan", "gan_losses", correct=True)
    assert (work / "progress.json").is_symlink() and _kept(work)["gan"]
    assert real.stat().st_mode & 0o777 == 0o640
    before = real.read_bytes()
    monkeypatch.setattr(store.os, "access", lambda *_: False)
    store.record("gan", "gan_losses", correct=True)
    assert "write-protected" in capsys.readouterr().out and real.read_bytes() == before
