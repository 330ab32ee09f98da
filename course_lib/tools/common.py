"""What the experiments share: one way to write results, so that each says how it was made."""

import json
import os
import platform
import shlex
import sys
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LESSONS = ROOT / "course_lib" / "lessons"
PACKAGES = ("numpy", "scipy", "scikit-learn", "scikit-image", "nilearn", "tensorflow", "keras")
_START = time.perf_counter()


def save(path: str, results, *, seeds: list[int], note: str) -> None:
    """Write `results` (anything JSON can hold) to the results of a lesson, path `<topic>/<file>`, with seeds, versions, command and seconds.

    Fractions are rounded to four digits, more than the seeds agree on. The file is replaced as a whole, so that a
    run that is interrupted leaves the old one.
    """
    script, *arguments = sys.argv
    document = {
        "command": shlex.join(["python", Path(script).resolve().relative_to(ROOT).as_posix(), *arguments]),
        "seeds": seeds,
        "note": note,
        "seconds": round(time.perf_counter() - _START),
        "processors": os.cpu_count(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "results": _rounded(results),
    }
    topic, name = path.split("/")
    target = LESSONS / topic / "results" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    part.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(part, target)
    print(f"Written to {target.relative_to(ROOT)} after {document['seconds']} s.")


def _rounded(value):
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    if hasattr(value, "item"):  # a NumPy number
        value = value.item()
    return round(value, 4) if isinstance(value, float) else value
