"""Which stored runs are incomplete or no longer fresh, why, and what to run: `python -m course_lib.tools.stale [--write]`.

Complete: every seed that RUNS in the lesson's experiment.py names is stored, and numbers of its quick run. Fresh: made by
the lesson's present code, from data that are generated as now. What is neither is named in STALE.md with the reason, which
--write brings up to date; what was written there behind a reason, after " – ", stays.
"""

import argparse
import ast
import re
from dataclasses import dataclass
from pathlib import Path

from course_lib import ROOT, results

HEAD = """# Stored runs that are not what today's code would give

Made by `course.py stale --write`, which keeps what is written behind a reason. A test compares this list with the files.

"""


@dataclass(frozen=True)
class Stale:
    """One file of results that is not complete and fresh; `hours` to run what is missing, None where nobody knows."""

    path: str
    reason: str
    hours: float | None
    command: str

    def __str__(self):
        hours = "hours unknown" if self.hours is None else f"{self.hours:.1f} h"
        return f"{self.path}: {self.reason} ({hours})\n    {self.command}"


def stale() -> list[Stale]:
    """All files of all lessons that are not complete and fresh, in the order of their names."""
    found = []
    for folder in sorted(path for path in results.LESSONS.glob("[a-z]*") if path.is_dir()):
        runs = planned(folder / "experiment.py")
        stored = {file.stem for file in folder.glob("results/*.json")}
        for name in sorted(stored | runs.keys()):
            if problem := _problem(f"{folder.name}/{name}", name in stored, runs.get(name)):
                found.append(problem)
    return found


def planned(script: Path) -> dict[str, list[int]]:
    """The seeds that a script's RUNS names, by file: read from its text, so that neither Keras nor data are loaded."""
    for node in ast.parse(script.read_text(encoding="utf-8")).body if script.is_file() else []:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["RUNS"]:
            try:
                runs = eval(ast.unparse(node.value), {"__builtins__": {}, "range": range})
            except NameError as error:
                raise ValueError(f"RUNS in {script} must hold numbers and range() only: {error}.") from None
            return {name: list(seeds) for name, seeds in runs.items()}
    return {}


def _problem(path: str, is_stored: bool, seeds: list[int] | None) -> Stale | None:
    command = results.command(*path.split("/"))
    if seeds is None:
        return Stale(path, "RUNS in experiment.py does not name it", None, command)
    document = results.about(path) if is_stored else {"seeds": {}}
    rows, old = document["seeds"], results.outdated(path) if is_stored else {}
    absent, unnamed = set(seeds) - set(map(int, rows)), set(map(int, rows)) - set(seeds)
    reasons = [f"{_list(absent)} not stored"] if absent else []
    for reason in sorted(set(old.values())):
        seeds_of = _list(seed for seed in old if old[seed] == reason)
        reasons.append(f"{seeds_of} {reason}" if reason.startswith("made") else f"{reason} since {seeds_of}")
    if unnamed:
        reasons.append(f"{_list(unnamed)} not named by RUNS")
    if "quick" not in document:
        reasons.append("no numbers of a quick run")
    seconds = [row["seconds"] for row in rows.values()]
    hours = len({*absent, *old}) * sum(seconds) / len(seconds) / 3600 if seconds else None
    return Stale(path, "; ".join(reasons), hours, command) if reasons else None


def _list(seeds) -> str:
    seeds = sorted(seeds)
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def written(text: str) -> dict[str, tuple[str, str]]:
    """The reason and what is written behind it, by file, of STALE.md."""
    found = re.findall(r"(?m)^- `(.+?)`: (.*?)(?: – (.*))?$", text)
    return {path: (reason, remark) for path, reason, remark in found}


def document(found: list[Stale], old: str = "") -> str:
    """STALE.md for what was found; remarks of the old text stay as long as the file is stale."""
    entries, lines = written(old), []
    for entry in found:
        _, remark = entries.get(entry.path, ("", ""))
        lines.append(f"- `{entry.path}`: {entry.reason}{f' – {remark}' if remark else ''}\n")
    return HEAD + ("".join(lines) or "Nothing.\n")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="course.py stale", description="Which stored runs have to be made again.")
    parser.add_argument("--write", action="store_true", help="bring STALE.md up to date")
    options = parser.parse_args(arguments)
    found = stale()
    print(*found or ["All stored runs are complete and fresh."], sep="\n")
    if known := [entry.hours for entry in found if entry.hours is not None]:
        print(f"{len(found)} files, about {sum(known):.1f} hours as they were measured.")
    file = ROOT / "STALE.md"
    if options.write:
        file.write_text(document(found, file.read_text(encoding="utf-8") if file.is_file() else ""), encoding="utf-8")


if __name__ == "__main__":
    main()
