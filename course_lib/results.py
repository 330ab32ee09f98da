"""The only door to stored runs, and the ledger behind it: each seed says how it was made.

    results.load("rnn_lstm_gru/memory")                         what is stored, by seed
    results.arrays("rnn_lstm_gru/memory", 3), .weights(…, 3)    what else seed 3 left

"rnn_lstm_gru/memory" is course_lib/lessons/rnn_lstm_gru/results/memory.json, with memory.3.npz and memory.3.weights.npz
beside it. The lesson's experiment.py writes them (course_lib.tools.experiment).
"""

import json
import math
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import time
import zlib
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np
from filelock import FileLock

from course_lib import data
from course_lib.data.base import syntax_hash

LESSONS = Path(__file__).resolve().parent / "lessons"
_started = time.perf_counter()  # of the run that `save` stores next


def load(path: str) -> dict:
    """What is stored as "topic/name": the payload of each seed, {0: …, 1: …}.

    Raises ValueError if `path` has another form, FileNotFoundError with the command that makes what is missing.
    """
    return {int(seed): row["payload"] for seed, row in about(path)["seeds"].items()}


def arrays(path: str, seed: int) -> dict[str, np.ndarray]:
    """The arrays that this seed stored, by name. Raises as `load` does."""
    with np.load(_existing(path, seed, "npz"), allow_pickle=False) as file:
        return dict(file)


def weights(path: str, seed: int, *, network: str = "") -> list[np.ndarray]:
    """The weights that this seed stored, for `model.set_weights`; `network` names one where there are several.

    Raises as `load` does, and ValueError for an unknown network.
    """
    with np.load(_existing(path, seed, "weights.npz"), allow_pickle=False) as file:
        stored = dict(file)
    if found := sorted(name for name in stored if name.rpartition("/")[0] == network):
        return [stored[name] for name in found]
    raise ValueError(f"{path} holds no network called {network!r}, only {', '.join(sorted(stored))}.")


def about(path: str) -> dict:
    """All that a file holds: "note", and under "seeds" how each was made and its payload. Raises as `load` does."""
    return json.loads(_existing(path, None, "json").read_text(encoding="utf-8"))


def folder(path: str) -> Path:
    """Where a lesson keeps files that are no runs and have a form of their own, such as a release; not made by this."""
    return _file(path).with_suffix("")


def is_stored(path: str) -> bool:
    """Whether anything is stored under this name."""
    return _file(path).is_file()


def command(topic: str, *arguments) -> str:
    """The command that runs a lesson's experiment."""
    return shlex.join(["python", "-m", f"course_lib.lessons.{topic}.experiment", *map(str, arguments)])


def outdated(path: str) -> dict[int, str]:
    """Why a stored seed would not come out as it is, by seed: the lesson's code or the data are others now."""
    code, reasons = code_hash(path), {}
    for seed, row in about(path)["seeds"].items():
        if not row["code"]:
            reasons[int(seed)] = "made by the first edition, which did not keep its code"
            continue
        changed = [d["name"] for d in row["data"] if data.fingerprint(d["name"]) not in ("", d["fingerprint"])]
        if row["code"] != code or changed:
            reasons[int(seed)] = f"{', '.join(changed) if row['code'] == code else 'its code'} has changed"
    return reasons


def missing(path: str, seeds) -> list[int]:
    """Those of `seeds` that are still to run: not stored, or stored by other code or from other data."""
    done = load(path).keys() - outdated(path).keys() if is_stored(path) else ()
    return [seed for seed in seeds if seed not in done]


def code_hash(path: str) -> str:
    """Of what the run's function needs of the lesson's own experiment.py and model.py; comments and docstrings do not count.

    The function has the name of the run. A run without one depends on both files as a whole.
    """
    topic, run = _split(path)
    files = [file for file in (LESSONS / topic / "experiment.py", LESSONS / topic / "model.py") if file.is_file()]
    own = any(f"\ndef {run}(" in file.read_text(encoding="utf-8") for file in files)
    return syntax_hash(*files, of=run if own else "")


def start_clock() -> None:
    """The run that `save` stores next begins now."""
    global _started
    _started = time.perf_counter()


def save(path: str, payload, *, seed: int, note: str = "", arrays: dict | None = None, weights=None) -> None:
    """Store what one seed gave: `payload`, anything JSON can hold; arrays by name; a model's weights, or models' by name.

    Kept with it are the command, the seconds since the last `save` or `core` of this process (or its start), the commit
    (with "+changes" where Python files differ from it), versions, the data that this process has loaded with their
    fingerprints, and the hash of the lesson's code. Fractions keep four decimals, small ones four digits. What builds a
    model and is no weight, such as the mean and variance of `small_cnn`, belongs into the arrays. Other seeds stay, and
    two processes may save at once. Raises ValueError for arrays of Python objects.
    """
    topic, _ = _split(path)
    networks = weights if isinstance(weights, dict) else {} if weights is None else {"": weights}
    tensors = {f"{n}/w{i:03}".lstrip("/"): w for n, net in networks.items() for i, w in enumerate(net.get_weights())}
    arrays = {name: np.asarray(array) for name, array in (arrays or {}).items()}
    if objects := [name for name, array in arrays.items() if array.dtype.hasobject]:
        raise ValueError(f"The arrays {', '.join(objects)} hold Python objects, not numbers: they cannot be stored.")
    given = [Path(argument).name if Path(argument).is_absolute() else argument for argument in sys.argv[1:]]
    loaded = [{**d, "name": Path(d["name"]).name, "fingerprint": data.fingerprint(d["name"])} for d in data.LOADED]
    row = {
        "command": command(topic, *given),
        "seconds": round(time.perf_counter() - _started, 1),
        "commit": _commit(),
        "versions": {"python": platform.python_version(), **{n: version(n) for n in ("numpy", "tensorflow", "keras")}},
        "data": loaded,
        "code": code_hash(path),
        "payload": payload,
    }
    with changed(path) as document:
        for kind, content in (("npz", arrays), ("weights.npz", tensors)):
            file = _file(path, seed, kind)
            if content:
                _replace(file, lambda part, content=content: np.savez_compressed(part, **content))
            else:
                file.unlink(missing_ok=True)
        rows = {**document["seeds"], str(seed): plain(row)}
        document["seeds"] = dict(sorted(rows.items(), key=lambda item: int(item[0])))
        document["note"] = note or document["note"]
    start_clock()


def lock(path: str, what: str = "file", timeout: float = -1) -> FileLock:
    """A lock of this machine for what is stored as `path`, not yet taken; -1 waits for it without end."""
    name = f"course-{what}-{zlib.crc32(str(_file(path)).encode()):08x}.lock"
    return FileLock(Path(tempfile.gettempdir(), name), timeout)


@contextmanager
def changed(path: str):
    """The file's content, to be changed; written as a whole at the end. Nobody else writes meanwhile."""
    file = _file(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    with lock(path):
        document = about(path) if is_stored(path) else {"note": "", "seeds": {}}
        yield document
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        _replace(file, lambda part: part.write(text.encode()))


def _replace(file: Path, write) -> None:
    part = file.with_name(file.name + ".part")
    with part.open("wb") as stream:
        write(stream)
    os.replace(part, file)


def _split(path: str) -> tuple[str, str]:
    topic, _, name = path.partition("/")
    if not re.fullmatch(r"\w+/[\w-]+", path) or not (LESSONS / topic).is_dir():
        known = ", ".join(sorted(folder.name for folder in LESSONS.glob("[a-z]*")))
        raise ValueError(f"{path!r} names no stored runs: give 'topic/name', where topic is one of: {known}.")
    return topic, name


def _file(path: str, seed: int | None = None, kind: str = "json") -> Path:
    topic, name = _split(path)
    return LESSONS / topic / "results" / (f"{name}.{kind}" if seed is None else f"{name}.{seed}.{kind}")


def _existing(path: str, seed: int | None, kind: str) -> Path:
    file = _file(path, seed, kind)
    if not file.is_file():
        run = command(*_split(path), *(() if seed is None else ("--seeds", seed)))
        raise FileNotFoundError(f"There is no {file.name} in {file.parent}. This makes what is missing: {run}")
    return file


def plain(value):
    """The value as JSON holds it: lists for arrays and tuples, numbers of Python, rounded."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float) and value and math.isfinite(value):
        return round(value, max(4, 3 - math.floor(math.log10(abs(value)))))
    return value


def _commit() -> str:
    """The commit that is checked out, "+changes" behind it where Python files differ from it; "" outside git."""

    def git(*words):
        return subprocess.run(["git", *words], cwd=LESSONS.parent, capture_output=True, text=True, check=True).stdout

    try:
        return git("rev-parse", "HEAD").strip() + ("+changes" if git("status", "--porcelain", "--", "*.py") else "")
    except (OSError, subprocess.CalledProcessError):  # git is not installed, or this is no checkout
        return ""
