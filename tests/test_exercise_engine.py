"""The engine of the exercises: whatever an answer does, a sentence comes back, and a function to go on with."""

import ctypes
import datetime
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from jupyter_client import KernelManager

from course_lib import ROOT
from course_lib.exercises import compare, engine, limits
from course_lib.exercises.engine import CORRECT, NOT_ATTEMPTED, NOT_YET, Choice, Coding, Mistake


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A busy machine must not make a right answer late; the tests of the limit set their own."""
    monkeypatch.setattr(limits, "TIME_LIMIT_SECONDS", 120)
    monkeypatch.setattr(limits, "CALL_LIMIT_SECONDS", 120)


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_WORK", str(tmp_path / "work"))


def _double(x):
    return 2 * x


def make(reference=_double, inputs=((1.0,), (2.5,)), **changes):
    settings = {
        "topic": "pairs",
        "name": "double",
        "reference": reference,
        "inputs": lambda: list(inputs),
        "mistakes": (Mistake(lambda x: x + 2, "You add 2 where the task says twice."),),
        "also_correct": (lambda x: x + x,),
        "hints": ("Think of a pair.", "A pair of what?"),
        "why": "Two of a kind.",
    }
    return Coding(**{**settings, **changes})


DOUBLE = make()
ARRAY = make(inputs=((np.arange(6.0).reshape(2, 3),), (np.full((2, 2), 0.5),)))


def not_yet(exercise, answer, *words):
    verdict = exercise.judge(answer)
    assert verdict.outcome == NOT_YET, verdict
    for word in words:
        assert word in verdict.message, verdict.message
    return verdict.message


def test_correct_and_recognised():
    assert DOUBLE.judge(lambda x: x * 2) == engine.Verdict(CORRECT, "Two of a kind.")
    not_yet(DOUBLE, lambda x: 2 + x, "You add 2")
    message = not_yet(DOUBLE, lambda x: 3 * x, "With the arguments 1.0", "your result 3.0 is not right")
    assert "2" not in message.replace("With the arguments 1.0", "")


@pytest.mark.parametrize(
    "error", [ValueError("no such thing"), SystemExit(3), GeneratorExit(), BaseException("odd"), StopIteration()]
)
def test_exceptions_become_sentences(error):
    def answer(x):
        raise error

    not_yet(DOUBLE, answer, "With the arguments 1.0", type(error).__name__)


def test_exit_and_recursion_and_missing_names():
    def endless(x):
        return endless(x)

    not_yet(DOUBLE, lambda x: sys.exit("bye"), "SystemExit", "bye")
    not_yet(DOUBLE, endless, "RecursionError")
    not_yet(DOUBLE, lambda x: undefined_name, "NameError", "undefined_name")  # noqa: F821
    not_yet(DOUBLE, lambda x: input(), "raised")  # no keyboard in a test; in a notebook it waits for one


def test_exception_that_cannot_speak():
    class Mute(Exception):
        def __str__(self):
            raise ValueError

    def answer(x):
        raise Mute

    not_yet(DOUBLE, answer, "Mute")


def test_wrong_number_of_parameters():
    not_yet(DOUBLE, lambda: 1, "TypeError", "0 positional arguments but 1 was given")
    not_yet(DOUBLE, lambda x, y: 1, "TypeError", "'y'")
    assert DOUBLE.judge(lambda x, y=2: x * y).outcome == CORRECT  # a default is no fault


def test_not_a_function():
    not_yet(DOUBLE, 2.0, "your function itself", "2.0")
    not_yet(DOUBLE, None, "None")
    not_yet(DOUBLE, int, "With the arguments 1.0")  # a class can be called; here it gives 1
    assert make(inputs=(("a",),), reference=str).judge(str).outcome == CORRECT


def test_keyboard_interrupt():
    def answer(x):
        raise KeyboardInterrupt

    not_yet(DOUBLE, answer, "You stopped it")

    class StopsWhenCompared:
        def __array__(self, dtype=None, copy=None):
            raise KeyboardInterrupt

    not_yet(DOUBLE, lambda x: StopsWhenCompared(), "You stopped it")


def test_none_and_wrong_types():
    not_yet(DOUBLE, lambda x: None, "None", "return")
    not_yet(DOUBLE, lambda x: "four", "must be a number", "'four'")
    not_yet(DOUBLE, lambda x: [1, [2, 3]], "must be a number")
    not_yet(DOUBLE, lambda x: (number for number in [x]), "must be a number", "generator")
    not_yet(ARRAY, lambda x: "four", "must be an array of numbers")


def test_shapes():
    not_yet(ARRAY, lambda x: 2 * x.T, "is an array of shape (3, 2); wanted is an array of shape (2, 3)")
    not_yet(DOUBLE, lambda x: [2 * x], "is an array of shape (1,); wanted is one number.")
    assert ARRAY.judge(lambda x: (2 * x).tolist()).outcome == CORRECT


def test_values_of_an_array():
    def answer(x):
        result = 2 * x
        result[1, 0] += 5
        return result

    not_yet(ARRAY, answer, "1 of 6 values", "index (1, 0)", "you have 11")


def test_nan():
    not_yet(ARRAY, lambda x: 0 * x / 0, "NaN")
    passes_nan_on = make(inputs=((np.array([1.0, np.nan]),),))
    assert passes_nan_on.judge(lambda x: x + x).outcome == CORRECT
    not_yet(passes_nan_on, lambda x: np.nan_to_num(x) * 2, "1 of 2 values", "index (1,)")


def test_infinite_values():
    infinite = make(inputs=((np.array([1.0, np.inf]),),))
    assert infinite.judge(lambda x: x + x).outcome == CORRECT
    not_yet(infinite, lambda x: -2 * x, "2 of 2")


def test_precision_and_kinds_of_numbers():
    thirds = make(inputs=((np.arange(1.0, 9) / 3,),))
    assert thirds.judge(lambda x: x.astype(np.float32) * 2).outcome == CORRECT
    not_yet(thirds, lambda x: 2 * x.astype(np.float16), "not right")  # three digits are too few
    assert ARRAY.judge(lambda x: (2 * x).astype(np.longdouble)).outcome == CORRECT
    assert DOUBLE.judge(lambda x: np.array(2 * x)).outcome == CORRECT
    not_yet(ARRAY, lambda x: 2 * x + 0.01, "6 of 6 values")
    not_yet(DOUBLE, lambda x: 1j * x, "must be a number")


def test_whole_numbers():
    whole = make(inputs=((1,), (2,)))
    for kind in (int, np.int32, np.uint8, lambda x: np.array(x)):
        assert whole.judge(lambda x, kind=kind: kind(2 * x)).outcome == CORRECT
    for kind in (float, np.float32, lambda x: np.array(2.0 * (x / 2))):
        assert whole.judge(lambda x, kind=kind: kind(2 * x)).outcome == CORRECT  # 4.0 is a whole number
    not_yet(whole, lambda x: 2.5 * x, "whole number", "2.5")
    not_yet(whole, lambda x: x > 1, "whole number", "False")


def test_truth_values():
    truth = make(reference=lambda x: x > 1, inputs=((1,), (2,)), mistakes=())
    for kind in (bool, np.bool_, np.array):
        assert truth.judge(lambda x, kind=kind: kind(x > 1)).outcome == CORRECT
    not_yet(truth, lambda x: int(x > 1), "True or False")
    not_yet(truth, lambda x: x < 2, "your result True is not right")


def test_several_results():
    pair = make(reference=lambda x: (x, 2 * x), mistakes=())
    assert pair.judge(lambda x: [x, x + x]).outcome == CORRECT
    not_yet(pair, lambda x: x, "2 values")
    not_yet(pair, lambda x: (x, x, x), "2 values")
    not_yet(pair, lambda x: (x, 3 * x), "value number 2", "not right")


def test_results_that_are_not_numbers():
    texts = make(reference=lambda x: {"patients": [f"p{x}", None]}, inputs=((1,),), mistakes=())
    assert texts.judge(lambda x: {"patients": (f"p{x}", None)}).outcome == CORRECT
    not_yet(texts, lambda x: {"patients": ["p2", None]}, "not right")
    array_of_texts = make(reference=lambda x: np.unique(x), inputs=((np.array(["b", "a", "a"]),),), mistakes=())
    assert array_of_texts.judge(lambda x: sorted(set(x.tolist()))).outcome == CORRECT
    not_yet(array_of_texts, lambda x: list(x), "not right")


def test_tensors_count_as_arrays():
    class Tensor:
        def __init__(self, values):
            self.values = values

        def __array__(self, dtype=None, copy=None):
            return np.asarray(self.values, dtype)

    assert ARRAY.judge(lambda x: Tensor(2 * x)).outcome == CORRECT
    not_yet(ARRAY, lambda x: Tensor(2 * x.T), "of shape (3, 2)")


def test_changed_inputs():
    def in_place(x):
        x *= 2
        return x

    def appends(x):
        x.append(1)
        return x * 2

    not_yet(ARRAY, in_place, "changed its input", "x.copy()", "copy.deepcopy(x)")
    not_yet(make(inputs=(([1.0],),)), appends, "changed its input")
    assert ARRAY.judge(ARRAY.reference).outcome == CORRECT  # the next answer gets fresh inputs


def test_one_buffer_for_all_calls():
    buffer = np.zeros(1)

    def answer(x):
        buffer[:] = 2 * x
        return buffer

    arrays = make(inputs=((np.array([1.0]),), (np.array([2.0]),)))
    assert arrays.judge(answer).outcome == CORRECT


def test_several_placeholders():
    assert make(reference=lambda x: (x, x)).judge(lambda x: (..., ...)).outcome == NOT_ATTEMPTED
    not_yet(make(reference=lambda x: (x, x)), lambda x: (x, ...), "value number 2")


def test_accept():
    def accept(result, x):
        return None if result.sum() == x else "the sum is not right."

    free = make(accept=accept, inputs=((3.0,),))
    assert free.judge(lambda x: np.array([1.0, 2.0])).outcome == CORRECT
    not_yet(free, lambda x: np.array([1.0, 3.0]), "With the arguments 3.0, the sum is not right.")
    not_yet(free, lambda x: 3.0, "wrong type or shape", "3.0")


def test_prints_are_kept_apart(capfd):
    def chatty(x):
        print("now at", x)
        print("and here", file=sys.stderr)
        return 2 * x

    DOUBLE.check(chatty)
    out, err = capfd.readouterr()
    assert "Your code printed:\n  now at 1.0\n  and here\n  now at 2.5\n" in out and "✔ Correct." in out
    assert err == ""


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_endless_output(stream):
    def answer(x):
        while True:
            print("again", file=getattr(sys, stream))

    not_yet(DOUBLE, answer, "prints without end")


def test_closed_output(capsys):
    def answer(x):
        sys.stdout.close()
        return 2 * x

    DOUBLE.check(answer)
    assert "✔" in capsys.readouterr().out


def test_warnings_are_not_failures(capfd):
    def answer(x):
        warnings.warn("slow", stacklevel=1)
        np.array([1.0]) / 0
        plt.figure()
        plt.show()  # without a screen this warns
        plt.close("all")
        return 2 * x

    with warnings.catch_warnings(record=True) as caught:
        assert DOUBLE.judge(answer).outcome == CORRECT
    assert not caught
    assert capfd.readouterr() == ("", "")


def test_global_random_state_does_not_matter():
    draws = make(inputs=((np.random.default_rng(3).normal(size=4),),))

    def answer(x):
        np.random.seed(0)  # noqa: NPY002
        return 2 * x

    assert draws.judge(answer).outcome == CORRECT


def test_huge_results():
    started = time.monotonic()
    not_yet(DOUBLE, lambda x: "a" * 10**7, "must be a number")
    not_yet(DOUBLE, lambda x: list(range(10**6)), "of shape (1000000,)")
    not_yet(DOUBLE, lambda x: [str(number) for number in range(10**5)], "must be a number")
    not_yet(DOUBLE, lambda x: np.broadcast_to(np.uint8(1), (10**6, 10**6)), "of shape (1000000, 1000000)")
    not_yet(DOUBLE, lambda x: 10**5000, "must be a number")
    assert time.monotonic() - started < 20


def test_long_lists_are_not_written_out():
    written = []

    class Item:
        def __repr__(self):
            written.append(1)
            return "item"

    assert compare.shown([Item()] * 100_000).startswith("[item, item")
    assert len(written) < 20


needs_alarm = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this system has no SIGALRM: no time limit")


def _endless(x):
    while True:
        pass


def _endless_but_handled(x):
    while True:
        try:
            time.sleep(0.01)
        except Exception:  # what most students write
            pass


def _endless_but_handled_once(x):
    try:
        time.sleep(60)
    except:  # noqa: E722
        pass
    time.sleep(60)


@needs_alarm
@pytest.mark.timeout(120, method="thread")  # by the alarm it could not end a test that has taken the alarm
@pytest.mark.parametrize("answer", [_endless, _endless_but_handled, _endless_but_handled_once])
def test_endless_loops(monkeypatch, answer):
    monkeypatch.setattr(limits, "TIME_LIMIT_SECONDS", 0.5)
    started = time.monotonic()
    not_yet(DOUBLE, answer, "still running after 0.5 seconds")
    assert time.monotonic() - started < 10


@needs_alarm
def test_alarm_and_output_are_given_back():
    def handler(*_):
        raise AssertionError("nobody set this off")

    before = signal.signal(signal.SIGALRM, handler)
    timer = signal.setitimer(signal.ITIMER_REAL, 1000)
    stdout, stderr = sys.stdout, sys.stderr
    try:
        for answer in (_double, lambda x: sys.exit(), lambda x: setattr(sys, "stdout", None)):
            DOUBLE.judge(answer)
            assert signal.getsignal(signal.SIGALRM) is handler
            assert 900 < signal.getitimer(signal.ITIMER_REAL)[0] <= 1000
            assert (sys.stdout, sys.stderr) == (stdout, stderr)
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, before)


def test_outside_the_main_thread():
    verdicts = []
    thread = threading.Thread(target=lambda: verdicts.extend(map(DOUBLE.judge, (_double, lambda x: sys.exit()))))
    thread.start()
    thread.join(30)
    assert [verdict.outcome for verdict in verdicts] == [CORRECT, NOT_YET]


def test_lines_are_short(capsys):
    def answer(x):
        print("x" * 700)
        raise ValueError("a long story " * 90 + "y" * 300 + "\n\n\nmore")

    DOUBLE.check(answer)
    DOUBLE.check("z" * 500)
    DOUBLE.check(lambda x: ["w" * 300])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 5 and max(map(len, lines)) <= 100
    assert sum(map(len, lines)) < 1600, "what students print and raise is shortened"


def test_hints_one_by_one(capsys):
    exercise = make()
    for _ in range(4):
        exercise.hint()
    lines = capsys.readouterr().out.splitlines()
    assert [line[:9] for line in lines] == ["Hint 1 of", "Hint 2 of", "That was ", "Hint 1 of"]


# ---- odd values --------------------------------------------------------------------------------------------------------


class _BrokenRepr:
    def __repr__(self):
        raise ValueError("no words")


class _BrokenEq:
    __hash__ = None

    def __eq__(self, other):
        raise ValueError("cannot compare")


class _NoTruth:
    def __eq__(self, other):
        return self

    def __bool__(self):
        raise TypeError("neither true nor false")

    __hash__ = None


class _BrokenArray:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("not now")


class _ExitsAsArray:
    def __array__(self, dtype=None, copy=None):
        raise SystemExit


class _NotReallyArray:
    def __array__(self, dtype=None, copy=None):
        return "text"


class _BrokenSequence:
    def __len__(self):
        return 3

    def __getitem__(self, place):
        raise KeyError(place)


class _BrokenAttributes:
    def __getattr__(self, name):
        raise RuntimeError(name)


class _NoCopy:
    def __deepcopy__(self, memo):
        raise SystemExit("no second one")


class _BrokenKeys(dict):
    def keys(self):
        raise ValueError("no keys")


class _BrokenName:
    def __call__(self):
        return 1

    @property
    def __name__(self):
        raise ValueError("nameless")


def _cyclic():
    value = []
    value.append(value)
    return value


def _deep():
    value = []
    for _ in range(5000):
        value = [value]
    return value


ODD_MAKERS = [
    *(_BrokenRepr, _BrokenEq, _NoTruth, _BrokenArray, _ExitsAsArray, _NotReallyArray, _BrokenSequence),
    *(_BrokenAttributes, _NoCopy, _BrokenName, _cyclic, _deep, object, threading.Lock),
    *(lambda: _BrokenKeys(a=1), lambda: (x for x in [1]), lambda: open(os.devnull), lambda: iter([])),
    *(lambda: type, lambda: len, lambda: np, lambda: NotImplemented, lambda: memoryview(b"ab"), lambda: 10**5000),
    lambda: np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
    lambda: np.ma.masked_array([1.0, 2.0], [True, False]),
    lambda: np.array([_BrokenRepr(), None], dtype=object),
    lambda: np.array([np.datetime64("2020-01-01"), np.datetime64("NaT")]),
    lambda: datetime.date.today(),
]


@st.composite
def _odd(draw):
    return draw(st.sampled_from(ODD_MAKERS))()


ODD_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(max_size=5)
    | st.binary(max_size=5)
    | st.just(...)
    | st_numpy.arrays(
        st_numpy.scalar_dtypes() | st_numpy.unicode_string_dtypes(), st_numpy.array_shapes(min_dims=0, min_side=0)
    )
    | _odd(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=2) | st.integers(), inner, max_size=2)
        | st.frozensets(st.integers() | st.text(max_size=2), max_size=2)
    ),
    max_leaves=6,
)
ODD_EXERCISES = [
    DOUBLE,
    ARRAY,
    make(reference=lambda x: (1, 2)),
    make(reference=lambda x: {"a": [1, "b"]}),
    make(reference=lambda x: "text"),
    make(reference=lambda x: True),
    make(accept=lambda result, x: None if result > 2 else "too small."),
]
QUESTION = Choice("pairs", "letter", "a", {"a": "Right, the first.", "b": "No, the second.", "c": "No, the third."})


def check_odd_value(value, capsys):
    for exercise in ODD_EXERCISES:
        for answer in (value, lambda *_: value):
            exercise.check(answer)
    QUESTION.check(value)
    lines = capsys.readouterr().out.splitlines()
    assert sum(line[0] in "✔✘○" for line in lines if line) >= 2 * len(ODD_EXERCISES) + 1
    assert max(map(len, lines)) <= 100


@pytest.fixture
def no_progress(monkeypatch):
    monkeypatch.setattr(engine, "record", lambda *_, **__: None)


@pytest.mark.parametrize("maker", range(len(ODD_MAKERS)))
def test_check_survives_odd_objects(maker, capsys, no_progress):
    value = ODD_MAKERS[maker]()
    check_odd_value(value, capsys)
    check_odd_value([value], capsys)


@given(value=ODD_VALUES)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_check_never_raises(value, capsys, no_progress):
    check_odd_value(value, capsys)


# ---- the function to go on with --------------------------------------------------------------------------------------


def test_ours_until_yours_is_right(capsys):
    exercise = make()
    for answer, mark in [(..., "○"), (3, "✘"), (lambda x: 5 * x, "✘"), (lambda x: ..., "○")]:
        function = exercise.check(answer)
        out = capsys.readouterr().out
        assert out.startswith(mark) and out.endswith("The lesson goes on with ours until yours is right.\n")
        assert function(4) == 8 and function.__name__ == "double"
    calls = []

    def mine(x):
        """Mine."""
        calls.append(x)
        return x + x

    function = exercise.check(mine)
    assert capsys.readouterr().out == "✔ Correct. Two of a kind.\nThe lesson goes on with your function.\n"
    assert function(7) == 14 and calls[-1] == 7 and (function.__name__, function.__doc__) == ("mine", "Mine.")


def test_what_check_returned_is_not_judged_again(capsys, monkeypatch):
    recorded = []
    monkeypatch.setattr(engine, "record", lambda *args, **kwargs: recorded.append(args))
    exercise = make()
    for answer, attempts in [(..., 0), (lambda x: 5 * x, 1), (lambda x: x + x, 2)]:
        given_back = exercise.check(answer)
        for _ in range(2):
            capsys.readouterr()
            assert exercise.check(given_back) is given_back
            out = capsys.readouterr().out
            assert out.startswith("○") and "Run your definition first" in out and "goes on" not in out
        assert len(recorded) == attempts
    assert make().judge(given_back).outcome == CORRECT, "to another exercise it is a function like any other"


def carried(answer, capsys=None, **changes):
    """What check returns for a right answer."""
    exercise = make(**{"mistakes": (), **changes})
    function = exercise.check(answer)
    if capsys is not None:
        assert "with your function" in capsys.readouterr().out
    return function


class Tensor:
    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)


def test_results_come_in_the_usual_form():
    image = np.array([[1.0, 2.0], [3.0, 4.0]])
    arrays = {"inputs": ((image,), (np.ones((3, 2)),))}
    for answer in (lambda x: (2 * x).tolist(), lambda x: Tensor(2 * x), lambda x: 2 * x):
        result = carried(answer, **arrays)(image)
        assert type(result) is np.ndarray and result.dtype == np.float64 and np.array_equal(result, 2 * image)
    for answer in (lambda x: 2.0 * x, lambda x: np.array(2 * x), lambda x: Tensor(2 * x), lambda x: np.float32(2 * x)):
        result = carried(answer, inputs=((1,), (2,)))(7)
        assert type(result) is int and range(result), "a whole number, which can be counted up to"
    pair = {"reference": lambda x: (x, [1.0, x])}
    for answer in (lambda x: [x, (1, x)], lambda x: (np.array(x), np.array([1, x]))):
        result = carried(answer, **pair)(2.5)
        assert type(result) is tuple and type(result[0]) is float
    result = carried(lambda x: x * np.array([1, 3]), reference=lambda x: (x, 3 * x))(2.5)
    assert result == (2.5, 7.5) and type(result) is tuple
    places = carried(lambda x: np.argsort(x) * 1.0, reference=np.argsort, inputs=((np.array([2.0, 1.0]),),))(image[0])
    assert places.dtype.kind == "i" and image[places].shape == (2, 2)
    masks = carried(lambda x: 1.0 * (x > 1), reference=lambda x: x > 1, inputs=((image,),))(image)
    assert masks.dtype == bool
    texts = carried(lambda x: np.array(["a", str(x)]), reference=lambda x: ["a", str(x)])(2.5)
    assert texts == ["a", "2.5"]


def test_the_usual_form_never_changes_a_value():
    whole = carried(lambda x: 2 * x, inputs=((np.array([1, 2]),), (np.array([3, 5]),)))
    assert whole(np.array([0.25])).tolist() == [0.5]
    small = carried(lambda x: x * 2.0, inputs=((np.array([1, 2], np.uint8),), (np.array([3], np.uint8),)))
    assert small(np.array([200], np.uint8)).tolist() == [400]
    assert carried(_double)(1j) == 2j


def test_a_function_that_raises_later_gives_way_to_ours(capsys):
    def only_small(x):
        if x > 100:
            raise ValueError("too large for me")
        return 2 * x

    function = carried(only_small, capsys)
    assert function(50) == 100 and capsys.readouterr().out == ""
    assert function(500) == 1000
    out = capsys.readouterr().out
    assert "Your `double` raised ValueError: too large for me here" in out and "ours runs instead" in out
    assert function(600) == 1200 and capsys.readouterr().out == "", "one sentence is enough"
    function = carried(lambda x: sys.exit() if x > 100 else 2 * x, capsys)
    assert function(500) == 1000


def test_wrong_arguments_are_not_the_functions_fault(capsys):
    function = carried(lambda x: x + x, capsys)
    with pytest.raises(TypeError, match="lambda"):
        function()
    with pytest.raises(TypeError):
        function({})
    assert capsys.readouterr().out == "" and function(3) == 6


def test_a_function_that_is_too_slow_gives_way_to_ours(capsys, monkeypatch):
    def slow(x):
        started = time.monotonic()
        while x > 100 and time.monotonic() - started < 60:
            pass
        return 2 * x

    function = carried(slow, capsys)
    monkeypatch.setattr(limits, "CALL_LIMIT_SECONDS", 0.3)
    started = time.monotonic()
    assert function(50) == 100 and function(500) == 1000
    out = capsys.readouterr().out
    assert "took more than 0.3 seconds" in out and "ours runs instead" in out
    assert function(600) == 1200 and time.monotonic() - started < 10
    time.sleep(1.5)  # nothing is left under way
    assert limits.WATCH.job is None and capsys.readouterr().out == ""


def test_an_exception_under_way_ends_with_the_call():
    """The thread that watches may raise in the very moment in which the call ends."""
    watch, main = limits._Watch(), threading.get_ident()
    watch.job = job = (time.monotonic() - 10, main, 1, sys.stdout, True)
    watch.lock.acquire()

    def raise_at_the_last_moment():
        time.sleep(0.2)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(main), ctypes.py_object(limits.TooLong))
        watch.lock.release()

    other = threading.Thread(target=raise_at_the_last_moment)
    other.start()
    watch.end(job)
    other.join()
    for _ in range(1000):
        pass  # here it would arrive
    assert watch.job is None


def test_stop_button_stops_a_later_call():
    def stopped(x):
        if x > 100:
            raise KeyboardInterrupt
        return 2 * x

    with pytest.raises(KeyboardInterrupt):
        carried(stopped)(500)
    assert limits.WATCH.job is None


def test_prints_in_later_cells_are_limited(capsys):
    def chatty(x):
        print("now at", x)
        return 2 * x

    function = carried(chatty, capsys)
    for number in range(1000):
        function(number)
    print("the lesson's own line")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "now at 0" and lines[-1] == "the lesson's own line"
    assert "from here on is not shown" in lines[-2] and len(lines) < 30


def test_functions_that_call_each_other_or_themselves(capsys):
    inner = carried(lambda x: x + x, capsys)
    outer = carried(lambda x: inner(x), capsys)

    def by_recursion(x):
        return 2 * x if x <= 1 else 2 + function(x - 1)

    function = carried(lambda x: 2 * x)
    function = carried(by_recursion, capsys)
    assert outer(21) == 42 and function(100) == 200 and capsys.readouterr().out == ""


def test_a_call_costs_nearly_nothing():
    image = np.ones((2, 3))
    function = carried(_double, inputs=((image,), (2 * image,)))
    function(image)
    costs = []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(10_000):
            _double(image)
        bare = time.perf_counter() - started
        started = time.perf_counter()
        for _ in range(10_000):
            function(image)
        costs.append(time.perf_counter() - started - bare)
    assert min(costs) < 0.1, "10,000 calls, as in a training loop, must not cost more than 10 µs each"


def test_check_of_an_answer_without_a_name(capsys):
    class Doubles:
        def __call__(self, x):
            return 2 * x

        @property
        def __name__(self):
            raise ValueError("nameless")

    assert carried(Doubles(), capsys)(4) == 8


# ---- replies that can be acted on ------------------------------------------------------------------------------------


def test_example_gives_the_failing_arguments(capsys):
    large = make(inputs=((np.arange(3.0),), (np.arange(100.0),)))
    assert large.example() is None and "no answer has failed" in capsys.readouterr().out
    large.check(lambda x: 2 * x if x.size < 9 else x)
    assert "`print(double(*exercises.double.example()))` above" in capsys.readouterr().out.replace("\n", " ")
    (array,) = large.example()
    assert array.size == 100
    array[:] = 0
    assert large.example()[0].sum() > 0, "a copy"
    large.check(lambda x: 3 * x)
    assert "example()" not in capsys.readouterr().out, "three numbers are printed in full"
    large.check(lambda x: 1 / 0 if x.size > 9 else 2 * x)
    assert large.example()[0].size == 100
    large.check(lambda x: ... if x.size > 9 else 2 * x)
    assert large.example() is None
    large.check(lambda x: 3 * x)
    large.check(_double)
    assert large.example() is None


RANDOM = np.random.default_rng(0)
MATRICES = tuple((RANDOM.normal(size=shape),) for shape in [(4, 4), (5, 5), (4, 6)])
NUMBERS = ((0.25,), (0.5,), (0.125,))


@pytest.mark.parametrize(
    ("answer", "inputs", "words"),
    [
        (lambda x: -2 * x, NUMBERS, "with the other sign"),
        (lambda x: 200 * x, NUMBERS, "ours times 100."),
        (lambda x: x, MATRICES, "ours times 1/2."),
        (lambda x: -20 * x, MATRICES, "ours times −10."),
        (lambda x: -0.5 * x, MATRICES, "ours times −1/4."),
        (lambda x: 2.7 * x, MATRICES, "ours times one and the same factor"),
        (
            lambda x: 2 * x * (x.size / (x.size - 1)) ** 0.5,
            MATRICES,
            "ours times one factor on each input",
        ),
        (lambda x: 2 * x + 1, NUMBERS, "1 more than ours"),
        (lambda x: 2 * x - 1, MATRICES, "1 less than ours"),
        (lambda x: 2 * x + 0.3, MATRICES, "ours plus one number"),
        (lambda x: 2 * x.T, MATRICES, "transposed"),
        (lambda x: 2 * x[::-1], MATRICES, "reverse order"),
        (lambda x: 2 * x[:, ::-1], MATRICES, "reverse order"),
        (lambda x: 2 * np.flip(x), MATRICES, "reverse order"),
        (lambda x: np.roll(2 * x, 1, axis=0), MATRICES, "shifted by one"),
        (lambda x: np.pad(2 * x, ((0, 0), (0, 1)))[:, 1:], MATRICES, "shifted by one"),
    ],
)
def test_simple_relations_are_recognised(answer, inputs, words):
    message = not_yet(make(inputs=inputs, mistakes=()), answer, words, "With the arguments")
    assert "With the arguments" in message
    # One telling input is not enough.
    verdict = make(inputs=inputs[:1], mistakes=()).judge(answer)
    assert verdict.outcome == NOT_YET and words not in verdict.message
    # A planted mistake's sentence goes before.
    assert (
        make(inputs=inputs, mistakes=(Mistake(answer, "A planted sentence."),)).judge(answer).message.startswith("A pl")
    )


def test_relations_that_do_not_hold_are_not_told():
    def message(answer, inputs=MATRICES, **changes):
        return not_yet(make(inputs=inputs, mistakes=(), **changes), answer, "With the arguments").partition("right")[2]

    assert "ours" not in message(lambda x: 2 * x + (x > 0))
    assert "ours" not in message(lambda x: x * x, NUMBERS)
    assert "ours" not in message(lambda x: 0 * x)
    assert "factor" not in message(lambda x: 3 * x if x > 0.2 else 5 * x, NUMBERS), "any number is another's multiple"
    assert "ours" not in message(lambda x: 3 * x, ((0.5,), (0.5,))), "twice the same input tells once"
    assert "reverse" not in message(lambda x: 3 * x[::-1], ((np.ones(4),), (np.full(4, 2.0),)))
    inverted = make(reference=lambda x: x > 0.2, inputs=NUMBERS, mistakes=())
    not_yet(inverted, lambda x: x <= 0.2, "other way round")


def test_wanted_shape_is_named():
    not_yet(ARRAY, lambda x: 2.0, "your result is one number; wanted is an array of shape (2, 3)")
    not_yet(make(inputs=((np.ones(3),),), reference=np.sum), lambda x: x, "of shape (3,); wanted is one number")


def test_infinite_and_nan_are_refused_before_accept_sees_them():
    def accept(result, x):
        return "too small." if np.max(result) < x else None  # False for NaN

    free = make(accept=accept)
    assert free.judge(lambda x: [x, 2 * x]).outcome == CORRECT
    for bad in (np.nan, np.inf, -np.inf):
        not_yet(free, lambda x, bad=bad: [x, bad], "NaN or infinity")
        not_yet(free, lambda x, bad=bad: {"a": [(x, bad)]}, "NaN or infinity")
        not_yet(DOUBLE, lambda x, bad=bad: bad, "NaN or infinity")
    allowed = make(accept=lambda result, x: None, reference=lambda x: np.nan)
    assert allowed.judge(lambda x: np.inf).outcome == CORRECT


def test_accept_sees_results_in_the_usual_form():
    seen = []
    free = make(
        accept=lambda result, x: seen.append(result),
        reference=lambda x: (np.arange(3), x),
        inputs=((1.5,),),
        mistakes=(),
    )
    for answer in (lambda x: [[0.0, 2.0, 1.0], x], lambda x: (Tensor([0, 2, 1]), np.array(x))):
        assert free.judge(answer).outcome == CORRECT
        places, number = seen.pop()
        assert places.dtype.kind == "i" and places.tolist() == [0, 2, 1] and type(number) is float
    assert free.judge(lambda x: [1, 2, 3]).outcome == CORRECT and seen.pop() == [1, 2, 3], (
        "as it is, if it does not fit"
    )
    assert free.judge(lambda x: (np.array([True, False]), x)).outcome == CORRECT and seen.pop()[0].dtype == bool


def test_results_are_judged_together():
    def accept(result, n, seed):
        return None if np.shape(result) == (n,) else "wrong length."

    def accept_all(results, inputs):
        assert [seed for _, seed in inputs] == [0, 0, 1]
        if not np.array_equal(results[0], results[1]):
            return "The same seed gave two different results."
        return "Two seeds gave the same result." if np.array_equal(results[0], results[2]) else None

    drawn = make(
        reference=lambda n, seed: np.random.default_rng(seed).random(n),
        inputs=((3, 0), (3, 0), (3, 1)),
        accept=accept,
        accept_all=accept_all,
        mistakes=(),
    )
    assert drawn.judge(lambda n, seed: np.random.default_rng([seed, 5]).normal(size=n)).outcome == CORRECT
    buffer = np.zeros(3)

    def one_buffer(n, seed):
        buffer[:] = np.random.default_rng(seed).random(n)
        return buffer

    assert drawn.judge(one_buffer).outcome == CORRECT
    assert not_yet(drawn, lambda n, seed: np.random.default_rng().random(n)).startswith("The same seed")
    assert not_yet(drawn, lambda n, seed: np.arange(n)).startswith("Two seeds")
    assert drawn.example() is None
    not_yet(drawn, lambda n, seed: np.arange(n + 1), "With the arguments 3, 0, wrong length.")


def test_arrays_count_as_tuples():
    pair = make(reference=lambda x: (x, 2 * x), mistakes=())
    for kind in (np.array, Tensor):
        assert pair.judge(lambda x, kind=kind: kind([x, 2 * x])).outcome == CORRECT
        not_yet(pair, lambda x, kind=kind: kind([x, 3 * x]), "value number 2")
        not_yet(pair, lambda x, kind=kind: kind([x, x, x]), "2 values")
    not_yet(pair, lambda x: np.array(x), "2 values")


def test_whole_numbers_are_compared_exactly():
    large = make(reference=lambda x: x, inputs=((10_000_000,), (20_000_000,)), mistakes=())
    not_yet(large, lambda x: x + 1, "not right")
    not_yet(large, lambda x: x + 1.0, "not right")
    places = make(reference=np.argsort, inputs=((np.array([2.0, 1.0, 3.0]),),), mistakes=())
    assert places.judge(lambda x: np.argsort(x).astype(float)).outcome == CORRECT
    not_yet(places, lambda x: np.argsort(x) + 0.4, "3 of 3")


def test_other_kinds_of_real_numbers():
    assert DOUBLE.judge(lambda x: Fraction(2 * x)).outcome == CORRECT
    assert make(inputs=((2**70,),)).judge(_double).outcome == CORRECT


def test_prints_keep_their_lines(capsys):
    def shows(x):
        print(np.arange(4).reshape(2, 2))
        return 2 * x

    DOUBLE.check(shows)
    assert capsys.readouterr().out.startswith("Your code printed:\n  [[0 1]\n   [2 3]]\n  [[0 1]\n")


def test_much_output_is_judged_all_the_same(capsys):
    def shows_much(x):
        print(list(range(5000)))
        for number in range(2000):
            print("window", number)
        return 2 * x

    DOUBLE.check(shows_much)
    out = capsys.readouterr().out
    assert "✔ Correct." in out and "and more, which is not shown" in out and len(out) < 3000


def test_broken_text_is_printed_all_the_same(capsys):
    def answer(x):
        print("half a pair: \ud800")
        raise ValueError("\udfff")

    DOUBLE.check(answer)
    DOUBLE.check(lambda x: "\ud800")
    QUESTION.check("\ud800")
    out = capsys.readouterr().out
    assert out.encode("utf-8") and out.count("✘") == 2


@pytest.mark.parametrize("answer", ["b", "B", " b ", "b)", "(B)", "b.", '"b"', "[b]", "b:"])
def test_letters_are_understood(answer, no_progress):
    assert QUESTION.judge(answer) == engine.Verdict(NOT_YET, "No, the second.")


@pytest.mark.parametrize("answer", [..., "", " ", "…", "...", "zz", "ab", 3, np.ones(3), len, None, b"b", {"b"}])
def test_what_is_no_letter_is_no_attempt(answer, monkeypatch, capsys):
    monkeypatch.setattr(engine, "record", lambda *_, **__: pytest.fail("recorded"))
    assert QUESTION.check(answer) is None
    out = capsys.readouterr().out
    assert out.startswith("○") and "quotation marks" in out.replace("\n", " ")


# ---- code that does not come back -------------------------------------------------------------------------------------


def _swallows_everything(x):
    while True:
        try:
            time.sleep(0.01)
        except:  # noqa: E722
            pass


@needs_alarm
@pytest.mark.timeout(60, method="thread")
def test_bare_except_ends_all_the_same(monkeypatch):
    monkeypatch.setattr(limits, "TIME_LIMIT_SECONDS", 0.5)
    tracer = sys.gettrace()
    not_yet(DOUBLE, _swallows_everything, "still running after 0.5 seconds")
    assert sys.gettrace() is tracer
    assert DOUBLE.judge(_double).outcome == CORRECT


@pytest.mark.timeout(60, method="thread")
def test_time_limit_without_alarm(monkeypatch):
    """As on Windows: no SIGALRM."""
    monkeypatch.setattr(limits, "TIME_LIMIT_SECONDS", 0.5)
    monkeypatch.delattr(signal, "SIGALRM", raising=False)
    for answer in (_endless, _endless_but_handled):
        started = time.monotonic()
        not_yet(DOUBLE, answer, "still running after 0.5 seconds")
        assert time.monotonic() - started < 10
    time.sleep(1.5)
    assert limits.WATCH.job is None and DOUBLE.judge(_double).outcome == CORRECT


STUCK = """
import signal, sys, time
from course_lib.exercises import Coding, limits
if {without_alarm}:
    del signal.SIGALRM
limits.TIME_LIMIT_SECONDS, limits.PATIENCE_SECONDS = 0.5, 1
def answer(x):
    started = time.monotonic()
    while time.monotonic() - started < 5:
        {loop}
    return x
Coding("pairs", "double", lambda x: x, lambda: [(1,)], (), (), (), "Why.").check(answer)
"""
IN_C = "__import__('ctypes').CDLL(None).usleep(500_000)"  # C code that lets other threads run, as NumPy's does
BARE = "\n        ".join(["try: time.sleep(0.01)", "except: pass"])


@pytest.mark.skipif(os.name == "nt", reason="usleep is in the C library of other systems")
@pytest.mark.parametrize(("loop", "without_alarm"), [("time.sleep(0.1)", False), (BARE, True), (IN_C * 1, True)])
def test_a_sentence_says_how_to_interrupt(loop, without_alarm, tmp_path):
    code = STUCK.format(loop=loop, without_alarm=without_alarm)
    if loop == IN_C:
        code = code.replace("500_000", "4_000_000")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "COURSE_WORK": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=60)
    assert done.returncode == 0, done.stderr
    if without_alarm:
        assert "Choose Kernel → Interrupt in the menu; if nothing happens, Kernel → Restart." in done.stdout
        assert done.stdout.index("Kernel → Interrupt") < done.stdout.index("✘" if loop != BARE else "✔")
    else:
        assert "Kernel" not in done.stdout and "still running after 0.5 seconds" in done.stdout


KERNEL = """
from course_lib.exercises import Choice, Coding
exercise = Coding("pairs", "double", lambda x: 2 * x, lambda: [(1,), (2,)], (), (), (), "Two of a kind.")
kept = "still here"
def leaves(x):
    {leave}
    return x
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    manager = KernelManager(kernel_name="python3")
    folder = str(tmp_path_factory.mktemp("work"))
    manager.start_kernel(env={**os.environ, "PYTHONPATH": str(ROOT), "COURSE_WORK": folder})
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run_cell(client, code):
    printed = []

    def keep(message):
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])

    client.execute_interactive(code, timeout=60, output_hook=keep)
    return "".join(printed)


@pytest.mark.parametrize("leave", ["exit()", "quit()", "get_ipython().ask_exit()", "import sys; sys.exit()"])
def test_exit_in_a_kernel_gets_a_sentence(kernel, leave):
    out = run_cell(kernel, KERNEL.format(leave=leave) + "leaves = exercise.check(leaves)")
    assert "your code raised SystemExit" in out and "goes on with ours" in out
    time.sleep(0.5)
    assert run_cell(kernel, "print(kept, leaves(4))") == "still here 8\n"
    assert "bound method" in run_cell(kernel, "print(get_ipython().ask_exit)"), "given back"
