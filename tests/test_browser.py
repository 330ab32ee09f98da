"""A lesson in a real JupyterLab and a real browser: run it, move all controls to both ends, answer an exercise wrongly and
rightly, save it, open it again. Lesson 01; with `--every-lesson` all of them, which takes about half an hour."""

import functools
import json
import os
import re
import secrets
import shutil
import socket
import statistics
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
# Runs in each page: notes when a control was touched, and how many milliseconds later an explorer's new picture was there.
CLOCK = """
window.clock = {start: null, times: []};
for (const kind of ['keydown', 'change'])
    document.addEventListener(kind, () => { window.clock.start ??= performance.now() }, true);
document.addEventListener('load', event => {
    if (window.clock.start === null || !event.target.closest?.('.course-explorer')) return;
    window.clock.times.push(performance.now() - window.clock.start);
    window.clock.start = null;
}, true);
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        BROWSER is None, reason="no Chromium and no Chrome on this machine: install one to run this test"
    ),
    pytest.mark.timeout(900),  # takes some 60 s on two free cores, the longest lessons five minutes
]


def pytest_generate_tests(metafunc):
    every = metafunc.config.getoption("--every-lesson")
    paths = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb" if every else "01_*.ipynb"))
    metafunc.parametrize("lesson", [path.stem for path in paths])


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab on copies of the lessons, with nothing of this user's own in it: (address, token, its folder)."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", folder / "home", ignore=shutil.ignore_patterns("conftest.py", ".*", "__*"))
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
        yield f"http://127.0.0.1:{port}/lab/tree", token, folder
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
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """An empty page; at the end its console must not have shown an error."""
    page, errors = browser.new_page(viewport={"width": 1400, "height": 1000}), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.add_init_script(CLOCK)
    page.set_default_timeout(60_000)
    yield page
    page.close()
    # JupyterLab's widgets say so of each widget whose kernel has ended.
    errors = [error for error in errors if "widget model not found" not in error]
    assert not errors, errors


def _open(page, lab, lesson):
    """Open a lesson, and wait until its kernel waits."""
    address, token, _ = lab
    page.goto(f"{address}/{lesson}.ipynb?token={token}&reset")
    page.wait_for_function(
        "window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
    )


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
    assert index >= 0, f"no cell contains {text!r}"
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


def _sources(page, pattern):
    """What the pattern's group finds in the notebook's code cells, in order."""
    return [
        found[1]
        for cell in _stored(page)
        if cell["cell_type"] == "code" and (found := re.search(pattern, "".join(cell["source"]), re.MULTILINE))
    ]


def _errors(page):
    return [output for cell in _stored(page) for output in cell.get("outputs", []) if output["output_type"] == "error"]


def _follows(page, explorer, act):
    """Do something to a control; is there a new picture, or the sentence that says why it cannot be drawn?

    Not if the new picture would be the old one, which is not sent again: then the kernel is idle for a second.
    """
    page.evaluate("window.clock.start = null")
    seen, told = page.evaluate("window.clock.times.length"), "Cannot be drawn:"
    act()
    deadline = quiet = time.monotonic()
    while page.evaluate("window.clock.times.length") == seen and told not in explorer.inner_text():
        page.wait_for_timeout(5)
        if page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status") != "idle":
            quiet = time.monotonic()
        assert time.monotonic() < deadline + 30, f"the kernel is busy for 30 s after {act}"
        if time.monotonic() > quiet + 1:
            return False
    return True


def _move_all(page, explorer):
    """Every control of an explorer to both ends of its range, or to its last and first option; at how many of these the
    picture followed."""
    followed = 0
    for handle in explorer.locator(".noUi-handle").all():
        for key, end in (("Home", "aria-valuemin"), ("End", "aria-valuemax"), ("Home", "aria-valuemin")):
            handle.focus()
            if handle.get_attribute("aria-valuenow") != handle.get_attribute(end):
                followed += _follows(page, explorer, functools.partial(page.keyboard.press, key))
                assert handle.get_attribute("aria-valuenow") == handle.get_attribute(end), f"{key} moves no slider"
    for list_ in explorer.locator("select").all():
        for place in (list_.locator("option").count() - 1, 0):
            if list_.evaluate("list => list.selectedIndex") != place:
                followed += _follows(page, explorer, functools.partial(list_.select_option, index=place))
    for box in explorer.locator("input[type=checkbox]").all():
        followed += sum(_follows(page, explorer, box.click) for _ in range(2))
    for box in explorer.locator("input[type=number]").all():
        for end in ("max", "min"):
            box.fill(box.get_attribute(end))
            followed += _follows(page, explorer, functools.partial(box.press, "Tab"))
    return followed


def test_lesson_in_jupyterlab(lab, page, lesson, capsys):
    _open(page, lab, lesson)
    page.wait_for_timeout(2000)  # the question would come a moment after the page
    assert page.get_by_text("official Jupyter news").count() == 0

    # Opened, but not run: a reader sees the still picture.
    explorers = [f"explorers.{name}().show()" for name in _sources(page, r"^explorers\.(\w+)\(\)\.show\(\)")]
    for source in explorers:
        cell = _cell(page, source)
        cell.locator(".jp-RenderedImage img").wait_for(state="visible")
        assert cell.locator(".course-explorer").count() == 0

    _run(page, "notebook:run-all-cells")
    assert not _errors(page)
    assert all(cell.get("execution_count") for cell in _stored(page) if cell["cell_type"] == "code" and cell["source"])

    # The explorers are alive: their pictures stand in place of the still ones, and follow every control.
    for source in explorers:
        cell = _cell(page, source)
        explorer = cell.locator(".course-explorer")
        explorer.locator("img").wait_for(state="visible")
        cell.locator(".jp-RenderedImage img").wait_for(state="hidden")
        assert _move_all(page, explorer) >= 2
    assert page.locator(".jupyter-widgets-error-widget").count() == 0

    # An exercise answers back, to a wrong answer and to a right one.
    for name in _sources(page, r"^(\w+) = exercises\.\1\.check\(\1\)$")[:1]:
        check = f"{name} = exercises.{name}.check({name})"
        cell = _cell(page, check)
        assert "Not attempted" in cell.inner_text()
        for answer, reply in (("mistakes[0].answer", "Not yet"), ("reference", "✔ Correct")):
            cell.locator(".cm-content").click()
            page.keyboard.press("Control+A")
            page.keyboard.insert_text(f"{name} = exercises.{name}.{answer}\nexercises.{name}.hint()\n{check}")
            _run(page, "notebook:run-cell")
            cell.get_by_text(reply).wait_for()
            cell.get_by_text("Hint 1 of " if reply == "Not yet" else "Hint 2 of ").wait_for()
        progress = json.loads((lab[2] / "work" / "progress.json").read_text(encoding="utf-8"))
        assert progress[lesson[3:]][name]["correct"]

    # Saved and opened again, without a kernel that knows the explorers: the still pictures are back.
    _run(page, "docmanager:save")
    times = page.evaluate("window.clock.times")
    page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    _open(page, lab, lesson)
    for source in explorers:
        cell = _cell(page, source)
        cell.locator(".jp-RenderedImage img").wait_for(state="visible")
        cell.get_by_text("Loading widget").wait_for(state="hidden")
        assert not cell.get_by_text("model not found").is_visible(), "the reader sees an error of ipywidgets"
    assert not _errors(page)
    if times:
        with capsys.disabled():
            print(
                f"\n{lesson}: from control to picture {statistics.median(times):.0f} ms in the middle of "
                f"{len(times)}, at most {max(times):.0f}"
            )
