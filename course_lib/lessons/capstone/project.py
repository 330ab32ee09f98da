"""What a project keeps in work/capstone/: attempts, openings of the test, hand-ins. Nothing there is ever overwritten.

board.jsonl, openings.jsonl      one JSON object a line, only ever added to
attempt-001.npz, opening-001.npz the scores, so that any two can be compared on the same patients
hand-in-001.json                 a copy of each hand-in

The format of a hand-in is said in `course_lib.tools.hand_in`, which reads it.
"""

import contextlib
import datetime
import hashlib
import inspect
import json
from pathlib import Path

import numpy as np
from filelock import FileLock
from IPython.display import display

from course_lib import data, evaluate, work_folder
from course_lib.lessons.capstone import model as lesson
from course_lib.tools.hand_in import FORMAT, RUBRIC


def folder() -> Path:
    """Where the project keeps its files."""
    return work_folder() / "capstone"


# ---- Files that only grow --------------------------------------------------------------------------------------------


def _lines(file):
    """The text lines of a file in the project's folder that are not empty; none if there is no such file."""
    path = folder() / file
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()] if path.exists() else []


def _rows(file) -> list[dict]:
    """What the lines of the file hold; a line that cannot be read is left out here, and stays in the file."""
    rows = []
    for line in _lines(file):
        with contextlib.suppress(ValueError):
            rows.append(json.loads(line))
    if damaged := len(_lines(file)) - len(rows):
        print(f"({damaged} of the lines in {file} cannot be read. They stay where they are, and do not count here.)")
    return rows


def _append(file, row):
    path = folder() / file
    with path.open("a+", encoding="utf-8") as stream:
        stream.seek(0)
        text = stream.read()
        stream.write("\n" * (bool(text) and not text.endswith("\n")) + json.dumps(row, ensure_ascii=False) + "\n")


def _locked():
    folder().mkdir(parents=True, exist_ok=True)
    return FileLock(folder() / ".lock", timeout=10)


def _free(name, ending) -> Path:
    """The first of name-001.ending, name-002.ending, … that is not there."""
    number = 1
    while (path := folder() / f"{name}-{number:03}.{ending}").exists():
        number += 1
    return path


def _save_scores(path, **arrays):
    with path.open("xb") as stream:  # x: an error where it exists
        np.savez_compressed(stream, **arrays)
    return path.name


def _now():
    return datetime.datetime.now().isoformat(sep=" ", timespec="seconds")


def _three(estimate):
    return [None if np.isnan(v) else round(float(v), 4) for v in (estimate.value, estimate.low, estimate.high)]


# ---- Recipe and board ------------------------------------------------------------------------------------------------


def recipe(*parts, seeds, epochs, batch) -> dict:
    """What was done, to be written down: the source of each part (a function), the settings, and a hash of all that.

    Raises Problem for a part without source, such as one that was not defined in a cell.
    """
    code = {}
    for part in parts:
        try:
            code[part.__name__] = inspect.getsource(part)
        except (OSError, TypeError):
            raise lesson.Problem(
                f"The source of {part!r:.60} cannot be read. Define it in a cell of this notebook."
            ) from None
    row = {"seeds": seeds, "epochs": epochs, "batch": batch, "code": code}
    return {"hash": hashlib.sha256(json.dumps(row).encode()).hexdigest()[:8], **row}


def enter(dataset, attempt, recipe, *, note) -> None:
    """Write an attempt on the board, with its scores; say so where the same recipe on the same data stands there already.

    dataset: None for a stored attempt, which is not yours and is not written down.
    """
    if dataset is None:
        print("The stored scores of the article's network are no attempt of yours: nothing is written on the board.")
        return
    about = {"data": dataset.name, "validation": _digest(attempt), "recipe": recipe["hash"]}
    try:
        with _locked():
            rows = _rows("board.jsonl")
            for row in rows:
                if about.items() <= row.items():
                    print(f"This recipe on these images is attempt {row['attempt']} already: not written again.")
                    return
            scores = _save_scores(_free("attempt", "npz"), truth=attempt.truth, scores=np.float32(attempt.scores))
            row = {"attempt": len(_lines("board.jsonl")) + 1, "date": _now(), "note": note, **about, "scores": scores}
            row |= {"auc": _three(lesson.area(attempt)), "accuracy": lesson.accuracy(attempt.truth, attempt.called.T)}
            row |= {"train_auc": np.round(attempt.train_auc, 4).tolist(), "settings": recipe}
            row |= {"parameters": attempt.parameters, "seconds": round(attempt.seconds, 1)}
            _append("board.jsonl", row)
    except OSError as error:
        print(f"(The board in {folder()} could not be written: {error}. The notebook goes on.)")
        return
    print(f"Attempt {row['attempt']} is on the board.")


def board(dataset) -> list[dict]:
    """All attempts on this dataset, oldest first, each with its `gain` over the first one on the same images."""
    rows = [row for row in _rows("board.jsonl") if dataset is not None and row["data"] == dataset.name]
    for row in rows:
        first = next(other for other in rows if other["validation"] == row["validation"])
        row["gain"] = lesson.gain(*map(_scored, (first, row))) if row is not first else None
    return rows


def show_board(dataset) -> None:
    """Display the board as a table."""
    rows = board(dataset)
    if not rows:
        print("The board is empty: there is no attempt of yours on these images yet.")
        return
    lines = [f"**Your board: validation images of {lesson.describe(dataset)}**\n"]
    lines += [
        "| | date | note | seeds | AUC (95 %) | gain over the first (95 %) | accuracy | parameters | s a seed |",
        "|---|" * 1 + "---|" * 8,
    ]
    for row in rows:
        value, low, high = row["auc"]
        gain = f"{row['gain'].value:+.3f} ({row['gain'].low:+.3f} to {row['gain'].high:+.3f})" if row["gain"] else ""
        lines.append(
            f"| {row['attempt']} | {row['date']} | {row['note'].replace('|', '/')} | {row['settings']['seeds']} | "
            f"{value:.3f} ({low:.3f} to {high:.3f}) | {gain} | {row['accuracy']:.3f} | {row['parameters']:,} | "
            f"{row['seconds']:.0f} |"
        )
    _display("\n".join(lines))


def _scored(row):
    """A row of the board as an Attempt that can be compared: truth and scores."""
    with np.load(folder() / row["scores"], allow_pickle=False) as file:
        truth, scores = file["truth"], file["scores"].astype(float)
    return lesson.Attempt(truth, None, scores, np.full(len(scores), 0.5), (), 0, 0.0, np.zeros(len(scores)))


def _digest(attempt):
    """What tells one set of validation images from another: number, and order of ill and healthy."""
    return f"{len(attempt.truth)}, {hashlib.sha256(np.packbits(attempt.truth).tobytes()).hexdigest()[:8]}"


# ---- The sealed test -------------------------------------------------------------------------------------------------


class Seal:
    """Holds the test images. They can be scored by `open` alone, which writes down that it was called."""

    def __init__(self, dataset, ill):
        """dataset: a Dataset with its test split, or None where there are no images. ill: the class to look for."""
        self.dataset, self.ill = dataset, ill

    def openings(self) -> list[dict]:
        """All openings of this test on this machine, oldest first, with their numbers where they were reached."""
        name = None if self.dataset is None else self.dataset.name
        found = {row["opening"]: row for row in _rows("openings.jsonl") if row["data"] == name and "date" in row}
        for row in _rows("openings.jsonl"):
            if "numbers" in row and row["opening"] in found:
                found[row["opening"]]["numbers"] = row["numbers"]
        return list(found.values())

    def open(self, attempt, recipe, *, reason) -> dict | None:
        """Score the test images once. Writes date, recipe and reason *before*, and the numbers after. Returns the opening.

        reason: why now. Without one nothing is opened, and None is returned. AUC: a mean over the seeds; all else is
        about the network of seed 0 at its frozen threshold, because one network would be used. Raises Problem where
        there are no trained networks, OSError where the opening cannot be written down: then nothing is opened.
        """
        if not reason.strip():
            print(
                f"The test is sealed. It has been opened {len(self.openings())} times so far. To open it, write your reason "
                "between the quotation marks and run this cell again."
            )
            return None
        if self.dataset is None or not attempt.models:
            raise lesson.Problem(
                "There is nothing to open: the test needs images, and networks that were trained on them."
            )
        with _locked():
            number = max((row["opening"] for row in _rows("openings.jsonl")), default=0) + 1
            opening = {"opening": number, "date": _now(), "data": self.dataset.name, "reason": reason}
            opening |= {"recipe": recipe["hash"], "code": recipe["code"], "attempts": len(board(self.dataset))}
            _append("openings.jsonl", opening)
        test = self.dataset.test
        truth = test.targets["label"] == self.ill
        scores = np.stack([lesson.score(model, test.x) for model in attempt.models])
        tested = attempt._replace(truth=truth, groups=test.groups, scores=scores)
        called = tested.called[0]
        found, spared = evaluate.sensitivity_specificity(truth, called, groups=test.groups)
        numbers = {"images": len(truth), "ill": int(truth.sum()), "auc": _three(lesson.area(tested))}
        numbers |= {"threshold": round(float(attempt.thresholds[0]), 4)}
        numbers |= {"accuracy": _three(evaluate.share(called == truth, groups=test.groups))}
        numbers |= {"sensitivity": _three(found), "specificity": _three(spared)}
        numbers |= {"ppv": {f"{share:.0%}": _three(ppv(found, spared, share)) for share in (0.5, 0.1, 0.01)}}
        with _locked():
            file = _save_scores(_free("opening", "npz"), truth=truth, scores=np.float32(scores), called=tested.called)
            _append(
                "openings.jsonl", {"opening": number, "data": self.dataset.name, "numbers": numbers, "scores": file}
            )
        times = len(self.openings())
        print(f"Opened, and written down: this test has now been opened {times} time{'s' if times > 1 else ''}.")
        if times > 1:
            print("A number after the first opening is no longer a test: you knew the earlier one. Report all of them.")
        return opening | {"numbers": numbers}


def ppv(found, spared, prevalence) -> evaluate.Estimate:
    """The positive predictive value at this prevalence, from estimates of sensitivity and specificity.

    Its limits take the lower limits of both, and the upper limits of both: rather too wide than too narrow.
    """
    value, low, high = (
        evaluate.predictive_values(getattr(found, name), getattr(spared, name), prevalence)[0]
        for name in ("value", "low", "high")
    )
    return found._replace(
        value=float(value), low=float(low), high=float(high), unit="ill and healthy", n=found.n + spared.n
    )


# ---- Card and hand-in ------------------------------------------------------------------------------------------------


def card(dataset, ill, *, twins, baselines, attempt, recipe, ablations, seal, claims) -> dict:
    """All that is handed in, in the format that this module describes; `claims` is the student's, all else is filled in.

    twins: number of validation images that were left out. baselines: scores by name. ablations: by name of the part the gain over
    the recipe without it, and the pair (only the recipe right, only the other right). Raises Problem where `claims` are not those
    of RUBRIC.
    """
    if claims.keys() != RUBRIC.keys():
        raise lesson.Problem(f"claims must have a text for each of: {', '.join(RUBRIC)}; it has: {', '.join(claims)}.")
    about = {"name": "stored scores of a development file", "looked_for": "pneumonia", "twins": twins}
    if dataset is not None:
        share = float(np.mean(dataset.train.targets["label"] == ill))
        about |= {"name": dataset.name, "official": lesson.is_official(dataset), "looked_for": dataset.class_names[ill]}
        about |= {
            "train": len(dataset.train),
            "val": len(dataset.val),
            "test": len(seal.dataset.test),
            "share_ill": share,
        }
        about |= {"fingerprint": data.fingerprint(data.LOADED[-1]["name"])}
    validation = {"auc": _three(lesson.area(attempt)), "train_auc": np.round(attempt.train_auc, 4).tolist()}
    validation |= {"thresholds": np.round(attempt.thresholds, 4).tolist(), "parameters": attempt.parameters}
    validation |= {"seconds": round(attempt.seconds, 1), "attempts": len(board(dataset))}
    rows = {}
    for name, (gain, (only_recipe, only_other)) in ablations.items():
        rows[name] = {"gain": _three(gain), "detectable": round(gain.detectable(), 4), "seeds": len(attempt.scores)}
        rows[name] |= {"only_recipe_right": int(only_recipe), "only_other_right": int(only_other)}
    areas = {
        name: _three(evaluate.area_under_curve(attempt.truth, s, groups=attempt.groups))
        for name, s in baselines.items()
    }
    return {
        "format": FORMAT,
        "made": _now(),
        "data": about,
        "baselines": areas,
        "recipe": recipe,
        "validation": validation,
        "ablations": rows,
        "openings": [{key: row[key] for key in row if key != "code"} for row in seal.openings()],
        "claims": claims,
    }


def hand_in(card) -> None:
    """Show the card as the JSON text that a teacher's tools read, and keep a copy in the project's folder."""
    text = json.dumps(card, indent=1, ensure_ascii=False)
    try:
        with _locked(), (path := _free("hand-in", "json")).open("x", encoding="utf-8") as stream:
            stream.write(text + "\n")
        print(f"Kept as {path.name} in the project's folder. Save this notebook, and hand it in.")
    except OSError as error:
        print(f"(No copy could be kept in {folder()}: {error}. Save this notebook, and hand it in.)")
    fold = f"<details><summary>The hand-in as JSON</summary>\n\n```json\n{text}\n```\n\n</details>"
    display({"text/plain": text, "text/markdown": fold}, raw=True)


def _display(text):
    display({"text/markdown": text, "text/plain": text}, raw=True)
