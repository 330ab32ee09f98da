"""Sentences that stand in one place with the condition they rest on.

    claim("Most of these masses are found.", area.low > 0.9)                                        # a live result
    claim("Augmentation helped.", lambda runs: gain(runs).low > 0, runs, refuted_by=exchange("with", "without"))

A reader sees the sentence with ✔; where its condition does not hold, "✘ does not hold on this run" before it, and the
notebook goes on, because another processor or a changed seed must not stop Run All. Where COURSE_TESTING is set, as
in the course's tests, the same raises AssertionError. What rests on stored runs always holds on them, so that it must
also name what would refute it: the tests change the runs in this way, and the condition then has to fail.
"""

import copy
import itertools
import os
import sys

import numpy as np

HOLDS = "✔"
FAILS = "✘ does not hold on this run:"


def claim(sentence: str, condition, runs=None, *, refuted_by=None) -> None:
    """Display a sentence (Markdown) as a paragraph with its mark. The arguments are those of `said`."""
    _display(said(sentence, condition, runs, refuted_by=refuted_by))


def said(sentence: str, condition, runs=None, *, refuted_by=None) -> str:
    """Check a sentence and return it with its mark: for a caption, or as a part of `found` and `summary`.

    condition: True or False for a live result. For stored runs a function of them that returns True or False.
    runs: the stored runs: what `results.load` gave, a dictionary made of that, or an estimate computed from it.
    refuted_by: a function that gets a copy of the runs and returns them as they would be if the sentence were false;
        `exchange` and `moved` make the usual ones.

    A condition that raises, or gives anything but one True or False, counts as one that does not hold. Then, and where
    the condition still holds on refuted runs, AssertionError is raised if the environment variable COURSE_TESTING is
    set. Raises TypeError, everywhere, if of function, runs and refuted_by only some are given.
    """
    if len({callable(condition), runs is not None, refuted_by is not None}) > 1:
        raise TypeError(
            f"The claim “{sentence}” needs either True or False as its condition (for a live result), or all three "
            "of: a function of the stored runs, these runs, and `refuted_by`."
        )
    testing = bool(os.environ.get("COURSE_TESTING"))
    answer, problem = _ask(condition, runs)
    if not answer:
        text = f"{FAILS} {sentence}{problem and f' ({problem})'}"
        if testing:
            raise AssertionError(text)
        return text
    if testing and refuted_by is not None:
        still, problem = _ask(lambda runs: condition(refuted_by(copy.deepcopy(runs))), runs)
        if problem:
            raise AssertionError(f"What would refute “{sentence}” could not be tried: {problem}")
        if still:
            raise AssertionError(f"“{sentence}” holds on runs that `refuted_by` has changed too: it cannot fail.")
    return f"{HOLDS} {sentence}"


def found(*rows: tuple[str, str]) -> None:
    """Display the table "What the article says, and what we found".

    rows: pairs of what the article says and what we found. The second is given by `said`, or cites its source.
    Raises ValueError for the character |, which ends a cell, also inside a formula: the whole table would fall apart.
    """
    if "|" in (text := "".join(itertools.chain(*rows))):
        raise ValueError(f"A table cannot hold the character |: write \\lvert x \\rvert in formulas. Here: {text}")
    cells = [("The article says", "We found"), ("---", "---"), *rows]
    _display("\n".join(f"| {_one_line(left)} | {_one_line(right)} |" for left, right in cells))


def summary(*lines: str) -> None:
    """Display the lines of a summary as a list. Each is given by `said`, or cites its source."""
    _display("\n".join(f"- {_one_line(line)}" for line in lines))


def exchange(first, second):
    """For `refuted_by`: `runs[first]` and `runs[second]` change places. A comparison of the two must then fail."""

    def change(runs):
        runs[first], runs[second] = copy.copy(runs[second]), copy.copy(runs[first])  # rows of an array are views
        return runs

    return change


def moved(by: float, *keys):
    """For `refuted_by`: add `by` to the runs, or to `runs[key]` of each key.

    What is moved is a number, numbers in a list or an array, or an estimate with its `low`, `value` and `high`. Move a
    level just past its bound, and a "no difference" by the smallest difference that would matter: more proves less.
    """

    def move(value):
        if hasattr(value, "_replace"):
            return value._replace(**{name: getattr(value, name) + by for name in ("low", "value", "high")})
        return np.asarray(value) + by

    def change(runs):
        if not keys:
            return move(runs)
        for key in keys:
            runs[key] = move(runs[key])
        return runs

    return change


def _ask(condition, runs):
    """(whether the condition holds, a sentence if that cannot be said: on one line, and fit for a table)."""
    try:
        answer = condition(runs) if callable(condition) else condition
    except Exception as error:
        return False, _one_line(f"{type(error).__name__}: {error}").replace("|", "/")
    if isinstance(answer, bool | np.bool_):
        return bool(answer), ""
    return False, f"its condition is neither True nor False but of the type {type(answer).__name__}"


def _one_line(text):
    return " ".join(text.split())


def _display(text):
    """As Markdown in a notebook, as plain text elsewhere."""
    ipython = sys.modules.get("IPython")  # what has not been imported is not running
    if ipython is not None and ipython.get_ipython() is not None:
        from IPython.display import display

        display({"text/markdown": text, "text/plain": text}, raw=True)
    else:
        encoding = sys.stdout.encoding or "utf-8"
        print(text.encode(encoding, "replace").decode(encoding))  # the mark is not in every terminal's alphabet
