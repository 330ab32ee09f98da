"""The base of all explorers: controls, and one picture that follows them."""

import gc
import html
import io
import struct
import zlib

import ipywidgets as widgets
import numpy as np
from IPython.display import display
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from course_lib import plot


def _labelled(label):
    # A label of any length stays whole, and leaves room for its control.
    width = max(340, 180 + 7 * len(label))
    return {"description": label, "style": {"description_width": "initial"}, "layout": {"width": f"{width}px"}}


# A live explorer hides the still picture that follows it in the same output. Where no kernel runs, this
# style sheet is not there either, and the reader sees the still picture.
_HIDE_STILL = "<style>.jp-OutputArea-child:has(.course-explorer) + :has(img) { display: none }</style>"
# A notebook that was saved live and opened again would say "model not found" above the still picture.
_HIDE_LOST = '<style class="course-lost">.jp-OutputArea-output.jupyter-widgets:not(:has(*)) { display: none }</style>'

_DPI, _SHARP = 100, 2  # pixels of the page for an inch, and of the live picture for one of those
_ONLY_FOR_SCREEN_READERS = "position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%)"


def slider(label, low, high, value, step=1):
    """A slider with a visible label; whole numbers if `low`, `high`, `value` and `step` all are."""
    kind = widgets.IntSlider if all(isinstance(v, int) for v in (low, high, value, step)) else widgets.FloatSlider
    return kind(min=low, max=high, value=value, step=step, **_labelled(label))


def choice(label, options, value=None):
    """A drop-down list with a visible label; `options` is a list of texts, `value` defaults to the first."""
    return widgets.Dropdown(options=list(options), value=value or next(iter(options)), **_labelled(label))


def switch(label, value=False):
    """A check box with a visible label."""
    layout = {"width": "auto", "min_width": "340px"}
    return widgets.Checkbox(description=label, value=value, indent=False, layout=layout)


def number(label, low, high, value, step=1.0):
    """A small box to type a number into, for tables: its label is the tooltip, and is read out by screen readers."""
    options = {"min": low, "max": high, "value": value, "step": step, "style": {"description_width": "0px"}}
    return widgets.BoundedFloatText(description=label, layout={"width": "72px"}, **options)


def rows(*items):
    """Widgets side by side, wrapped into rows where the page is narrow."""
    return widgets.HBox(items, layout={"flex_flow": "row wrap", "grid_gap": "0 16px"})


class Explorer:
    """Controls and one picture that follows them.

    draw: function (figure, **values) that draws on an empty matplotlib figure and reads nothing else, so that
        a test can draw every extreme of every control. A ValueError it raises is shown to the reader as a sentence.
    controls: dict from the names of `draw`'s arguments to widgets with a `value`.
    alt, caption: alternative text and caption of the picture, as for `plot.show`.
    size: the figure's width and height in inches.
    layout: function from the explorer to the widget that arranges its controls; by default they stand in rows.

    One figure is reused, drawn with Agg and pushed as PNG bytes into one `widgets.Image`, which is several
    times faster than `interactive_output` and prints nothing into the notebook.
    """

    def __init__(self, draw, controls, *, alt, caption, size=(9, 4), layout=None):
        self.draw, self.controls, self.alt, self.caption = draw, controls, alt, caption
        for control in controls.values():
            # Without a tooltip, ipywidgets 8.1 shows the word "null" to whoever rests on a slider's label.
            # Controls of ipywidgets 7.7, which Colab has, know no tooltip.
            if control.has_trait("tooltip"):
                control.tooltip = control.tooltip or control.description
        self._layout = layout or (lambda explorer: rows(*explorer.controls.values()))
        self._figure = Figure(figsize=size, dpi=_DPI * _SHARP, layout="constrained")
        self._canvas = FigureCanvasAgg(self._figure)
        self._paused = False
        self._picture = widgets.Image(
            format="png", width=str(round(size[0] * _DPI)), layout={"max_width": "100%", "align_self": "flex-start"}
        )
        self._message = widgets.HTML()

    @property
    def values(self):
        """The current values of all controls, by name."""
        return {name: control.value for name, control in self.controls.items()}

    def render(self, **changes):
        """Draw with the current values, some of them changed, and return a PNG file, `_SHARP` pixels for one of the page.

        Raises whatever `draw` raises: tests call this with the extremes of every control.
        """
        for ax in self._figure.axes:
            self._figure.delaxes(ax)  # `clear` alone would first prepare each for new drawings: a tenth of the time
        self._figure.clear()
        self.draw(self._figure, **{**self.values, **changes})
        self._canvas.draw()  # once; savefig would draw everything twice
        return _png(np.asarray(self._canvas.buffer_rgba()))

    def extremes(self):
        """All dicts of changes that put one control at an end of its range or at one of its options."""
        for name, control in self.controls.items():
            for value in _ends(control):
                yield {name: value}

    def set(self, **values):
        """Set several controls and redraw once."""
        self._paused = True
        try:
            for name, value in values.items():
                self.controls[name].value = value
        finally:
            self._paused = False
        self._update()

    def show(self):
        """Display the controls and the picture, then the still picture for readers without a kernel."""
        self._picture.value = self.render()
        still = io.BytesIO()
        Image.open(io.BytesIO(self._picture.value)).convert("RGB").reduce(_SHARP).save(still, "png", compress_level=9)
        self._message.value = ""
        for control in self.controls.values():
            control.observe(self._update, names="value")
        # widgets.Image has no alternative text, and its `tooltip` keeps ipywidgets 8.1 from showing the picture at all.
        for_screen_readers = widgets.HTML(
            f'<p style="{_ONLY_FOR_SCREEN_READERS}">{html.escape(self.alt)}</p>{_HIDE_STILL}'
        )
        children = [self._layout(self), self._message, self._picture, for_screen_readers]
        box = widgets.VBox(children, layout={"overflow": "visible"})  # no scroll bars inside the notebook's own
        box.add_class("course-explorer")
        display(box)
        plot.show_png(still.getvalue(), self.alt, self.caption)
        display({"text/html": _HIDE_LOST, "text/plain": ""}, raw=True)

    def _update(self, _change=None):
        if self._paused:
            return
        gc.disable()  # with TensorFlow loaded one collection takes a third of a second: it can wait for the picture
        try:
            self._picture.value = self.render()
            self._message.value = ""
        except ValueError as error:
            self._message.value = f"<b>Cannot be drawn:</b> {html.escape(str(error))}"
        finally:
            gc.enable()


def _png(rgba):
    """The bytes of a PNG file of an array (h, w, 4) of uint8; each row is stored as its difference from the row above
    (filter "up", https://www.w3.org/TR/png-3/, section 9): three times as fast as Pillow, which tries every filter."""
    height, width, channels = rgba.shape
    rows = np.zeros((height, 1 + width * channels), np.uint8)
    values = rgba.reshape(height, -1)
    rows[:, 0], rows[0, 1:] = 2, values[0]
    np.subtract(values[1:], values[:-1], out=rows[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)  # 8 bits, red, green, blue and opacity
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in parts
    )


def _ends(control):
    if isinstance(control, widgets.Checkbox):
        return [False, True]
    if hasattr(control, "options"):
        return [option[1] if isinstance(option, tuple) else option for option in control.options]
    return [control.min, control.max]
