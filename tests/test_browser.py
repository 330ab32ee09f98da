"""Lesson 01 in a real JupyterLab and a real browser: run it, move an explorer, answer an exercise."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time

import pytest

from course_lib import ROOT

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
FLAGS = [
    "--no-sandbox",  # the browser may run as root in a container
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
NOTEBOOK = "01_convolution.ipynb"
ANSWER = "def output_size(size, kernel, stride, padding):\n    return (size + 2 * padding - kernel) // stride + 1\n\n"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        BROWSER is None, reason="no Chromium and no Chrome on this machine: install one to run this test"
    ),
    pytest.mark.timeout(400),  # takes some 40 s on two free cores
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab on a copy of lesson 01, with nothing of this user's own in it: (address, its COURSE_WORK)."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "home").mkdir()
    shutil.copy(ROOT / "notebooks" / NOTEBOOK, folder / "home")
    # As `course.py lab` does before it starts.
    decline = "import course, pathlib, sys; course.decline_news(pathlib.Path(sys.prefix))"
    subprocess.run([sys.executable, "-c", decline], cwd=ROOT, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    environment = {
        **os.environ,
        "COURSE_WORK": str(folder / "work"),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTER_TOKEN": token,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--expose-app-in-browser"),
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        f"--ServerApp.root_dir={folder / 'home'}",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    with (folder / "log.txt").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 60
        while not _answers(port):
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"JupyterLab did not start:\n{(folder / 'log.txt').read_text(errors='replace')}")
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/lab/tree/{NOTEBOOK}?token={token}", folder / "work"
    finally:
        server.terminate()  # JupyterLab ends its kernels too
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def page(lab):
    """Lesson 01, open in the browser, with a kernel that waits."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=FLAGS)
        try:
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            page.set_default_timeout(60_000)
            page.goto(lab[0])
            page.wait_for_function(
                "window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
            )
            yield page
        finally:
            browser.close()


def _cell(page, text):
    """The notebook's first cell whose source contains the text: scrolled into view, selected, as a locator."""
    index = page.evaluate(
        """async text => {
            const notebook = window.jupyterapp.shell.currentWidget.content;
            const index = notebook.widgets.findIndex(cell => cell.model.sharedModel.getSource().includes(text));
            notebook.activeCellIndex = index;
            await notebook.scrollToItem(index, 'start');
            return index;
        }""",
        text,
    )
    assert index >= 0, f"no cell of {NOTEBOOK} contains {text!r}"
    cell = page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{index}']")
    cell.wait_for()
    return cell


def _run(page, command):
    page.evaluate("command => window.jupyterapp.commands.execute(command)", command)  # ends when the cells have run


def _stored(page):
    """The notebook's cells as JSON."""
    return json.loads(page.evaluate("JSON.stringify(window.jupyterapp.shell.currentWidget.content.model.toJSON())"))[
        "cells"
    ]


def _pixels(picture):
    """A number that depends on every pixel the browser shows of an <img>."""
    return picture.evaluate(
        """picture => {
            const canvas = document.createElement('canvas');
            canvas.width = picture.naturalWidth, canvas.height = picture.naturalHeight;
            const context = canvas.getContext('2d');
            context.drawImage(picture, 0, 0);
            const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
            return data.reduce((hash, value) => (hash * 31 + value) | 0, 7);
        }"""
    )


def test_lesson_in_jupyterlab(lab, page):
    page.wait_for_timeout(2000)  # the question would come a moment after the page
    assert page.get_by_text("official Jupyter news").count() == 0

    # Opened, but not run: a reader sees the still picture.
    cell = _cell(page, "explorers.sliding_window().show()")
    still = cell.locator(".jp-RenderedImage img")
    still.wait_for(state="visible")
    assert cell.locator(".course-explorer").count() == 0

    _run(page, "notebook:run-all-cells")
    errors = [
        output for each in _stored(page) for output in each.get("outputs", []) if output["output_type"] == "error"
    ]
    assert not errors, errors
    assert all(each.get("execution_count") for each in _stored(page) if each["cell_type"] == "code")

    # The explorer is alive: its picture stands in place of the still one, and follows a key.
    cell = _cell(page, "explorers.sliding_window().show()")
    picture = cell.locator(".course-explorer img")
    picture.wait_for(state="visible")
    still.wait_for(state="hidden")
    assert cell.locator(".jp-OutputArea-output", has_text="One step of a convolution").is_visible()  # the caption
    assert page.locator(".jupyter-widgets-error-widget").count() == 0
    before = _pixels(picture)
    slider = cell.locator(".widget-slider", has_text="Place of the window").locator(".noUi-handle")
    slider.focus()
    page.keyboard.press("ArrowRight")
    deadline = time.monotonic() + 10  # usually 0.2 s
    while _pixels(picture) == before:
        assert time.monotonic() < deadline, "the picture did not follow the slider within 10 s"
        time.sleep(0.1)

    # An exercise answers back.
    cell = _cell(page, "exercises.output_size.check(output_size)")
    assert "Not attempted" in cell.inner_text()
    editor = cell.locator(".cm-content")
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(
        ANSWER + "exercises.output_size.hint()\noutput_size = exercises.output_size.check(output_size)"
    )
    _run(page, "notebook:run-cell")
    cell.get_by_text("✔ Correct").wait_for()
    cell.get_by_text("Hint 1 of ").wait_for()
    progress = json.loads((lab[1] / "progress.json").read_text(encoding="utf-8"))
    assert progress["convolution"]["output_size"]["correct"]
