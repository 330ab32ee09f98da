"""The ledger: what is stored says how it was made, nothing is lost, and what is old is named."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from course_lib import ROOT, data, results
from course_lib.data import brain_lesions
from course_lib.tools import experiment, stale

EXPERIMENT = """'''One run.'''
import os
from course_lib.tools.experiment import main

RUNS = {"memory": range(3), "gates": [0, 7]}

def memory(seed, quick=False):
    '''Share of right answers.'''
    if os.environ.get("FAILS") == str(seed):
        raise RuntimeError("no memory")
    with open("log", "a") as log:
        log.write(f"{seed} {os.environ.get('TF_NUM_INTRAOP_THREADS')}\\n")
    return {"accuracy": .5 + seed / 10 + float(os.environ.get("SHIFT", 0)), "quick": quick}

def gates(seed, quick=False):
    return {"open": seed}, {"arrays": {"gate": [seed, seed]}}

if __name__ == "__main__":
    main("tiny", RUNS, {"memory": memory, "gates": gates}, tolerance={"memory": .02, "gates": 0})
"""


class Network:
    """As much of a Keras model as is stored."""

    def __init__(self, *weights):
        self._weights = weights

    def get_weights(self):
        return list(self._weights)


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    """A lesson called "tiny", in lessons of its own, in a process that has loaded nothing."""
    folder = tmp_path / "lessons" / "tiny"
    (folder / "results").mkdir(parents=True)
    (folder / "experiment.py").write_text(EXPERIMENT)
    monkeypatch.setattr(results, "LESSONS", tmp_path / "lessons")
    monkeypatch.setattr(data, "LOADED", [])
    monkeypatch.setattr(sys, "argv", ["/home/someone/experiment.py", "memory"])
    return folder


def carry(lesson, **more):
    """Two hours of the first edition, which kept neither code nor data."""
    row = {
        "command": "python old.py",
        "seconds": 7200,
        "commit": "",
        "versions": {},
        "data": [],
        "code": "",
        "payload": 1,
    }
    document = {"note": "Old.", "seeds": {"0": row | more}}
    (lesson / "results" / "memory.json").write_text(json.dumps(document))


# ---- what is stored --------------------------------------------------------------------------------------------------


def test_a_seed_comes_back_as_it_was_saved(lesson):
    gates = np.arange(6, dtype=np.float16).reshape(2, 3)
    first, second = Network(np.ones((2, 3)), np.zeros(3)), Network(np.full(2, 5.0))
    results.save("tiny/memory", {"auc": np.float32(0.123456), "n": np.int64(3)}, seed=3, note="AUC.")
    results.save("tiny/memory", [1, (2, np.array([3.0]))], seed=0, arrays={"gates": gates}, weights=first)
    results.save("tiny/memory", None, seed=10, weights={"maker": first, "judge": second})
    assert results.load("tiny/memory") == {0: [1, [2, [3.0]]], 3: {"auc": 0.1235, "n": 3}, 10: None}
    assert list(results.load("tiny/memory")) == [0, 3, 10] and results.about("tiny/memory")["note"] == "AUC."
    np.testing.assert_array_equal(results.arrays("tiny/memory", 0)["gates"], gates)
    assert results.arrays("tiny/memory", 0)["gates"].dtype == np.float16
    for stored in (results.weights("tiny/memory", 0), results.weights("tiny/memory", 10, network="maker")):
        assert [w.shape for w in stored] == [(2, 3), (3,)], "in the order that set_weights wants"
        np.testing.assert_array_equal(stored[0], 1)
    np.testing.assert_array_equal(results.weights("tiny/memory", 10, network="judge")[0], 5)
    with pytest.raises(ValueError, match="no network called 'jury', only judge/w000, maker/w000, maker/w001"):
        results.weights("tiny/memory", 10, network="jury")


def test_many_weights_keep_their_order(lesson):
    results.save("tiny/memory", {}, seed=0, weights=Network(*(np.full(1, n) for n in range(120))))
    assert [int(w[0]) for w in results.weights("tiny/memory", 0)] == list(range(120))


def test_a_seed_that_is_saved_again_leaves_nothing_of_the_old(lesson):
    results.save("tiny/memory", 1, seed=0, arrays={"a": [1]}, weights=Network(np.ones(1)))
    results.save("tiny/memory", 2, seed=0)
    assert results.load("tiny/memory") == {0: 2} and len(list((lesson / "results").iterdir())) == 1


@pytest.mark.parametrize(
    ("number", "kept"),
    [(0.98765, 0.9877), (1234.56789, 1234.5679), (0.000312345, 0.0003123), (-3.3333e-7, -3.333e-7), (0.0, 0.0)],
)
def test_numbers_keep_four_decimals_and_small_ones_four_digits(lesson, number, kept):
    results.save("tiny/memory", {"rate": number}, seed=0)
    assert results.load("tiny/memory")[0]["rate"] == kept


def test_a_diverged_loss_can_be_stored(lesson):
    results.save("tiny/memory", [float("nan"), np.inf], seed=0)
    assert np.isnan(results.load("tiny/memory")[0][0]) and results.load("tiny/memory")[0][1] == np.inf


def test_each_seed_says_how_it_was_made(lesson, monkeypatch, tmp_path):
    monkeypatch.setattr(brain_lesions, "PATIENTS", {"train": 4, "val": 4, "test": 4})
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["/home/me/experiment.py", "memory", "--data", "/home/me/scans.npz"])
    results.start_clock()
    time.sleep(0.25)
    results.save("tiny/memory", 1, seed=0)
    data.load("brain-lesions", size=32)
    data.load("brain-lesions", seed=4)
    data.load("brain-lesions", size=32)
    results.save("tiny/memory", 1, seed=1)
    first, second = results.about("tiny/memory")["seeds"].values()
    assert first["command"] == "python -m course_lib.lessons.tiny.experiment memory --data scans.npz"
    assert first["seconds"] >= 0.2 and first["data"] == []
    assert re.fullmatch(r"([0-9a-f]{40}(\+changes)?)?", first["commit"])
    assert set(first["versions"]) == {"python", "numpy", "tensorflow", "keras"}
    assert first["versions"]["numpy"] == np.__version__
    mark = brain_lesions.fingerprint()
    assert second["data"] == [
        {"name": "brain-lesions", "size": 32, "fingerprint": mark},
        {"name": "brain-lesions", "seed": 4, "fingerprint": mark},
    ]


def test_the_clock_of_a_seed_starts_with_the_last_save_or_the_core(lesson):
    results.start_clock()
    time.sleep(0.6)
    for seed in (0, 1):
        results.save("tiny/memory", 1, seed=seed)
    time.sleep(0.6)
    with experiment.core():
        results.save("tiny/memory", 1, seed=2)
    long, *short = (row["seconds"] for row in results.about("tiny/memory")["seeds"].values())
    assert long >= 0.6 > max(short)


def test_the_commit_says_whether_python_files_differ(lesson, monkeypatch):
    def git(*words):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=lesson, check=True)

    assert results._commit() == "", "outside git"
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    monkeypatch.setattr(results, "LESSONS", lesson / "lessons")  # git is asked in the folder above
    assert re.fullmatch("[0-9a-f]{40}", results._commit())
    (lesson / "results" / "memory.json").write_text("{}")
    assert re.fullmatch("[0-9a-f]{40}", results._commit()), "what experiments write is no change"
    (lesson / "experiment.py").write_text("pass")
    assert re.fullmatch("[0-9a-f]{40}[+]changes", results._commit())
    monkeypatch.setenv("PATH", "")
    assert results._commit() == "", "without git"


def test_arrays_of_objects_are_refused_both_ways(lesson):
    with pytest.raises(ValueError, match="The arrays b hold Python objects"):
        results.save("tiny/memory", 1, seed=0, arrays={"a": [1.0], "b": [{}]})
    assert not (lesson / "results" / "memory.json").exists()
    np.savez(lesson / "results" / "memory.0.npz", b=np.array([{}]))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        results.arrays("tiny/memory", 0)


def test_what_is_missing_is_named_with_the_command_that_makes_it(lesson):
    with pytest.raises(FileNotFoundError, match=r"no memory.json.*-m course_lib.lessons.tiny.experiment memory$"):
        results.load("tiny/memory")
    results.save("tiny/memory", 1, seed=0)
    with pytest.raises(FileNotFoundError, match=r"no memory.4.npz .*experiment memory --seeds 4$"):
        results.arrays("tiny/memory", 4)
    with pytest.raises(FileNotFoundError, match=r"no memory.0.weights.npz .*experiment memory --seeds 0$"):
        results.weights("tiny/memory", 0)


@pytest.mark.parametrize(
    "path", ["memory", "tiny/", "/memory", "tiny/../x", "tiny/memory.json", "tiny/a/b", "huge/memory"]
)
def test_other_paths_are_refused(lesson, path):
    for ask in (results.load, lambda path: results.arrays(path, 0), lambda path: results.save(path, 1, seed=0)):
        with pytest.raises(ValueError, match="give 'topic/name', where topic is one of: tiny."):
            ask(path)


def test_runs_of_the_first_edition_are_read_and_run_again(lesson):
    carry(lesson, payload={"rows": [1, 2]})
    assert results.load("tiny/memory") == {0: {"rows": [1, 2]}}
    assert results.missing("tiny/memory", [0, 1]) == [0, 1]
    assert "first edition" in results.outdated("tiny/memory")[0]
    results.save("tiny/memory", 1, seed=0)
    assert results.load("tiny/memory") == {0: 1} and not results.outdated("tiny/memory"), "a run takes its place"


# ---- nothing is lost -------------------------------------------------------------------------------------------------

MANY = """
import sys
from pathlib import Path
from course_lib import results
results.LESSONS, first = Path(sys.argv[1]), int(sys.argv[2])
results._commit = results.code_hash = lambda *_: ""
for seed in range(first, 60, 2):
    results.save("tiny/memory", {"seed": seed}, seed=seed)
"""


@pytest.mark.slow
def test_two_processes_that_save_at_once_lose_nothing(lesson):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    call = [sys.executable, "-c", MANY, str(lesson.parent)]
    running = [subprocess.Popen([*call, str(first)], env=environment) for first in (0, 1)]
    assert [process.wait(120) for process in running] == [0, 0]
    assert results.load("tiny/memory") == {seed: {"seed": seed} for seed in range(60)}
    assert [file.name for file in (lesson / "results").iterdir()] == ["memory.json"]


def test_an_interrupted_save_leaves_the_old_file(lesson, monkeypatch):
    results.save("tiny/memory", 1, seed=0, arrays={"a": [1]})

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez_compressed", interrupted)
        with pytest.raises(KeyboardInterrupt):
            results.save("tiny/memory", 2, seed=0, arrays={"a": [2]})
    assert results.load("tiny/memory") == {0: 1} and results.arrays("tiny/memory", 0)["a"] == [1]
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            results.save("tiny/memory", 2, seed=0)
    assert results.load("tiny/memory") == {0: 1}


# ---- what is old -----------------------------------------------------------------------------------------------------


def test_a_comment_changes_nothing_and_code_does(lesson):
    results.save("tiny/memory", 1, seed=0)
    file = lesson / "experiment.py"
    file.write_text("# A comment.\n" + EXPERIMENT.replace("'''One run.'''", "'''Another\ndocstring.'''"))
    assert results.outdated("tiny/memory") == {} and results.missing("tiny/memory", range(2)) == [1]
    file.write_text(EXPERIMENT.replace("seed / 10", "seed / 11"))
    assert results.outdated("tiny/memory") == {0: "its code has changed"}
    assert results.missing("tiny/memory", range(2)) == [0, 1]
    results.save("tiny/memory", 1, seed=1)
    assert results.missing("tiny/memory", range(2)) == [0]
    (lesson / "model.py").write_text("UNITS = 8")
    assert results.missing("tiny/memory", range(2)) == [0], "nothing of memory() needs UNITS"
    file.write_text(file.read_text().replace("seed / 11", "seed / 11 + tiny.UNITS"))
    results.save("tiny/memory", 1, seed=0)
    (lesson / "model.py").write_text("UNITS = 9")
    assert results.missing("tiny/memory", range(2)) == [0, 1]
    (lesson / "explorers.py").write_text("UNITS = 8")
    results.save("tiny/memory", 1, seed=0)
    assert results.missing("tiny/memory", range(2)) == [1], "other files of the lesson do not count"


def test_other_data_make_a_seed_old(lesson, monkeypatch):
    data.LOADED.append({"name": "brain-lesions", "seed": 0})
    results.save("tiny/memory", 1, seed=0)
    assert results.missing("tiny/memory", [0]) == []
    monkeypatch.setattr(brain_lesions, "fingerprint", lambda: "0" * 8)
    assert results.outdated("tiny/memory") == {0: "brain-lesions has changed"}
    own = lesson / "own.npz"
    own.write_bytes(b"scans")
    monkeypatch.setattr(data, "LOADED", [{"name": str(own)}])
    results.save("tiny/memory", 1, seed=0)
    assert results.about("tiny/memory")["seeds"]["0"]["data"][0]["fingerprint"] != ""
    assert results.missing("tiny/memory", [0]) == [], "a file that is not here cannot be compared"


# ---- quick runs ------------------------------------------------------------------------------------------------------


def test_quick_numbers_are_stored_once_and_then_compared(lesson):
    results.save("tiny/memory", 1, seed=0)
    first = {"auc": 0.8, "curve": [0.5, 0.7], "cell": "LSTM", "nan": np.nan, "done": True}
    assert "are stored" in experiment.quick("tiny/memory", first, tolerance=0.05)
    for same in (first, {**first, "auc": 0.84}, {**first, "curve": [0.46, 0.7]}):
        assert "gives what is stored, within 0.05" in experiment.quick("tiny/memory", same, tolerance=9)
    assert results.load("tiny/memory") == {0: 1}, "seeds stay"
    for other, message in [
        ({**first, "auc": 0.9}, r"the result\['auc'\] is 0.9, stored is 0.8: a difference of 0.1, 0.05 is allowed"),
        ({**first, "curve": [0.5, 0.6]}, r"\['curve'\]\[1\] is 0.6, stored is 0.7"),
        ({**first, "curve": [0.5]}, r"\['curve'\] is \[0.5\], stored is"),
        ({**first, "cell": "GRU"}, r"\['cell'\] is 'GRU', stored is 'LSTM'"),
        ({**first, "nan": 0.5}, r"\['nan'\] is 0.5, stored is nan"),
        ({**first, "auc": np.nan}, r"\['auc'\] is nan"),
        ({**first, "done": False}, r"\['done'\] is False"),
        ({"auc": 0.8}, r"the result is {'auc': 0.8}, stored is"),
        (0.8, "the result is 0.8"),
    ]:
        with pytest.raises(ValueError, match=message):
            experiment.quick("tiny/memory", other, tolerance=9)
    experiment.quick("tiny/memory", True, tolerance=2, save=True)
    with pytest.raises(ValueError, match="is False, stored is True"):
        experiment.quick("tiny/memory", False, tolerance=2)
    experiment.quick("tiny/memory", {"auc": 0.9}, tolerance=0.01, save=True)
    with pytest.raises(ValueError, match="0.01 is allowed"):
        experiment.quick("tiny/memory", {"auc": 0.92}, tolerance=9)


# ---- running ---------------------------------------------------------------------------------------------------------


def test_no_more_runs_than_cores_at_once_and_a_core_comes_back(monkeypatch, tmp_path):
    monkeypatch.setattr(experiment.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    inside, most = [], []

    def run(number):
        with experiment.core():
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.2)
            inside.remove(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(most) == 5 and max(most) == 2
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), experiment.core():
            1 / 0  # noqa: B018


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the library, in which "tiny" is the only lesson."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(Path(results.__file__).parent, folder / "course_lib", ignore=shutil.ignore_patterns("lessons"))
    lesson = folder / "course_lib" / "lessons" / "tiny"
    lesson.mkdir(parents=True)
    (lesson / "experiment.py").write_text(EXPERIMENT)
    return folder


def call(folder, *arguments, **environment):
    clean = {name: value for name, value in os.environ.items() if name not in experiment.THREADS}
    environment = {**clean, "PYTHONPATH": str(folder), **environment}
    command = [sys.executable, "-m", "course_lib.lessons.tiny.experiment", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_an_experiment_can_be_stopped_and_started(copy, monkeypatch):
    monkeypatch.setattr(results, "LESSONS", copy / "course_lib" / "lessons")
    failed = call(copy, "--workers", "2", FAILS="1")
    assert failed.returncode == 1 and failed.stderr.endswith("Not stored: memory, seed 1.\n"), failed.stderr
    assert results.load("tiny/memory") == {n: {"accuracy": 0.5 + n / 10, "quick": False} for n in (0, 2)}
    assert results.load("tiny/gates") == {0: {"open": 0}, 7: {"open": 7}}
    assert results.arrays("tiny/gates", 7)["gate"].tolist() == [7, 7]
    (copy / "log").unlink()
    again = call(copy)
    assert again.returncode == 0 and (copy / "log").read_text() == "1 1\n", "one seed, on one thread"
    row = results.about("tiny/memory")["seeds"]["1"]
    assert row["command"] == "python -m course_lib.lessons.tiny.experiment memory --seeds 1"
    assert results.about("tiny/memory")["note"] == "Share of right answers."
    assert call(copy, "memories").stderr.endswith("no run called memories: choose from memory, gates\n")

    assert "are stored" in call(copy, "memory", "--quick").stdout
    assert "gives what is stored" in call(copy, "memory", "--quick", SHIFT="0.01").stdout
    moved = call(copy, "--quick", SHIFT="0.1")
    assert moved.returncode == 1 and "tiny/memory: the quick run does not give what is stored." in moved.stderr
    assert "are stored" in call(copy, "memory", "--quick", "--save", SHIFT="0.1").stdout
    assert call(copy, "--quick", SHIFT="0.1").returncode == 0


def test_a_seed_is_not_run_twice_at_once(lesson, capsys):
    with results.lock("tiny/memory", "seed-0"):
        experiment._run("tiny/memory", lambda seed: pytest.fail("run"), 0)
    assert "tiny/memory, seed 0: another process is at it." in capsys.readouterr().out
    experiment._run("tiny/memory", lambda seed: seed, 0)
    experiment._run("tiny/memory", lambda seed: pytest.fail("stored already"), 0)
    assert results.load("tiny/memory") == {0: 0}


# ---- what the list of stale files says -------------------------------------------------------------------------------


def fill(lesson):
    for name, seeds in (("memory", range(3)), ("gates", [0, 7])):
        experiment.quick(f"tiny/{name}", 1, tolerance=0)
        for seed in seeds:
            results.save(f"tiny/{name}", 1, seed=seed)


def test_complete_and_fresh_files_are_not_listed(lesson):
    fill(lesson)
    assert stale.stale() == []
    assert stale.document([]).endswith("\nNothing.\n")


def reasons():
    return {entry.path: entry.reason for entry in stale.stale()}


def test_what_is_not_complete_or_not_fresh_is_listed_with_its_reason(lesson, monkeypatch):
    assert reasons() == {
        "tiny/gates": "seeds 0, 7 not stored; no numbers of a quick run",
        "tiny/memory": "seeds 0, 1, 2 not stored; no numbers of a quick run",
    }
    fill(lesson)
    results.save("tiny/old", 1, seed=0)
    results.save("tiny/memory", 1, seed=5)
    assert reasons() == {
        "tiny/memory": "seed 5 not named by RUNS",
        "tiny/old": "RUNS in experiment.py does not name it",
    }
    (lesson / "results" / "old.json").unlink()
    more = EXPERIMENT.replace("range(3)", "[*range(6), 10]")
    (lesson / "experiment.py").write_text(more)
    assert reasons() == {"tiny/memory": "seeds 3, 4, 10 not stored"}, "more seeds make no seed old"
    (lesson / "experiment.py").write_text(
        more.replace("seed / 10", "seed / 11").replace('{"open": seed', '{"open": -seed')
    )
    assert reasons() == {
        "tiny/gates": "its code has changed since seeds 0, 7",
        "tiny/memory": "seeds 3, 4, 10 not stored; its code has changed since seeds 0, 1, 2, 5",
    }
    (lesson / "experiment.py").write_text("SEEDS = range(3)\nRUNS = {'memory': SEEDS}")
    with pytest.raises(ValueError, match="RUNS in .*experiment.py must hold numbers and range.. only: .*SEEDS"):
        stale.stale()


def test_hours_and_command(lesson):
    carry(lesson)
    entries = {entry.path: entry for entry in stale.stale()}
    assert entries["tiny/memory"].reason.startswith("seeds 1, 2 not stored; seed 0 made by the first edition")
    assert entries["tiny/memory"].hours == 3 * 2
    assert entries["tiny/memory"].command == "python -m course_lib.lessons.tiny.experiment memory"
    assert entries["tiny/gates"].hours is None
    results.start_clock()
    results.save("tiny/gates", 1, seed=0)
    file = lesson / "results" / "gates.json"
    file.write_text(file.read_text().replace('"seconds": 0.0', '"seconds": 1800.0'))
    assert {entry.path: entry.hours for entry in stale.stale()}["tiny/gates"] == 0.5
    assert "(0.5 h)\n    python -m course_lib.lessons.tiny.experiment gates" in str(stale.stale()[0])


def test_the_list_is_written_and_keeps_remarks(lesson, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(stale, "ROOT", tmp_path)
    carry(lesson)
    stale.main(["--write"])
    assert "tiny/memory: seeds 1, 2 not stored; seed 0 made by the first edition" in capsys.readouterr().out
    file = tmp_path / "STALE.md"
    entries = stale.written(file.read_text())
    assert entries == {path: (reason, "") for path, reason in reasons().items()}
    file.write_text(re.sub("(?m)^(- .*)$", r"\1 – waits for a run", file.read_text()))
    results.save("tiny/gates", 1, seed=0)
    stale.main(["--write"])
    assert stale.written(file.read_text()) == {
        "tiny/gates": ("seed 7 not stored; no numbers of a quick run", "waits for a run"),
        "tiny/memory": (reasons()["tiny/memory"], "waits for a run"),
    }
    fill(lesson)
    stale.main(["--write"])
    assert stale.written(file.read_text()) == {}


def test_stale_md_lists_what_is_stale():
    """If this fails: run what `course.py stale` says, or `course.py stale --write` and say why behind the reason."""
    listed = {path: reason for path, (reason, _) in stale.written((ROOT / "STALE.md").read_text("utf-8")).items()}
    assert listed == reasons()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_quick_runs_still_give_what_is_stored():
    """A change of the shared library shows here where it matters, and only there."""
    problems = {}
    for script in sorted(results.LESSONS.glob("*/experiment.py")):
        if stale.planned(script):
            command = [sys.executable, "-m", f"course_lib.lessons.{script.parent.name}.experiment", "--quick"]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
            if done.returncode:
                problems[script.parent.name] = done.stderr[-2000:]
    assert not problems


def test_results_stay_small():
    sizes = {
        folder.parent.name: sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        for folder in results.LESSONS.glob("*/results")
    }
    assert not {topic: size for topic, size in sizes.items() if size > 2_000_000}
