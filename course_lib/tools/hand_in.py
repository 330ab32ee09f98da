"""Reads a hand-in of the capstone, and says what a teacher may want to look at.

This is the format, which is said here alone. A hand-in is a notebook: lesson 17 with the student's code and outputs. One of
its code cells carries the tag "hand-in"; the text/plain of that cell's output is one JSON object with these keys:

format       "capstone 1"
made         date and time
data         name, fingerprint, official (whether the test split is the published one), train, val, test (numbers of images),
             looked_for, share_ill (of training), twins (validation images left out, because they are in training, too)
baselines    by name: AUC on validation as [value, low, high]; what is not defined is null, here and below
recipe       hash, seeds, epochs, batch, code (the source of each part by name)
validation   auc as [value, low, high], train_auc, thresholds, parameters, seconds, attempts (how many are on the board)
ablations    by name: gain (of the recipe over the recipe without this part) as [value, low, high], detectable, seeds,
             only_recipe_right, only_other_right (numbers of validation images)
openings     all openings of this test: opening, date, reason, recipe (hash), attempts (on the board by then), numbers
claims       by criterion of RUBRIC: what the student argues

docs/handins/ holds a weak one and a good one.
"""

import json
from pathlib import Path

from IPython.display import display

FORMAT, TAG = "capstone 1", "hand-in"
RUBRIC = {"data audit": 20, "baselines": 15, "ablation": 25, "test discipline": 15, "card": 25}
"""Points by criterion; docs/teaching.md says for what."""

WORDS = 40
"""A claim of fewer words is remarked upon: that is hardly an argument."""


def read(path: str | Path) -> dict:
    """The card in a hand-in: a notebook's path. Raises ValueError with a sentence where there is none, or several."""
    notebook = json.loads(Path(path).read_text(encoding="utf-8"))
    found = []
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []) if TAG in cell["metadata"].get("tags", []) else []:
            text = "".join(output.get("data", {}).get("text/plain", ""))
            if text.startswith("{"):
                found.append(json.loads(text))
    if len(found) != 1 or found[0].get("format") != FORMAT:
        raise ValueError(
            f"{Path(path).name} holds {len(found)} cards of the format {FORMAT!r}; one is needed. It stands in the output of "
            f"the cell with the tag {TAG!r}: run the notebook to its end, and save it."
        )
    return found[0]


def remarks(card: dict) -> dict[str, list[str]]:
    """What a teacher may want to look at, by criterion of RUBRIC. No points: those are the teacher's."""
    found: dict[str, list[str]] = {name: [] for name in RUBRIC}
    for name, text in card["claims"].items():
        if len(text.split()) < WORDS:
            found[name].append(f"The text has {len(text.split())} words.")
    if "train" not in card["data"]:
        found["data audit"].append("No images were used: these are the stored scores.")
    for name, (_, _, high) in card["baselines"].items():
        if high >= card["validation"]["auc"][0]:
            found["baselines"].append(f"The recipe's AUC lies within the interval of “{name}”.")
    missing = 3 - len(card["ablations"])
    found["ablation"] += [f"{missing} of three ablations are missing."] * (missing > 0)
    for name, row in card["ablations"].items():
        if row["seeds"] < 3:
            found["ablation"].append(f"“{name}” rests on {row['seeds']} seed.")
        if row["gain"][1] <= 0 <= row["gain"][2]:
            found["ablation"].append(f"“{name}”: no difference shown; one of {row['detectable']:.3f} would have been.")
    openings = card["openings"]
    if len(openings) != 1:
        found["test discipline"].append(f"The test was opened {len(openings)} times.")
    for row in openings:
        if row["recipe"] != card["recipe"]["hash"]:
            found["test discipline"].append(f"Opening {row['opening']} is of another recipe ({row['recipe']}).")
        if row["attempts"] < card["validation"]["attempts"]:
            found["test discipline"].append(f"After opening {row['opening']} there were further attempts.")
    if card["validation"]["attempts"] < 2:
        found["card"].append("There is no second attempt on the board.")
    return found


def show(card: dict) -> None:
    """Display a card as a table: what the machine measured, then what the student argues."""
    about, opened = card["data"], [row for row in card["openings"] if "numbers" in row]
    rows = [
        ("Data", f"{about['name']}; looked for: {about['looked_for']}; {about['twins']} twins left out of validation")
    ]
    if "train" in about:
        test = "the official test split" if about["official"] else "NOT an official test split: no result to compare"
        rows += [("Images", f"{about['train']} training, {about['val']} validation, {about['test']} test ({test})")]
    rows += [(f"Baseline: {name}", f"validation AUC {_range(value)}") for name, value in card["baselines"].items()]
    found = card["validation"]
    rows += [
        ("Recipe", f"{card['recipe']['hash']}; {found['parameters']:,} parameters; {found['seconds']:.0f} s a seed")
    ]
    rows += [
        ("Validation", f"AUC {_range(found['auc'])}, {card['recipe']['seeds']} seed(s); {found['attempts']} attempts")
    ]
    for name, row in card["ablations"].items():
        rows += [
            (
                f"Without: {name}",
                f"the recipe gains {_range(row['gain'], '+')} in AUC; detectable {row['detectable']:.3f}",
            )
        ]
    if opened:
        first = opened[0]["numbers"]
        rows += [("Test, first opening", f"AUC {_range(first['auc'])}, accuracy {_range(first['accuracy'])}")]
        rows += [("… at the frozen threshold", f"{first['threshold']:.2f}: sensitivity {_range(first['sensitivity'])}, specificity {_range(first['specificity'])}")]  # fmt: skip
        rows += [(f"… PPV where {share} are ill", _range(value)) for share, value in first["ppv"].items()]
    rows += [("Openings of the test", str(len(card["openings"])) + ("" if opened else ": sealed"))]
    rows += [(f"*{name}*", text.strip().replace("\n", " ") or "…") for name, text in card["claims"].items()]
    text = "\n".join(["| | |", "|---|---|", *(f"| {left} | {right.replace('|', '/')} |" for left, right in rows)])
    display({"text/markdown": text, "text/plain": text}, raw=True)


def _range(values, sign=""):
    value, low, high = ("not defined" if number is None else f"{number:{sign}.3f}" for number in values)
    return f"{value} ({low} to {high})"
