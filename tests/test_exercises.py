"""The exercises of all lessons (every right answer passes, every usual mistake gets its own sentence), the engine
that checks them whatever a student's code does, and the progress it keeps."""

import ast
import datetime
import importlib
import inspect
import json
import os
import pkgutil
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from course_lib import ROOT, lessons
from course_lib.exercises import engine, store
from course_lib.exercises.engine import CORRECT, NOT_ATTEMPTED, NOT_YET, Choice, Coding, Mistake


def _modules():
    names = [info.name for info in pkgutil.iter_modules(lessons.__path__)]
    return {name: importlib.import_module(f"course_lib.lessons.{name}.exercises") for name in names}


MODULES = _modules()
EXERCISES = {
    f"{module}.{name}": exercise
    for module, content in MODULES.items()
    for name, exercise in vars(content).items()
    if isinstance(exercise, Coding | Choice)
}
CODING = [name for name, exercise in EXERCISES.items() if isinstance(exercise, Coding)]
CHOICES = [name for name, exercise in EXERCISES.items() if isinstance(exercise, Choice)]


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A busy machine must not make a right answer late; the tests of the limit set their own."""
    monkeypatch.setattr(engine, "TIME_LIMIT_SECONDS", 120)


# ---- every exercise of every lesson ----------------------------------------------------------------------------------


def test_there_are_exercises():
    assert {"convolution.output_size", "convolution.flipping", "start_here.area_mm2"} <= EXERCISES.keys()


def test_every_module_has_its_topic():
    assert {name: module.TOPIC for name, module in MODULES.items()} == {name: name for name in MODULES}


@pytest.mark.parametrize("name", MODULES)
def test_module(name):
    module = MODULES[name]
    own = {key: exercise for key, exercise in vars(module).items() if isinstance(exercise, Coding | Choice)}
    assert own, "no exercise in this module"
    assert {exercise.topic for exercise in own.values()} == {module.TOPIC}
    assert all(exercise.name == key for key, exercise in own.items()), "an exercise is called otherwise in its module"
    assert module.progress is store.progress


def check_right_answers(exercise):
    assert exercise.also_correct, "there must be a correct answer in another style"
    for answer in (exercise.reference, *exercise.also_correct):
        verdict = exercise.judge(answer)
        assert (verdict.outcome, verdict.message) == (CORRECT, exercise.why), inspect.getsource(answer)


def check_mistakes(exercise):
    assert len(exercise.mistakes) >= 3
    messages = [mistake.message for mistake in exercise.mistakes]
    assert len(set(messages)) == len(messages), "two mistakes have the same message"
    for mistake in exercise.mistakes:
        verdict = exercise.judge(mistake.answer)
        assert verdict.outcome == NOT_YET, f"accepted, but should get: {mistake.message}"
        assert verdict.message == mistake.message


@pytest.mark.parametrize("name", CODING)
def test_right_answers_pass(name):
    check_right_answers(EXERCISES[name])


@pytest.mark.parametrize("name", CODING)
def test_every_mistake_gets_its_own_sentence(name):
    check_mistakes(EXERCISES[name])


@pytest.mark.parametrize("name", CODING)
def test_untouched_coding_exercise_is_not_attempted(name):
    def raises(*_):
        raise NotImplementedError

    for untouched in (..., lambda *_: ..., lambda *_: (..., ...), raises):
        assert EXERCISES[name].judge(untouched).outcome == NOT_ATTEMPTED


@pytest.mark.parametrize("name", CODING)
def test_inputs_are_the_same_each_time(name):
    exercise = EXERCISES[name]
    assert len(exercise.inputs()) >= 1
    for first, second in zip(exercise.inputs(), exercise.inputs(), strict=True):
        assert all(callable(a) and callable(b) or engine._same(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", EXERCISES)
def test_sentences(name):
    exercise = EXERCISES[name]
    if isinstance(exercise, Coding):
        sentences = [exercise.why, *exercise.hints, *(mistake.message for mistake in exercise.mistakes)]
        assert 2 <= len(exercise.hints) <= 4
    else:
        sentences = [*exercise.replies.values(), *exercise.hints]
        assert len(exercise.hints) >= 1
    assert len(set(sentences)) == len(sentences)
    for sentence in sentences:
        assert len(sentence) >= 15 and sentence.rstrip("`'\")").endswith((".", "?", "!")), sentence


def _spoken(exercise):
    """All that an exercise may say before it is solved: hints, and the sentences for mistakes."""
    return [*exercise.hints, *(mistake.message for mistake in exercise.mistakes)]


def _returned(function):
    """The expressions that a function returns, as source without spaces; names and constants alone do not count."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Return) and node.value is not None]
    return [_squeezed(ast.unparse(value)) for value in values if not isinstance(value, ast.Name | ast.Constant)]


def _squeezed(text):
    return re.sub(r"[\s`()]", "", text).replace("·", "*").replace("×", "*").replace("−", "-")


def _numbers_in(value):
    """All numbers in nested arguments or results, or in a text."""
    if isinstance(value, str):
        return {float(text) for text in re.findall(r"\d+(?:\.\d+)?", value)}
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list | tuple):
        return set().union(*map(_numbers_in, value))
    array = engine._as_numbers(value)
    return set() if array is None else {float(number) for number in np.abs(array).ravel()}


def check_nothing_is_given_away(exercise):
    for sentence in _spoken(exercise):
        for expression in _returned(exercise.reference):
            assert expression not in _squeezed(sentence), f"this gives the answer: {sentence}"
    if exercise.accept is not None:
        return
    inputs = exercise.inputs()
    results = [engine._run(exercise.reference, arguments) for arguments in inputs]
    if all(engine._as_numbers(result) is not None and np.ndim(result) == 0 for result in results):
        # Small numbers occur in every sentence; a larger one that is a result, and was not given, is told.
        told = {number for number in _numbers_in(results) - _numbers_in(inputs) if number >= 10}
        for sentence in _spoken(exercise):
            assert not _numbers_in(sentence) & told, f"this gives a result: {sentence}"
        for arguments, result in zip(inputs, results, strict=True):
            complaint = exercise._complaint(987654.25, arguments)
            assert str(result) not in re.findall(r"[\d.]*\d", complaint), complaint


@pytest.mark.parametrize("name", CODING)
def test_nothing_is_given_away(name):
    check_nothing_is_given_away(EXERCISES[name])


@pytest.mark.parametrize("name", CHOICES)
def test_every_option_gets_its_reply(name):
    exercise = EXERCISES[name]
    assert len(exercise.replies) >= 3 and list(exercise.replies) == sorted(exercise.replies)
    for letter, reply in exercise.replies.items():
        outcome = CORRECT if letter == exercise.answer else NOT_YET
        assert exercise.judge(letter) == engine.Verdict(outcome, reply)
        assert exercise.judge(f" {letter.upper()} ").outcome == outcome
    assert exercise.judge(...).outcome == NOT_ATTEMPTED
    assert exercise.judge("").outcome == NOT_ATTEMPTED
    wrong = exercise.judge("z")
    assert wrong.outcome == NOT_YET and '"z"' not in wrong.message.split(";")[0]


@pytest.mark.parametrize("name", CODING)
def test_solution_is_the_source_of_the_reference(name, capsys):
    EXERCISES[name].solution()
    source = capsys.readouterr().out
    assert source.startswith("def ") and "return " in source
    compile(source, name, "exec")


# ---- the engine: whatever an answer does, a sentence comes back ------------------------------------------------------


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
    not_yet(ARRAY, lambda x: 2 * x.T, "wrong shape: (3, 2)")
    not_yet(DOUBLE, lambda x: [2 * x], "wrong shape: (1,)")
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
    not_yet(whole, lambda x: 2.0 * x, "whole number", "2.0")
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
    not_yet(ARRAY, lambda x: Tensor(2 * x.T), "wrong shape")


def test_changed_inputs():
    def in_place(x):
        x *= 2
        return x

    def appends(x):
        x.append(1)
        return x * 2

    not_yet(ARRAY, in_place, "changed its input", "x.copy()")
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
    assert "(Your code printed: now at 1.0 and here now at 2.5" in out and "✔ Correct." in out
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
    not_yet(DOUBLE, lambda x: list(range(10**6)), "wrong shape")
    not_yet(DOUBLE, lambda x: [str(number) for number in range(10**5)], "must be a number")
    not_yet(DOUBLE, lambda x: np.broadcast_to(np.uint8(1), (10**6, 10**6)), "wrong shape: (1000000, 1000000)")
    not_yet(DOUBLE, lambda x: 10**5000, "must be a number")
    assert time.monotonic() - started < 20


def test_long_lists_are_not_written_out():
    written = []

    class Item:
        def __repr__(self):
            written.append(1)
            return "item"

    assert engine._shown([Item()] * 100_000).startswith("[item, item")
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
    monkeypatch.setattr(engine, "TIME_LIMIT_SECONDS", 0.5)
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
    assert [line[:9] for line in lines] == ["Hint 1 of", "Hint 2 of", "That was ", "That was "]


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


# ---- progress ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def work(tmp_path, monkeypatch):
    folder = tmp_path / "my work"
    monkeypatch.setenv("COURSE_WORK", str(folder))
    return folder


def _kept(folder):
    return json.loads((folder / "progress.json").read_text(encoding="utf-8"))


def test_check_keeps_progress(work, capsys):
    exercise = make()
    exercise.check(...)
    assert not (work / "progress.json").exists(), "what was not attempted is not an attempt"
    exercise.check(lambda x: x)
    assert _kept(work) == {"pairs": {"double": {"attempts": 1, "correct": False}}}
    exercise.check(_double)
    exercise.check(lambda x: x)
    entry = _kept(work)["pairs"]["double"]
    assert (entry["attempts"], entry["correct"]) == (3, True), "what was correct once stays correct"
    assert entry["since"] == datetime.date.today().isoformat()


def test_work_folder(work, monkeypatch):
    from course_lib import work_folder

    assert work_folder() == work
    monkeypatch.setenv("COURSE_WORK", "")
    assert work_folder() == ROOT / "work"


def _python(code, **options):
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, **options)


def test_two_notebooks_at_once_lose_nothing(work):
    code = "from course_lib.exercises.store import record\nfor _ in range(50): record('pairs', 'double', correct=False)"
    both = [_python(code, stdout=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate(timeout=120)[0] for process in both] == [b"", b""]
    assert _kept(work)["pairs"]["double"]["attempts"] == 100


def test_crash_between_write_and_replace(work, capsys):
    store.record("pairs", "double", correct=True)
    before = (work / "progress.json").read_bytes()
    crash = (
        "import os\nfrom course_lib.exercises import store\n"
        "store.os.replace = lambda *_: os._exit(7)\nstore.record('pairs', 'double', correct=False)"
    )
    assert _python(crash).wait(timeout=60) == 7
    assert (work / "progress.json").read_bytes() == before
    assert len(list(work.glob(".progress-*.json"))) == 1  # what the crash left behind is ignored
    store.record("pairs", "double", correct=False)
    assert _kept(work)["pairs"]["double"]["attempts"] == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"01": {"correlate"',
        b"\xff\xfe\x00",
        b"[1, 2]",
        b'{"01": 3}',
        b'{"01": {"a": {"attempts": "x", "correct": true}}}',
    ]
    + [b"[" * 100_000, b'{"01": {"a": {"attempts": 1, "correct": "yes"}}}'],
)
def test_damaged_file_is_set_aside(work, capsys, content):
    work.mkdir()
    for number in (1, 2):
        (work / "progress.json").write_bytes(content)
        store.record("pairs", "double", correct=True)
        assert f"progress.damaged-{number}.json" in capsys.readouterr().out
        assert (work / f"progress.damaged-{number}.json").read_bytes() == content
        assert _kept(work)["pairs"]["double"]["attempts"] == 1


def test_progress_that_cannot_be_kept(tmp_path, monkeypatch, capsys):
    in_the_way = tmp_path / "work"
    in_the_way.write_text("a file, where the folder should be")
    monkeypatch.setenv("COURSE_WORK", str(in_the_way))
    DOUBLE.check(_double)
    out = capsys.readouterr().out
    assert "✔ Correct." in out and "could not be saved" in out
    store.progress()
    assert "could not be read" in capsys.readouterr().out
    assert in_the_way.read_text() == "a file, where the folder should be"


def test_full_disk_leaves_nothing_behind(work, monkeypatch, capsys):
    store.record("pairs", "double", correct=True)
    before = (work / "progress.json").read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "fsync", full)
    store.record("pairs", "double", correct=False)
    assert "No space left" in capsys.readouterr().out
    assert (work / "progress.json").read_bytes() == before
    assert not list(work.glob(".progress-*.json"))


def test_somebody_holds_the_lock(work, monkeypatch, capsys):
    work.mkdir()
    monkeypatch.setattr(store, "FileLock", lambda path, timeout: FileLock(path, timeout=0.2))
    other = FileLock(work / ".progress.lock", is_singleton=False)
    with other:
        store.record("pairs", "double", correct=True)
    assert "could not be saved" in capsys.readouterr().out
    store.record("pairs", "double", correct=True)
    assert _kept(work)["pairs"]["double"]["attempts"] == 1


def test_progress_table(work, capsys):
    store.record("convolution", "output_size", correct=True)
    store.record("convolution", "output_size", correct=False)
    store.record("convolution", "correlate", correct=False)
    store.record("98", "of_an_older_edition", correct=True)
    store.progress()
    out = capsys.readouterr().out
    assert re.search(r"✔ output_size +2 attempts\n", out)
    assert re.search(r"✘ correlate +1 attempt\n", out)
    assert re.search(r"○ flipping +open\n", out)
    lessons = re.findall(r"^Lesson (\w+): (\d+) of (\d+) correct$", out, re.M)
    assert [lesson for lesson, *_ in lessons] == sorted({exercise.topic for exercise in EXERCISES.values()})
    assert sum(int(count) for *_, count in lessons) == len(EXERCISES)
    assert [done for lesson, done, _ in lessons if lesson == "convolution"] == ["1"]
    assert _kept(work)["98"], "what this version does not know is kept"


# ---- the checks above catch what they are for --------------------------------------------------------------------------

_SUM = {
    "reference": _double,
    "mistakes": (
        Mistake(lambda x: x + 2, "You add 2 where the task says twice."),
        Mistake(lambda x: 3 * x, "You take it three times."),
        Mistake(lambda x: x**2, "You multiply it by itself."),
    ),
}


@pytest.mark.parametrize(
    ("check", "changes", "complaint"),
    [
        (check_right_answers, {"also_correct": ()}, "another style"),
        (check_right_answers, {"also_correct": (lambda x: x,)}, "not yet"),
        (check_right_answers, {"reference": lambda x: x / 0}, "not yet"),
        (check_mistakes, {"mistakes": _SUM["mistakes"][:2]}, ">= 3"),
        (check_mistakes, {"mistakes": (*_SUM["mistakes"], Mistake(lambda x: 2 * x, "But it is right."))}, "accepted"),
        (check_mistakes, {"mistakes": (*_SUM["mistakes"], Mistake(lambda x: x + x + x, "Same."))}, "three times"),
        (check_mistakes, {"inputs": [(2.0,)]}, "accepted"),  # 2 + 2 = 2 · 2: the input tells nothing apart
        (
            check_mistakes,
            {"mistakes": (*_SUM["mistakes"], Mistake(lambda x: None, _SUM["mistakes"][0].message))},
            "two",
        ),
        (check_nothing_is_given_away, {"hints": ("Write `2 * x`.",)}, "gives the answer"),
        (check_nothing_is_given_away, {"inputs": [(7.0,)], "hints": ("For 7 it is 14.",)}, "gives a result"),
    ],
)
def test_a_broken_exercise_is_caught(check, changes, complaint):
    check(make(**_SUM))
    with pytest.raises(AssertionError, match=complaint):
        check(make(**{**_SUM, **changes}))
