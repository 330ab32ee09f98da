"""The exercises: judge an answer, recognise usual mistakes, and hand back the function with which the lesson goes on.

A checker never raises and never gives the expected answer away. A usual mistake is written down as code
(`Mistake`): if an answer behaves like it on every test input, the student gets the sentence that belongs to it.
"""

import ast
import contextlib
import copy
import functools
import inspect
import re
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FunctionType

from course_lib.exercises import compare, limits
from course_lib.exercises.store import record

CORRECT, NOT_YET, NOT_ATTEMPTED = "correct", "not yet", "not attempted"
_OURS = "The lesson goes on with ours until yours is right."
_MARKS = {CORRECT: "✔ Correct.", NOT_YET: "✘ Not yet.", NOT_ATTEMPTED: "○ Not attempted yet."}


@dataclass(frozen=True)
class Verdict:
    """What a checker found: `outcome` is one of CORRECT, NOT_YET, NOT_ATTEMPTED; `message` explains it."""

    outcome: str
    message: str
    printed: str = field(default="", compare=False)


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that people really give, as code, and the sentence that helps whoever gave it."""

    answer: Callable
    message: str


@dataclass(frozen=True)
class Wrong:
    """A wrong answer for the tests, by another author than the inputs, and arguments for which it is provably wrong.

    differs_on: a tuple of arguments, or a list of such tuples whose results are judged together.
    """

    answer: Callable
    differs_on: tuple | list[tuple]


class _Exercise:
    """What coding exercises and understanding questions share. `topic` is the lesson's name."""

    topic: str
    name: str
    hints: Sequence[str]
    next_hint = 0

    def _reply(self, verdict, *more):
        if verdict.printed:
            _say(f"Your code printed:\n{verdict.printed}")
        for text in (f"{_MARKS[verdict.outcome]} {verdict.message}", *more):
            _say(textwrap.fill(text, 100))
        if verdict.outcome != NOT_ATTEMPTED:
            record(self.topic, self.name, correct=verdict.outcome == CORRECT)

    def hint(self) -> None:
        """Print the next hint; after the last one say so, and begin again."""
        if self.next_hint < len(self.hints):
            text = f"Hint {self.next_hint + 1} of {len(self.hints)}: {self.hints[self.next_hint]}"
            print(textwrap.fill(text, 100))
            self.next_hint += 1
        else:
            print("That was the last hint. `solution()` shows one way to do it.")
            self.next_hint = 0


@dataclass
class Coding(_Exercise):
    """An exercise whose answer is a function.

    topic, name: where it belongs ("convolution") and what it is called in its module.
    reference: the solution; `solution()` prints its source, so it is written to be read.
    inputs: function without arguments that returns a list of argument tuples. Each call makes new ones.
    mistakes: at least three. also_correct: at least one answer in another style, for the tests.
    hints: from a nudge to nearly there. why: one sentence printed when the answer is correct.
    accept: for tasks with many right answers: function (result, *arguments) that returns None if the result is
        right, or a sentence that names the property that failed. It sees finite results only, in the form in which the
        reference returns its own. Without it the result must equal the reference's to a relative tolerance of 1e-4
        (float32 and float64 both pass).
    accept_all: function (results, inputs) that sees all of them together (equal seeds, different seeds), likewise.
    wrong: wrong answers by another author than the inputs, for the tests. integers: False where an array of whole
        numbers among the inputs makes no sense; the tests want one otherwise.
    """

    topic: str
    name: str
    reference: Callable
    inputs: Callable[[], list[tuple]]
    mistakes: Sequence[Mistake]
    also_correct: Sequence[Callable]
    hints: Sequence[str]
    why: str
    accept: Callable | None = None
    accept_all: Callable | None = None
    wrong: Sequence[Wrong] = ()
    integers: bool = True
    _failed = None  # the arguments with which the last answer failed
    _expected = ()  # the reference's results

    def check(self, answer) -> Callable:
        """Print whether the answer is correct, not yet, or not attempted, keep the progress, and return the function
        to go on with: the student's once it is right (see `_carried`), until then ours. Never raises."""
        verdict = self.judge(answer)
        if _given_back_by(answer) is self:
            self._reply(verdict)
            return answer
        if verdict.outcome == CORRECT:
            self._reply(verdict, "The lesson goes on with your function.")
            return _carried(self, answer, self._expected)
        if self._failed is not None and not compare.is_printable(self._failed):
            trial = f"`print({self.name}(*exercises.{self.name}.example()))`"
            self._reply(verdict, f"To see what it returned there, write {trial} above the line with `check`.", _OURS)
        else:
            self._reply(verdict, _OURS)
        return _ours(self)

    def example(self) -> tuple | None:
        """The arguments with which the last answer failed, or a sentence if there are none."""
        if self._failed is None:
            print("There are none: no answer has failed on particular arguments since the last `check`.")
        return copy.deepcopy(self._failed)

    def judge(self, answer, inputs=None) -> Verdict:
        """Run the answer on every input (or on those given) and compare."""
        if answer is ...:
            return Verdict(NOT_ATTEMPTED, "Replace the `...` by your code and run the cell again.")
        if not callable(answer):
            return Verdict(NOT_YET, f"The checker needs your function itself, but got {compare.shown(answer)}.")
        if _given_back_by(answer) is self:
            return Verdict(
                NOT_ATTEMPTED,
                "This is the function that this check gave back. Run your definition first, then this cell.",
            )
        self._failed, printed = None, limits.Printed()
        try:
            with limits.limits(printed):
                outcome, message = self._judge(answer, self.inputs() if inputs is None else inputs)
        except KeyboardInterrupt:
            outcome, message = NOT_YET, "You stopped it while your code was running."
        except (limits.TooLong, limits.TooMuchOutput) as error:
            outcome, message = NOT_YET, str(error)
        # Objects of a student's own class can fail in == or anything else that the comparison asks of them.
        except BaseException as error:
            outcome = NOT_YET
            message = f"The checker could not compare what your function returned: {compare.told(error)}"
        if outcome != NOT_YET:
            self._failed = None
        return Verdict(outcome, message, printed.shown())

    def _judge(self, answer, inputs):
        results, complaints = [], []
        self._expected = expected = []
        for arguments in inputs:
            self._failed = arguments
            given = copy.deepcopy(arguments)
            try:
                result = answer(*given)
            except NotImplementedError:
                return NOT_ATTEMPTED, "The function still raises NotImplementedError."
            except (KeyboardInterrupt, limits.TooLong, limits.TooMuchOutput):
                raise
            # SystemExit as well: a student who calls exit() gets a sentence, not a dead kernel.
            except BaseException as error:
                return NOT_YET, f"With {compare.call(arguments)}, your code raised {compare.told(error)}"
            if result is ... or (isinstance(result, tuple) and result and all(part is ... for part in result)):
                return NOT_ATTEMPTED, "Replace the `...` by your code and run the cell again."
            if not compare.same(given, arguments, equal_nan=True):
                return NOT_YET, (
                    f"With {compare.call(arguments)}, your code changed its input. Work on a copy: `x.copy()` for an "
                    "array, `copy.deepcopy(x)` for lists and dicts that hold others, `sorted(x)` instead of `x.sort()`."
                )
            expected.append(compare.run(self.reference, arguments))
            # Now, since a function may return the same list or array each time, and change it in the next call.
            complaints.append(self._complaint(result, arguments, expected[-1]))
            results.append(compare.snapshot(result))
        self._failed = next((a for a, complaint in zip(inputs, complaints, strict=True) if complaint), None)
        together = None
        if self._failed is None and self.accept_all is not None:
            pairs = zip(expected, results, strict=True)
            usual = [compare.converter([example], "iufO")(result) for example, result in pairs]
            together = self.accept_all(usual, inputs)
        if self._failed is None and not together:
            return CORRECT, self.why
        for mistake in self.mistakes:
            outputs = (compare.run(mistake.answer, arguments) for arguments in inputs)
            if all(compare.same(a, b, equal_nan=True) for a, b in zip(results, outputs, strict=True)):
                return NOT_YET, mistake.message
        if together:
            return NOT_YET, together
        message = f"With {compare.call(self._failed)}, {next(filter(None, complaints))}"
        related = None if self.accept or self.accept_all else compare.relation(results, expected)
        return NOT_YET, f"{message} {related}" if related else message

    def _complaint(self, result, arguments, expected):
        """None if the result is right for these arguments, otherwise half a sentence that says what is not."""
        if result is None:
            return "your function returned None. Did you forget `return`?"
        if self.accept is None and self.accept_all is None:
            return compare.difference(result, expected)
        if compare.is_finite(expected) and not compare.is_finite(result):
            return compare.NOT_FINITE
        try:
            result = copy.deepcopy(result)
            with contextlib.suppress(Exception):  # `accept` says better what is wrong; True is no whole number for it
                result = compare.converter([expected], "iufO")(result)
            return self.accept(result, *copy.deepcopy(arguments)) if self.accept else None
        except Exception:  # a result of a wrong type or shape breaks `accept` in ways it cannot all foresee
            return f"the result has the wrong type or shape: it is {compare.shown(result)}."

    def solution(self) -> None:
        """Print the reference under the exercise's name, with the imports, constants and helpers it needs."""
        module = inspect.getsource(sys.modules[self.reference.__module__])
        nodes: dict[str, ast.stmt] = {}
        for node in ast.parse(module).body:
            for target in (node, *getattr(node, "names", ()), *getattr(node, "targets", ())):
                names_of_it = (getattr(target, key, None) for key in ("asname", "name", "id"))
                nodes.setdefault(next(filter(None, names_of_it), ""), node)
        needed: list[ast.stmt] = []
        names = {self.reference.__name__}
        while names:
            found = nodes.get(names.pop())
            if found is not None and found not in needed:
                needed.append(found)
                parts = list(ast.walk(found))
                read = {part.id for part in parts if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}
                own = {part.id for part in parts if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
                names |= read - own - {part.arg for part in parts if isinstance(part, ast.arg)}
        needed.sort(key=lambda node: node.lineno)
        source = "\n".join(ast.get_source_segment(module, node) or "" for node in needed)
        print(re.sub(rf"\b{self.reference.__name__}\b", self.name, re.sub(r"(?<=\n)(?=def )", "\n\n", source)))


@dataclass
class Choice(_Exercise):
    """An understanding question: the notebook states it with its options, the student answers with a letter.

    replies: a sentence for every option, by its letter; the right one's says why it is right.
    """

    topic: str
    name: str
    answer: str
    replies: dict[str, str]
    hints: Sequence[str] = field(default=("Read the paragraph above once more, with a small example in hand.",))

    def check(self, answer) -> None:
        """Print the reply to a letter and keep the progress. Never raises."""
        self._reply(self.judge(answer))

    def judge(self, answer) -> Verdict:
        """Look the letter up; "B)", "(b)" and "b." are understood, and what is no letter is no attempt."""
        letter = answer.strip(" \t\n()[]{}.,:;'\"`…").lower() if isinstance(answer, str) else None
        if answer is ... or letter == "":
            return Verdict(NOT_ATTEMPTED, 'Put the letter of your answer between quotation marks, as in `check("a")`.')
        if letter not in self.replies:
            letters = ", ".join(f'"{known}"' for known in self.replies)
            return Verdict(
                NOT_ATTEMPTED,
                f"Please answer with one of the letters {letters}, in quotation marks; you gave {compare.shown(answer)}.",
            )
        return Verdict(CORRECT if letter == self.answer else NOT_YET, self.replies[letter])

    def solution(self) -> None:
        """Print the right letter and why."""
        print(textwrap.fill(f'"{self.answer}": {self.replies[self.answer]}', 100))


def _say(text):
    print(text.encode("utf-8", "replace").decode())  # a student's text may hold half a surrogate pair


def _given_back_by(answer):
    """The exercise whose check returned this function, or None."""
    return answer.__dict__.get("given_back_by") if isinstance(answer, FunctionType) else None


def _ours(exercise):
    """The reference under the exercise's name."""

    @functools.wraps(exercise.reference)
    def ours(*args, **kwargs):
        return exercise.reference(*args, **kwargs)

    ours.__name__ = ours.__qualname__ = exercise.name
    ours.given_back_by = exercise
    return ours


def _carried(exercise, answer, expected):
    """A student's right function, fit for the lesson: results in the usual form, few prints, and no dead end.

    Where it raises or takes more than CALL_LIMIT_SECONDS, ours runs instead, from then on, and one sentence says so.
    """
    usual = compare.converter(expected)
    reference, watch, few, given_up = exercise.reference, limits.WATCH, limits.FewLines(exercise.name), False

    def yours(*args, **kwargs):
        nonlocal given_up
        if given_up:
            return reference(*args, **kwargs)
        stdout = sys.stdout
        if stdout is not few:
            few.stream = stdout
        job, watched = (time.monotonic(), threading.get_ident(), limits.CALL_LIMIT_SECONDS, stdout, True), False
        try:
            try:
                watched = watch.start(job)  # not inside another call that is watched: that one goes on
                sys.stdout = few
                return usual(answer(*args, **kwargs))
            finally:
                sys.stdout = stdout
                watch.end(job)
        except limits.TooLong:
            if not watched:
                raise
            reason = f"took more than {limits.CALL_LIMIT_SECONDS} seconds here"
            result = reference(*args, **kwargs)
        except (KeyboardInterrupt, limits.TooMuchOutput):
            raise
        except BaseException as error:
            try:
                result = reference(*args, **kwargs)
            except Exception:  # then the arguments are to blame
                raise error from None
            reason = f"raised {compare.told(error)} here"
        given_up = True
        _say(textwrap.fill(f"(Your `{exercise.name}` {reason}. From now on ours runs instead.)", 100))
        return result

    with contextlib.suppress(Exception):  # an object of a student's class may have no name
        functools.update_wrapper(yours, answer)
    yours.given_back_by = exercise
    return yours
