"""The exercises of all lessons (every right answer passes, every usual mistake gets its own sentence), the engine
that checks them whatever a student's code does, and the progress it keeps."""

import ast
import importlib
import inspect
import pkgutil
import re
import textwrap

import numpy as np
import pytest

from course_lib import lessons
from course_lib.exercises import compare, engine, limits, store
from course_lib.exercises.engine import CORRECT, NOT_ATTEMPTED, NOT_YET, Choice, Coding, Mistake, Wrong


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
    monkeypatch.setattr(limits, "TIME_LIMIT_SECONDS", 120)


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


def as_array(result):
    array = compare.as_numbers(result) if isinstance(result, tuple) else None
    return result if array is None else array


def as_lists(result):
    if isinstance(result, tuple):
        return [as_lists(part) for part in result]
    return result.tolist() if isinstance(result, np.ndarray) else result


def as_floats(result):
    if isinstance(result, tuple):
        return tuple(map(as_floats, result))
    array = compare.as_numbers(result)
    return result if array is None or array.dtype.kind == "b" else array.astype(float)


@pytest.mark.parametrize("style", [as_array, as_lists, as_floats])
@pytest.mark.parametrize("name", CODING)
def test_right_results_pass_in_any_form(name, style):
    reference = EXERCISES[name].reference

    def answer(*arguments):
        print("looking at", arguments)
        return style(reference(*arguments))

    verdict = EXERCISES[name].judge(answer)
    assert verdict.outcome == CORRECT, verdict


def kind(result):
    """What a lesson may rely on in a result."""
    if isinstance(result, tuple):
        return tuple(map(kind, result))
    return (np.asarray(result).dtype.kind, np.ndim(result), isinstance(result, np.ndarray | list | dict))


@pytest.mark.parametrize("name", CODING)
def test_the_lesson_can_go_on_with_every_right_answer(name, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_WORK", str(tmp_path))
    exercise = EXERCISES[name]
    for answer in (exercise.reference, *exercise.also_correct):
        function = exercise.check(answer)
        assert capsys.readouterr().out.endswith("The lesson goes on with your function.\n")
        for arguments in exercise.inputs():
            expected, result = compare.run(exercise.reference, arguments), function(*arguments)
            if exercise.accept is None:
                assert compare.same(result, expected, equal_nan=True) and kind(result) == kind(expected)
    assert "ours" not in capsys.readouterr().out


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
        assert all(callable(a) and callable(b) or compare.same(a, b) for a, b in zip(first, second, strict=True))


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
    array = compare.as_numbers(value)
    return set() if array is None else {float(number) for number in np.abs(array).ravel()}


def check_nothing_is_given_away(exercise):
    for sentence in _spoken(exercise):
        for expression in _returned(exercise.reference):
            assert expression not in _squeezed(sentence), f"this gives the answer: {sentence}"
    if exercise.accept is not None:
        return
    inputs = exercise.inputs()
    results = [compare.run(exercise.reference, arguments) for arguments in inputs]
    if all(compare.as_numbers(result) is not None and np.ndim(result) == 0 for result in results):
        # Small numbers occur in every sentence; a larger one that is a result, and was not given, is told.
        told = {number for number in _numbers_in(results) - _numbers_in(inputs) if number >= 10}
        for sentence in _spoken(exercise):
            assert not _numbers_in(sentence) & told, f"this gives a result: {sentence}"
        for arguments, result in zip(inputs, results, strict=True):
            complaint = exercise._complaint(987654.25, arguments, result)
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
    assert wrong.outcome == NOT_ATTEMPTED and '"z"' not in wrong.message.split(";")[0]


def check_solution_runs(exercise, capsys):
    exercise.solution()
    namespace = {}
    exec(compile(capsys.readouterr().out, exercise.name, "exec"), namespace)
    pasted = namespace[exercise.name]
    assert exercise.judge(pasted).outcome == CORRECT
    return pasted


@pytest.mark.parametrize("name", CODING)
def test_solution_runs_when_pasted(name, capsys):
    exercise = EXERCISES[name]
    pasted = check_solution_runs(exercise, capsys)
    assert len(inspect.signature(pasted).parameters) == len(exercise.inputs()[0])


# ---- wrong answers by another author, and inputs that tell -------------------------------------------------------------


def check_wrong_answers(exercise):
    """Each wrong answer of the second list is refused, and also on its own argument, where the reference passes."""
    for number, wrong in enumerate(exercise.wrong, start=1):
        inputs = wrong.differs_on if isinstance(wrong.differs_on, list) else [wrong.differs_on]
        assert exercise.judge(exercise.reference, inputs).outcome == CORRECT, f"number {number}: no argument for it"
        assert exercise.judge(wrong.answer, inputs).outcome == NOT_YET, f"number {number} does not differ there"
        assert exercise.judge(wrong.answer).outcome == NOT_YET, f"number {number} is accepted"


@pytest.mark.parametrize("name", CODING)
def test_wrong_answers_by_another_author_are_refused(name):
    exercise = EXERCISES[name]
    check_wrong_answers(exercise)
    assert len(exercise.wrong) >= 6


def faults_of_inputs(exercise):
    """What is missing in the inputs of an exercise, as far as a machine can see it."""
    inputs = exercise.inputs()
    if not compare.is_printable(inputs[0]):
        yield "the first input is too large to be printed in full"
    arrays = [part for arguments in inputs for part in arguments if isinstance(part, np.ndarray)]
    if exercise.integers and arrays and not any(array.dtype.kind in "iu" for array in arrays):
        yield "no array of whole numbers is among the inputs (integers=False where that makes no sense)"
    for mistake in () if exercise.accept_all else exercise.mistakes:
        telling = sum(exercise.judge(mistake.answer, [arguments]).outcome == NOT_YET for arguments in inputs)
        if telling < min(2, len(inputs)):
            yield f"only {telling} input tells from the right answer: {mistake.message}"


@pytest.mark.parametrize("name", CODING)
def test_inputs_are_awkward(name):
    assert not list(faults_of_inputs(EXERCISES[name]))


# ---- the checks above catch what they are for --------------------------------------------------------------------------


def _double(x):
    return 2 * x


def make(**changes):
    settings = {
        "topic": "pairs",
        "name": "double",
        "reference": _double,
        "inputs": [(1.0,), (2.5,)],
        "also_correct": (lambda x: x + x,),
        "hints": ("Think of a pair.", "A pair of what?"),
        "why": "Two of a kind.",
        **changes,
    }
    return Coding(**{**settings, "inputs": lambda: settings["inputs"]})


_SUM = {
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
        (check_wrong_answers, {"wrong": (Wrong(lambda x: x + x, (3.0,)),)}, "number 1 does not differ there"),
        (check_wrong_answers, {"wrong": (Wrong(lambda x: 2 * x if x < 9 else x, (9.0,)),)}, "number 1 is accepted"),
        (check_wrong_answers, {"wrong": (Wrong(lambda x: x, ("a", 1)),)}, "number 1: no argument"),
        (check_nothing_is_given_away, {"inputs": [(7.0,)], "hints": ("For 7 it is 14.",)}, "gives a result"),
    ],
)
def test_a_broken_exercise_is_caught(check, changes, complaint):
    check(make(**_SUM))
    with pytest.raises(AssertionError, match=complaint):
        check(make(**{**_SUM, **changes}))


FACTOR = 2
local = 3  # no part of the solution, which has its own


def _times(x):
    return x * FACTOR


def _by_recursion(x, part=FACTOR):
    local = np.minimum(part, 1)
    return _times(x) if x <= 1 else _times(local) + _by_recursion(x - 1)


def test_solution_brings_what_it_needs(capsys):
    exercise = make(**_SUM | {"reference": _by_recursion, "inputs": [(3,), (4,)]})
    exercise.solution()
    source = capsys.readouterr().out
    assert [line for line in source.splitlines() if line and line[0] != " "] == [
        "import numpy as np",
        "FACTOR = 2",
        "def _times(x):",
        "def double(x, part=FACTOR):",
    ]
    namespace = {}
    exec(source, namespace)
    assert namespace["double"](5) == 10


def test_faults_of_inputs_are_found():
    image = np.arange(6).reshape(2, 3)
    good = {**_SUM, "inputs": [(image,), (image / 4,)]}
    assert list(faults_of_inputs(make(**good))) == []
    assert "too large" in next(faults_of_inputs(make(**good | {"inputs": [(np.arange(99),), (image / 4,)]})))
    floats = [(image / 4,), (image / 2,)]
    assert "whole numbers" in next(faults_of_inputs(make(**good | {"inputs": floats})))
    assert list(faults_of_inputs(make(**good | {"inputs": floats, "integers": False}))) == []
    assert "only 1 input tells" in next(faults_of_inputs(make(**_SUM | {"inputs": [(2.0,), (3.0,)]})))  # 2 + 2 = 2 · 2
