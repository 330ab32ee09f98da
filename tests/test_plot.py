"""The recurring figures: what they show, and that every one has its words."""

import base64
import io
import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from course_lib import plot

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def ax():
    figure, ax = plt.subplots(figsize=(3, 2))
    yield ax
    figure.canvas.draw()  # whatever was put on the axes can be drawn, too
    plt.close(figure)


@pytest.fixture
def outputs(monkeypatch):
    """What is displayed from now on: pairs of (data, metadata)."""
    found = []
    monkeypatch.setattr(plot, "display", lambda data, metadata=None, raw=False: found.append((data, metadata)))
    return found


def test_show_displays_picture_then_caption_and_closes(outputs, capfd):
    figure, axes = plt.subplots()
    axes.plot([1, 2])
    assert plot.show(figure, alt="a rising line", caption="It rises.") is None
    (picture, metadata), (caption, _) = outputs
    assert metadata == {"image/png": {"alt": "a rising line"}}
    assert "a rising line" in picture["text/plain"]
    assert caption["text/markdown"] == "**Figure.** It rises."
    assert not plt.fignum_exists(figure.number), "an open figure would be displayed a second time"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("alt", "caption", "missing"), [("", "words", "alt"), ("words", "\n ", "caption")])
def test_show_demands_words(outputs, alt, caption, missing):
    with pytest.raises(ValueError, match=f"`{missing}` is empty"):
        plot.show(Figure(), alt, caption)
    assert not outputs


def test_clip_is_an_animation_that_ends(outputs):
    frames = np.zeros((4, 6, 8))
    frames[0], frames[1, 0], frames[3] = 1, 2, 3  # the third frame is a repetition of nothing: black
    plot.clip(frames, alt="a square that flickers", caption="It flickers.", frame_ms=40, repeats=2, width=99)
    (picture, metadata), (caption, _) = outputs
    assert metadata == {"image/png": {"alt": "a square that flickers", "width": 99}}
    assert caption["text/markdown"] == "**Figure.** It flickers."
    animation = Image.open(io.BytesIO(base64.b64decode(picture["image/png"])))
    assert (animation.n_frames, animation.info["loop"], animation.size) == (4, 2, (8, 6))
    shown = []
    for number in range(4):
        animation.seek(number)
        assert animation.info["duration"] == 40
        shown.append(np.asarray(animation.convert("L")))
    assert np.allclose(np.array(shown) / 255, frames / 3, atol=1 / 40)


def test_clip_in_a_window(outputs):
    plot.clip(np.arange(24.0).reshape(2, 3, 4), alt="a ramp", caption="It rises.", frame_ms=40, window=(6, 18))
    animation = Image.open(io.BytesIO(base64.b64decode(outputs[0][0]["image/png"])))
    first = np.asarray(animation.convert("L"))
    assert (first.ravel()[:7] == 0).all() and first.ravel()[-1] == pytest.approx(255 * 5 / 12, abs=6)


def test_png_is_the_same_each_time():
    def picture():
        figure, axes = plt.subplots()
        axes.plot([3, 1, 2])
        data = plot.png(figure)
        plt.close(figure)
        return data

    assert picture() == picture()
    info = Image.open(io.BytesIO(picture())).info
    assert set(info) <= {"dpi"}, "a version or a date in the file would change it without need"


def test_image(ax):
    drawn = plot.image(ax, np.arange(12.0).reshape(3, 4), "twelve")
    assert drawn.get_clim() == (0, 11) and drawn.get_cmap().name == "gray"
    assert ax.get_title() == "twelve" and list(ax.get_xticks()) == []
    assert plot.image(ax, np.arange(12.0).reshape(3, 4), window=(2, 5)).get_clim() == (2, 5)
    plot.image(ax, np.zeros((2, 2)), colour_bar=True)
    plot.image(ax, np.full((2, 2), np.nan))
    plot.image(ax, np.ones((2, 2, 3)))


@pytest.mark.parametrize("values", [[[-1.0, 3.0]], [[1.0, 3.0]], [[0.0, 0.0]], [[np.nan, -3.0]]])
def test_signed_has_white_at_zero(ax, values):
    drawn = plot.signed(ax, np.array(values))
    low, high = drawn.get_clim()
    assert low == -high
    assert drawn.norm(0.0) == 0.5
    blue, red = drawn.get_cmap()(0.0), drawn.get_cmap()(1.0)
    assert blue[2] > blue[0] and red[0] > red[2]


def test_signed_limit(ax):
    assert plot.signed(ax, np.array([[-1.0, 3.0]]), limit=2).get_clim() == (-2, 2)


def test_frame_lies_around_its_pixels():
    frame = plot.frame(row=1, column=2, height=3, width=4)
    assert frame.get_bbox().extents.tolist() == [1.5, 0.5, 5.5, 3.5]  # pixel (1, 2) is drawn from 0.5 and 1.5 on


def test_numbers(ax):
    plot.numbers(ax, [[1, -2.5], [np.nan, 0]], "four", highlight=[(0, 1, 1, 1)])
    texts = {text.get_position(): text.get_text() for text in ax.texts}
    assert texts == {(0, 0): "1", (1, 0): "-2.5", (1, 1): "0"}  # (column, row); NaN leaves its cell empty
    assert len(ax.patches) == 1
    bottom, top = ax.get_ylim()
    assert bottom > top, "row 0 is at the top"


@pytest.mark.parametrize("matrix", [np.zeros((2, 2)), np.full((2, 2), np.nan), [[np.inf, 1.0]], np.eye(12), [[True]]])
def test_numbers_that_are_hard_to_shade(ax, matrix):
    plot.numbers(ax, matrix)
    assert len(ax.texts) == np.isfinite(matrix).sum() + np.isinf(matrix).sum()


def test_numbers_are_shaded_by_sign_and_size(ax):
    plot.numbers(ax, [[-4.0, 0.0, 2.0]], limit=4)
    mesh = ax.collections[0]
    colours = mesh.cmap(mesh.norm(mesh.get_array()))
    blue, white, red = colours.reshape(3, 4)
    assert blue[2] > blue[0] and red[0] > red[2]
    assert np.ptp(white[:3]) < 0.02
    assert colours.reshape(3, 4)[:, :3].mean(axis=1).min() > 0.6, "black digits could not be read"


@pytest.mark.parametrize("shape", [(3,), (2, 2, 1), ()])
def test_numbers_draws_tables_only(shape):
    with pytest.raises(ValueError, match="draws a table"):
        plot.numbers(None, np.zeros(shape))


def test_lines_differ_in_print_too():
    """Neighbours in the cycle differ in lightness (CIE luminance), not in hue alone."""
    lightness = [np.dot([0.2126, 0.7152, 0.0722], np.array(to_rgb(colour)) ** 2.2) for colour in plot.COLOURS.values()]
    cycle = [entry["color"] for entry in plt.rcParams["axes.prop_cycle"]]
    assert cycle == list(plot.COLOURS.values())[:6]
    assert all(abs(a - b) > 0.05 for a, b in itertools.pairwise(lightness[:6]))
