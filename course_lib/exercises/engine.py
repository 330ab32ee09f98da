"""The engine behind the exercises: run an answer safely, compare it, recognise usual mistakes, keep progress.

A checker never raises and never gives the expected answer away. A usual mistake is written down as code
(`Mistake`): if an answer behaves like it on every test input, the student gets the sentence that belongs to it.
"""

import contextlib
import copy
import inspect
import io
import reprlib
import signal
import textwrap
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from course_lib.exercises.store import record

TIME_LIMIT_SECONDS = 10
OUTPUT_LIMIT_CHARACTERS = 10_000

CORRECT, NOT_YET, NOT_ATTEMPTED = "correct", "not yet", "not attempted"
_MARKS = {CORRECT: "✔ Correct.", NOT_YET: "✘ Not yet.", NOT_ATTEMPTED: "○ Not attempted yet."}


@dataclass(frozen=True)
class Verdict:
    """What a checker found: `outcome` is one of CORRECT, NOT_YET, NOT_ATTEMPTED; `message` explains it."""

    outcome: str
    message: str


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that people really give, as code, and the sentence that helps whoever gave it."""

    answer: Callable
    message: str


class _Exercise:
    """What coding exercises and understanding questions share. `topic` is the notebook's name without its number."""

    topic: str
    name: str
    hints: Sequence[str]
    hints_shown = 0

    def judge(self, answer) -> Verdict:
        raise NotImplementedError

    def check(self, answer) -> None:
        """Print whether the answer is correct, not yet, or not attempted, and keep the progress. Never raises."""
        verdict = self.judge(answer)
        print(textwrap.fill(f"{_MARKS[verdict.outcome]} {verdict.message}", 100))
        if verdict.outcome != NOT_ATTEMPTED:
            record(self.topic, self.name, correct=verdict.outcome == CORRECT)

    def hint(self) -> None:
        """Print the next hint; after the last one, say so."""
        if self.hints_shown < len(self.hints):
            text = f"Hint {self.hints_shown + 1} of {len(self.hints)}: {self.hints[self.hints_shown]}"
            print(textwrap.fill(text, 100))
            self.hints_shown += 1
        else:
            print("That was the last hint. `solution()` shows one way to do it.")


@dataclass
class Coding(_Exercise):
    """An exercise whose answer is a function.

    topic, name: where it belongs ("convolution") and what it is called in its module.
    reference: the solution; `solution()` prints its source, so it is written to be read.
    inputs: function without arguments that returns a list of argument tuples. Each call makes new ones.
    mistakes: at least three. also_correct: at least one answer in another style, for the tests.
    hints: from a nudge to nearly there. why: one sentence printed when the answer is correct.
    accept: for tasks with many right answers: function (result, *arguments) that returns None if the result is
        right, or a sentence that names the property that failed. Without it the result must equal the reference's
        to a relative tolerance of 1e-4 (float32 and float64 both pass).
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

    def judge(self, answer) -> Verdict:
        """Run the answer on every input and compare."""
        if answer is ...:
            return Verdict(NOT_ATTEMPTED, "Replace the `...` by your code and run the cell again.")
        if not callable(answer):
            return Verdict(NOT_YET, f"The checker needs your function itself, but got {_shown(answer)}.")
        printed = _Printed()
        try:
            with _limits(printed):
                verdict = self._judge(answer)
        except KeyboardInterrupt:
            verdict = Verdict(NOT_YET, "You stopped it while your code was running.")
        except _TooLong:
            verdict = Verdict(
                NOT_YET,
                f"Your code was still running after {TIME_LIMIT_SECONDS} seconds. Is there a loop without an end?",
            )
        except _TooMuchOutput:
            verdict = Verdict(
                NOT_YET, "Your code prints without end. Is there a `print` inside a loop that never stops?"
            )
        # Objects of a student's own class can fail in == or anything else that the comparison asks of them.
        except BaseException as error:
            verdict = Verdict(NOT_YET, f"The checker could not compare what your function returned: {_told(error)}")
        if printed.getvalue():
            print(textwrap.fill(f"(Your code printed: {_shortened(printed.getvalue(), 500)})", 100))
        return verdict

    def _judge(self, answer):
        results, wrong = [], []
        for arguments in self.inputs():
            given = copy.deepcopy(arguments)
            try:
                result = answer(*given)
            except NotImplementedError:
                return Verdict(NOT_ATTEMPTED, "The function still raises NotImplementedError.")
            except (KeyboardInterrupt, _TooLong, _TooMuchOutput):
                raise
            # SystemExit as well: a student who calls exit() gets a sentence, not a dead kernel.
            except BaseException as error:
                return Verdict(NOT_YET, f"With {_call(arguments)}, your code raised {_told(error)}")
            if _is_placeholder(result):
                return Verdict(NOT_ATTEMPTED, "Replace the `...` by your code and run both cells again.")
            if not _same(given, arguments, equal_nan=True):
                return Verdict(
                    NOT_YET, f"With {_call(arguments)}, your code changed its input. Work on a copy: `x = x.copy()`."
                )
            results.append((arguments, result))
            # Now, since a function may return the same list or array each time, and change it in the next call.
            complaint = self._complaint(result, arguments)
            if complaint:
                wrong.append((arguments, complaint))
        if not wrong:
            return Verdict(CORRECT, self.why)
        for mistake in self.mistakes:
            if all(_same(result, _run(mistake.answer, arguments), equal_nan=True) for arguments, result in results):
                return Verdict(NOT_YET, mistake.message)
        arguments, complaint = wrong[0]
        return Verdict(NOT_YET, f"With {_call(arguments)}, {complaint}")

    def _complaint(self, result, arguments):
        """None if the result is right for these arguments, otherwise half a sentence that says what is not."""
        if result is None:
            return "your function returned None. Did you forget `return`?"
        if self.accept is not None:
            try:
                return self.accept(copy.deepcopy(result), *copy.deepcopy(arguments))
            except Exception:  # a result of a wrong type or shape breaks `accept` in ways it cannot all foresee
                return f"the result has the wrong type or shape: it is {_shown(result)}."
        return _difference(result, _run(self.reference, arguments))

    def solution(self) -> None:
        """Print the source of the reference solution."""
        print(textwrap.dedent(inspect.getsource(self.reference)))


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

    def judge(self, answer) -> Verdict:
        """Look the letter up."""
        if answer is ... or (isinstance(answer, str) and not answer.strip()):
            return Verdict(NOT_ATTEMPTED, "Replace the `...` by the letter of your answer, in quotation marks.")
        letter = answer.strip().lower() if isinstance(answer, str) else None
        if letter not in self.replies:
            letters = ", ".join(f'"{known}"' for known in self.replies)
            return Verdict(NOT_YET, f"Please answer with one of the letters {letters}; you gave {_shown(answer)}.")
        return Verdict(CORRECT if letter == self.answer else NOT_YET, self.replies[letter])

    def solution(self) -> None:
        """Print the right letter and why."""
        print(textwrap.fill(f'"{self.answer}": {self.replies[self.answer]}', 100))


# BaseException, so that an `except Exception` in a student's loop does not swallow it.
class _TooLong(BaseException):
    pass


class _TooMuchOutput(BaseException):
    pass


class _Printed(io.StringIO):
    """Takes what a student's code prints; more than OUTPUT_LIMIT_CHARACTERS raises _TooMuchOutput."""

    def write(self, text):
        if self.tell() + len(text) > OUTPUT_LIMIT_CHARACTERS:
            raise _TooMuchOutput
        return super().write(text)

    def close(self):
        """Stay open: a student's code may close sys.stdout."""


@contextlib.contextmanager
def _limits(printed):
    """Stop what runs inside after TIME_LIMIT_SECONDS, and catch in `printed` what it prints.

    The time limit needs SIGALRM and the main thread; elsewhere the Stop button does the same.
    """
    timed = hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread()

    def stop(_signal, _frame):
        raise _TooLong

    if timed:
        handler = signal.signal(signal.SIGALRM, stop)
        # Again every second: a bare `except:` may have swallowed the first one.
        timer = signal.setitimer(signal.ITIMER_REAL, TIME_LIMIT_SECONDS, 1)
    try:
        with (
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
            # A warning is not a failure, and what it announces shows in the result.
            warnings.catch_warnings(action="ignore"),
            np.errstate(all="ignore"),
        ):
            yield
    finally:
        if timed:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, handler)
            signal.setitimer(signal.ITIMER_REAL, *timer)


def _run(function, arguments):
    return function(*copy.deepcopy(arguments))


def _same(a, b, equal_nan=False):
    """Whether two results are equal: nested tuples, lists and dicts by their parts, numbers to a relative 1e-4."""
    if isinstance(a, dict) or isinstance(b, dict):
        return (
            isinstance(a, dict)
            and isinstance(b, dict)
            and a.keys() == b.keys()
            and all(_same(a[key], b[key], equal_nan) for key in a)
        )
    a_array, b_array = _as_numbers(a), _as_numbers(b)
    if a_array is not None and b_array is not None:
        return a_array.shape == b_array.shape and bool(_close(a_array, b_array, equal_nan).all())
    if a_array is not None or b_array is not None:
        return False
    a, b = (x.tolist() if isinstance(x, np.ndarray) else x for x in (a, b))  # arrays of texts
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(_same(x, y, equal_nan) for x, y in zip(a, b, strict=True))
    try:
        return a is b or bool(a == b)
    except Exception:  # objects whose == does not give one truth value are not results of any exercise
        return False


def _close(a, b, equal_nan):
    """Where two arrays of one shape are equal, to a relative 1e-4 or a millionth of the largest value in `b`."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    scale = max(1.0, np.max(np.abs(b), initial=0.0, where=np.isfinite(b)))
    return np.isclose(a, b, rtol=1e-4, atol=1e-6 * scale, equal_nan=equal_nan)


def _as_numbers(value):
    """`value` as an array of numbers or booleans, or None if it is not one."""
    try:
        array = np.asarray(value)
    except Exception:  # ragged lists raise ValueError, foreign objects anything
        return None
    return array if array.dtype.kind in "buif" else None


def _is_placeholder(result):
    """Whether a starter returned its `...`, or several."""
    return result is ... or (isinstance(result, tuple) and len(result) > 0 and all(part is ... for part in result))


def _difference(result, expected):
    """None if equal, otherwise half a sentence that says which property differs, without the expected value."""
    if isinstance(expected, tuple):
        if not isinstance(result, tuple | list) or len(result) != len(expected):
            return f"the function must return {len(expected)} values, separated by commas; yours returned {_shown(result)}."
        for place, (part, right) in enumerate(zip(result, expected, strict=True), start=1):
            complaint = _difference(part, right)
            if complaint:
                return f"value number {place}: {complaint}"
        return None
    right = _as_numbers(expected)
    if right is None:
        return None if _same(result, expected) else f"your result {_shown(result)} is not right."
    numbers = _as_numbers(result)
    if numbers is None:
        return (
            f"the result must be {'a number' if right.ndim == 0 else 'an array of numbers'}; yours is {_shown(result)}."
        )
    if numbers.shape != right.shape:
        return f"your result has the wrong shape: {numbers.shape}."
    if isinstance(expected, bool):
        if numbers.dtype.kind != "b":
            return f"the result must be True or False; yours is {_shown(result)}."
    elif isinstance(expected, int) and numbers.dtype.kind not in "ui":
        return f"the result must be a whole number (int); yours is {_shown(result)}. Python's `//` divides and rounds down."
    if np.isnan(numbers).any() and not np.isnan(right).any():
        return "your result contains NaN (not a number), which comes from 0/0, infinity minus infinity, or the like."
    off = ~_close(numbers, right, equal_nan=True)
    if not off.any():
        return None
    if right.ndim == 0:
        return f"your result {_shown(result)} is not right."
    place = tuple(int(i) for i in np.argwhere(off)[0])
    return (
        f"{int(off.sum())} of {off.size} values are not right; the first is at index {place}, "
        f"where you have {numbers[place]:.6g}."
    )


def _call(arguments):
    return f"the arguments {', '.join(_shown(a) for a in arguments)}" if arguments else "no arguments"


def _shown(value):
    """A short description of any value: small numbers and texts as they are, larger arrays by their shape."""
    try:
        return _shortened(_described(value))
    except Exception:  # a student's class may have a broken __repr__
        return f"an object of type {type(value).__name__}"


def _described(value):
    if isinstance(value, np.ndarray):
        return np.array2string(value, separator=", ") if value.size <= 9 else f"an array of shape {value.shape}"
    if isinstance(value, np.generic):
        value = value.item()  # 2.5 reads better than np.float64(2.5)
    if callable(value):
        return f"the function {getattr(value, '__name__', '')}".strip()
    return _SHORT.repr(value)


# repr() would walk through the whole of a long list.
_SHORT = reprlib.Repr()
_SHORT.maxtuple = _SHORT.maxlist = _SHORT.maxdict = 9
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 80


def _told(error):
    """Name and words of an exception; a student's own exception may fail to say its words."""
    try:
        words = str(error)
    except Exception:
        words = ""
    return _shortened(f"{type(error).__name__}: {words}" if words else type(error).__name__, 300)


def _shortened(text, length=90):
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"
