"""The README's pictures: two that a lesson stores, and an explorer that moves. `python tests/test_readme.py` writes them anew."""

import base64
import io
import json

import numpy as np
from PIL import Image, ImageSequence

from course_lib import ROOT
from course_lib.lessons.convolution import explorers

IMAGES = ROOT / "docs" / "images"
STORED = {  # name -> where its alternative text begins so
    "paddings.png": ("01_convolution.ipynb", "Figure: Six 3×3 tables"),
    "chest.png": ("05_medical_images.ipynb", "Figure: A chest radiograph twice"),
}
MOVING, WIDTH, COLOURS = "explorer.gif", 800, 256  # pixels; colours of the palette


def stored(file, beginning):
    """The PNG file of the one figure of a notebook whose words begin so."""
    cells = json.loads((ROOT / "notebooks" / file).read_text(encoding="utf-8"))["cells"]
    found = [
        output["data"]["image/png"]
        for cell in cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {}) and "".join(output["data"]["text/plain"]).startswith(beginning)
    ]
    assert len(found) == 1, f"{file} has {len(found)} figures whose words begin with {beginning!r}"
    return base64.b64decode("".join(found[0]))


def frames():
    """The explorer of lesson 01, its window in each place in turn: images of WIDTH pixels."""
    explorer = explorers.sliding_window()
    place = explorer.controls["place"]
    for number in range(place.min, place.max + 1):
        picture = Image.open(io.BytesIO(explorer.render(place=number))).convert("RGB")
        yield picture.resize((WIDTH, round(WIDTH * picture.height / picture.width)), Image.Resampling.LANCZOS)


def test_the_readmes_pictures_are_those_that_the_lessons_store():
    for name, where in STORED.items():
        assert (IMAGES / name).read_bytes() == stored(*where), f"{name} is old: run `python tests/test_readme.py`"


def test_the_readmes_explorer_is_the_one_of_today():
    """Letters may differ by a pixel on other machines; a window that stands one place further differs by 1.5 and more."""
    with Image.open(IMAGES / MOVING) as shown:
        old = [np.asarray(frame.convert("RGB"), float) for frame in ImageSequence.Iterator(shown)]
    new = [np.asarray(frame, float) for frame in frames()]
    assert len(old) == len(new) and old[0].shape == new[0].shape
    for before, after in zip(old, new, strict=True):
        assert np.abs(before - after).mean() < 1.2, f"{MOVING} is old: run `python tests/test_readme.py`"


def test_every_picture_of_the_readme_has_words_and_is_there():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in (*STORED, MOVING):
        assert f"](docs/images/{name})" in readme and f"![](docs/images/{name})" not in readme


if __name__ == "__main__":
    for name, where in STORED.items():
        (IMAGES / name).write_bytes(stored(*where))
    first, *others = (frame.quantize(COLOURS, dither=Image.Dither.NONE) for frame in frames())
    first.save(IMAGES / MOVING, save_all=True, append_images=others, duration=600, loop=0, optimize=True)
