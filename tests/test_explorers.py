"""Every explorer of every lesson, at every extreme of every control; and the base they stand on."""

import base64
import gc
import importlib
import inspect
import io
import pkgutil
import warnings
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import pytest
import traitlets
from PIL import Image

import course_lib
from course_lib import lessons
from course_lib.explorers import Explorer, choice, number, slider, switch
from course_lib.explorers import base as explorer_base

LIBRARY = Path(course_lib.__file__).parent
WIDGET = "application/vnd.jupyter.widget-view+json"


def _explorers():
    """Functions annotated `-> Explorer` of all lessons, by "module.function"."""
    found = {}
    for info in pkgutil.iter_modules(lessons.__path__):
        module = importlib.import_module(f"course_lib.lessons.{info.name}.explorers")
        for name, function in vars(module).items():
            if inspect.isfunction(function) and function.__module__ == module.__name__ and _makes_explorer(function):
                found[f"{info.name}.{name}"] = function
    return found


def _makes_explorer(function):
    return inspect.signature(function).return_annotation in (Explorer, "Explorer")


EXPLORERS = _explorers()


def draw(explorer, **changes):
    """Pixels (h, w, 3) of the picture; a warning from the course's own code is an error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        picture = explorer.render(**changes)
    ours = [warning for warning in caught if LIBRARY in Path(warning.filename).parents]
    assert not ours, f"{changes}: {ours[0].message} ({ours[0].filename}:{ours[0].lineno})"
    assert picture.startswith(b"\x89PNG"), changes
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def check_extremes(explorer):
    """Draw every extreme of every control. Each control must change the picture, alone or after another was moved."""
    default = draw(explorer)
    # Two pixels for each of the page, and shown at the page's size.
    assert default.shape == (*np.round(explorer._figure.get_size_inches() * 200)[::-1], 3)
    assert int(explorer._picture.width) == default.shape[1] // 2
    assert default.std() > 0, "the picture is empty"
    pictures = {}
    for changes in explorer.extremes():
        ((name, value),) = changes.items()
        if value != explorer.values[name]:
            pictures[name, value] = draw(explorer, **changes)
            assert pictures[name, value].shape == default.shape, changes
    moved = {name for (name, _), picture in pictures.items() if not np.array_equal(picture, default)}
    for still in (
        name for name in explorer.controls if name not in moved
    ):  # padding, for instance, shows only for some sizes of the window
        ends = [value for name, value in pictures if name == still]
        assert any(
            not np.array_equal(draw(explorer, **{still: value, name: other}), picture)
            for (name, other), picture in pictures.items()
            if name != still
            for value in ends
        ), f"no extreme of {still!r} changes the picture"
    assert np.array_equal(draw(explorer), default), "the same values gave another picture: `draw` keeps something"


def test_there_are_explorers():
    assert {"convolution.sliding_window", "pooling.window", "activation.neuron"} <= EXPLORERS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPLORERS)
def test_extremes(name):
    check_extremes(EXPLORERS[name]())


@pytest.mark.parametrize("name", EXPLORERS)
def test_words(name):
    """What a reader sees or hears beside the picture."""
    explorer = EXPLORERS[name]()
    assert len(explorer.alt) > 20 and len(explorer.caption) > 20
    assert explorer.alt != explorer.caption
    for key, control in explorer.controls.items():
        assert control.description.strip(), f"the control {key} has no label"
        tooltip = getattr(control, "tooltip", control.description)  # ipywidgets 7.7 has none
        assert tooltip, f"the control {key} would show the word null as its tooltip"
        if not isinstance(control, widgets.Checkbox | widgets.BoundedFloatText):
            assert len(control.description) <= 45, f"the label of {key} is a sentence; the text can say it"
    assert inspect.getdoc(EXPLORERS[name]), f"{name} has no docstring"


@pytest.mark.parametrize("name", EXPLORERS)
def test_all_controls_are_on_the_page(name):
    explorer = EXPLORERS[name]()
    shown = set(map(id, _descendants(explorer._layout(explorer))))
    missing = [key for key, control in explorer.controls.items() if id(control) not in shown]
    assert not missing, f"{missing} are not in the layout"


def _descendants(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _descendants(child)


# ---- the base ---------------------------------------------------------------------------------------------------------


def _line(figure, slope, colour="red", dashed=False):
    if slope == 3:
        raise ValueError("the slope 3 is too steep")
    figure.subplots().plot([0, 1], [0, slope], color=colour, linestyle="--" if dashed else "-")


def _explorer(draw_function=_line, **changes):
    controls = {
        "slope": slider("Slope", 1, 3, 1),
        "colour": choice("Colour", ["red", "blue"]),
        "dashed": switch("Dashed"),
    }
    words = {"alt": "a line that rises from left to right", "caption": "The line is as steep as you make it."}
    return Explorer(draw_function, controls, **{**words, **changes})


def _shown(monkeypatch):
    """What `display` is given from now on: pairs of (data, metadata)."""
    outputs = []

    def display(value, raw=False, metadata=None):
        outputs.append((value if raw else {WIDGET: value}, metadata or {}))

    monkeypatch.setattr(explorer_base, "display", display)
    monkeypatch.setattr(course_lib.plot, "display", display)
    return outputs


def test_show_emits_widget_picture_caption(monkeypatch, capfd):
    outputs = _shown(monkeypatch)
    assert _explorer().show() is None
    (live, _), (still, metadata), (caption, _), (style, _) = outputs
    assert list(live) == [WIDGET] and style["text/html"].startswith("<style")
    assert "image/png" in still and metadata["image/png"]["alt"] == "a line that rises from left to right"
    assert "as steep as you make it" in caption["text/markdown"]
    assert capfd.readouterr() == ("", "")


def test_show_draws_once_and_the_still_picture_is_the_live_one(monkeypatch):
    drawn = []
    explorer = _explorer(lambda figure, **values: drawn.append(values) or _line(figure, **values))
    outputs = _shown(monkeypatch)
    explorer.show()
    still, _ = outputs[1]
    assert len(drawn) == 1
    assert explorer._picture.value == explorer.render()
    still = Image.open(io.BytesIO(base64.b64decode(still["image/png"])))
    live = Image.open(io.BytesIO(explorer._picture.value)).convert("RGB")
    assert still.size == (live.width // 2, live.height // 2)  # the page's pixels: notebooks stay small
    np.testing.assert_array_equal(np.asarray(still), np.asarray(live.reduce(2)))


def test_the_picture_is_what_was_drawn():
    explorer = _explorer()
    picture = np.asarray(Image.open(io.BytesIO(explorer.render())))
    np.testing.assert_array_equal(picture, np.asarray(explorer._canvas.buffer_rgba()))


def test_a_moved_control_redraws_and_set_redraws_once(monkeypatch):
    drawn = []
    explorer = _explorer(lambda figure, **values: drawn.append(values) or _line(figure, **values))
    _shown(monkeypatch)
    explorer.show()
    before = explorer._picture.value
    drawn.clear()
    explorer.controls["slope"].value = 2
    assert drawn == [{"slope": 2, "colour": "red", "dashed": False}]
    assert explorer._picture.value != before
    drawn.clear()
    explorer.set(slope=1, colour="blue", dashed=True)
    assert drawn == [{"slope": 1, "colour": "blue", "dashed": True}]


def test_value_error_becomes_a_sentence_and_the_picture_stays(monkeypatch):
    explorer = _explorer()
    _shown(monkeypatch)
    explorer.show()
    before = explorer._picture.value
    explorer.controls["slope"].value = 3
    assert "the slope 3 is too steep" in explorer._message.value
    assert explorer._picture.value == before
    explorer.controls["slope"].value = 2
    assert explorer._message.value == "" and explorer._picture.value != before


class _ControlOf77(widgets.ValueWidget):
    """A control as in ipywidgets 7.7, where reading `tooltip` raises AttributeError."""

    value = traitlets.Int(1)
    description = traitlets.Unicode("Slope")


@pytest.mark.parametrize("error", [None, ValueError, KeyError])
def test_no_collection_delays_a_picture_and_afterwards_they_go_on(error, monkeypatch):
    collects = []

    def picture(figure, x):
        collects.append(gc.isenabled())
        if len(collects) > 1 and error:
            raise error

    explorer = Explorer(picture, {"x": slider("x", 0, 9, 1)}, alt="Nothing.", caption="None.")
    monkeypatch.setattr(explorer_base, "display", lambda *_, **__: None)
    explorer.show()
    try:
        explorer.set(x=2)
    except KeyError:
        assert error is KeyError
    assert collects == [True, False] and gc.isenabled()


def test_controls_without_a_tooltip_build_and_answer(monkeypatch):
    _shown(monkeypatch)
    slope = _ControlOf77()
    explorer = Explorer(_line, {"slope": slope}, alt="a line that rises", caption="As steep as you make it.")
    explorer.show()
    before = explorer._picture.value
    slope.value = 2
    assert explorer._message.value == "" and explorer._picture.value != before


def test_message_shows_no_markup_of_the_error(monkeypatch):
    def draw_function(figure, **values):
        raise ValueError("needs 1 < k < 5 & k odd")

    explorer = _explorer(draw_function)
    explorer._update()
    assert "needs 1 &lt; k &lt; 5 &amp; k odd" in explorer._message.value


def test_two_explorers_do_not_share_a_figure():
    first, second = _explorer(), _explorer()
    picture = first.render()
    second.render(slope=2)
    assert first.render() == picture


def test_extremes_are_the_ends_of_every_control():
    assert list(_explorer().extremes()) == [
        {"slope": 1},
        {"slope": 3},
        {"colour": "red"},
        {"colour": "blue"},
        {"dashed": False},
        {"dashed": True},
    ]


@pytest.mark.parametrize(
    "control", [slider("Size", 0, 5, 2), slider("Rate", 0.0, 1.0, 0.5), number("Weight", -9, 9, 1)], ids=str
)
def test_number_controls_stay_in_range(control):
    control.value = 99
    assert control.value == control.max
    control.value = -99
    assert control.value == control.min


def test_slider_of_whole_numbers_gives_whole_numbers():
    assert isinstance(slider("Size", 0, 5, 2), widgets.IntSlider)
    assert isinstance(slider("Size", 0, 5, 2, step=0.5), widgets.FloatSlider)


# ---- the checks above catch what they are for --------------------------------------------------------------------------


def _warns(figure, **values):
    warnings.warn_explicit("divide by zero", RuntimeWarning, str(LIBRARY / "explore" / "broken.py"), 1)
    _line(figure, **values)


def _keeps(figure, seen=[], **values):  # noqa: B006
    seen.append(1)
    figure.subplots().plot([0, len(seen)], [0, values["slope"]])


@pytest.mark.parametrize(
    ("draw_function", "complaint"),
    [
        (_line, "too steep"),  # an extreme that raises
        (_warns, "divide by zero"),
        (lambda figure, slope, dashed, **_: figure.subplots().plot([0, slope, dashed]), "no extreme of 'colour'"),
        (lambda figure, **_: None, "empty"),
        (lambda figure, slope, colour, dashed: _keeps(figure, slope=slope), "keeps something|no extreme"),
    ],
)
def test_a_broken_explorer_is_caught(draw_function, complaint):
    with pytest.raises((AssertionError, ValueError), match=complaint):
        check_extremes(_explorer(draw_function))
