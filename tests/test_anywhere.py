"""Colab, Binder, JupyterHub, devcontainer, container: what they would run is here, and follows from one address."""

import builtins
import copy
import inspect
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import types
import xml.etree.ElementTree as ElementTree
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from test_workflows import load_course

from course_lib import ROOT
from course_lib.tools import anywhere

SUPPORTED = SpecifierSet(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"])
PLACE = "https://github.com/some-body/a.course"
# What Colab brings, and a kernel has loaded before the first cell: pip must not have to replace it.
COLAB = {"tensorflow": "2.19.0", "keras": "3.10.0", "numpy": "2.0.2", "ipywidgets": "7.7.1"}


@pytest.fixture
def published(tmp_path):
    """The files that follow from the address, in a folder whose course is public at PLACE and not released."""
    for name in ("README.md", "CITATION.cff", "pyproject.toml", "CHANGELOG.md"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / "notebooks").mkdir()
    for path in [*(ROOT / "notebooks").glob("0[056]_*.ipynb"), *(ROOT / "notebooks").glob("08_*.ipynb")]:
        shutil.copyfile(path, tmp_path / "notebooks" / path.name)
    edit(tmp_path / "pyproject.toml", r"\[project\.urls\]\n", f'[project.urls]\nRepository = "{PLACE}"\n')
    return tmp_path


def edit(path, old, new):
    text, count = re.subn(old, new, path.read_text("utf-8"), count=1)
    assert count == 1, f"{path.name} has no {old}"
    path.write_text(text, "utf-8")


def release(root, version="3.2.1"):
    edit(root / "pyproject.toml", r'\nversion = ".*"', f'\nversion = "{version}"')
    edit(root / "CHANGELOG.md", r"\n## ", f"\n## v{version}, a new one\n\n- Better.\n\n## ")


def write(root):
    for path, text in anywhere.written(root).items():
        path.write_text(text, "utf-8")


def contents(root):
    """{name: text, or what a notebook holds} of all files."""
    texts = {path.name: path.read_text("utf-8") for path in root.rglob("*") if path.is_file()}
    return {name: json.loads(text) if name.endswith(".ipynb") else text for name, text in texts.items()}


# ---- The one address, and what follows from it


def test_all_that_follows_from_the_address_is_up_to_date():
    old = [path.name for path in anywhere.written()]
    assert not old, f"run python -m course_lib.tools.anywhere: it would change {', '.join(old)}"


def test_the_address_stands_nowhere_else():
    """Nor does any other: what is cloned, installed or opened comes from the place in pyproject.toml."""
    files = [ROOT / "binder", ROOT / ".devcontainer", ROOT / "docs", ROOT / "CONTRIBUTING.md", ROOT / "README.md"]
    files += [ROOT / "CITATION.cff", ROOT / "Containerfile", ROOT / "course.py", ROOT / ".github"]
    paths = [path for top in files for path in ([top] if top.is_file() else top.rglob("*")) if path.is_file()]
    place = anywhere.address()
    for path in paths:
        if path.suffix in {".png", ".gif", ".svg", ".ipynb"}:
            continue
        for found in re.findall(r"https://github\.com/[\w-]+/[\w.-]+", path.read_text("utf-8")):
            assert found in (place, "https://github.com/NAME/REPOSITORY"), f"{path.relative_to(ROOT)} names {found}"


def test_everything_names_the_address_once_it_is_there_and_nothing_once_it_is_gone(published):
    before = contents(published)
    write(published)
    assert anywhere.written(published) == {}
    assert yaml.safe_load((published / "CITATION.cff").read_text("utf-8"))["repository-code"] == PLACE
    assert PLACE in (published / "notebooks" / "06_first_cnn.ipynb").read_text("utf-8")
    edit(published / "pyproject.toml", r"Repository = .*\n", "")
    write(published)
    after = contents(published)
    assert after.pop("pyproject.toml") != before.pop("pyproject.toml") and after == before


@pytest.mark.parametrize(
    "wrong", ["https://github.com/me", "git@github.com:me/it.git", "http://github.com/me/it", f"{PLACE}.git", "me/it"]
)
def test_an_address_that_colab_and_binder_cannot_open_is_refused(published, wrong, monkeypatch, capsys):
    edit(published / "pyproject.toml", re.escape(PLACE), wrong)
    with pytest.raises(ValueError, match="write https://github.com/NAME/REPOSITORY"):
        anywhere.address(published)
    written = anywhere.written
    monkeypatch.setattr(anywhere, "written", lambda: written(published))
    assert anywhere.main() == 1 and wrong in capsys.readouterr().err


def test_a_release_names_its_tag_and_what_comes_after_it_main(published):
    assert anywhere.reference(published) == "main"
    release(published)
    assert anywhere.reference(published) == "v3.2.1"
    write(published)
    text = "".join(path.read_text("utf-8") for path in [published / "README.md", *published.glob("notebooks/*")])
    assert text.count(f"{PLACE}@v3.2.1") == 4 and f"{PLACE}@main" not in text and "/blob/v3.2.1/notebooks/" in text
    edit(published / "CHANGELOG.md", r"\n## ", "\n## In the making\n\n- More.\n\n## ")
    assert anywhere.reference(published) == "main"


# ---- The first cell


def run_first_cell(code, monkeypatch, *, installed):
    """The lines that the cell gives to IPython, in a Python with or without course_lib."""
    lines = []
    shell = types.SimpleNamespace(run_line_magic=lambda name, line: lines.append(f"%{name} {line}"))
    monkeypatch.setattr(builtins, "get_ipython", lambda: shell, raising=False)
    really_find = sys.modules["importlib.util"].find_spec
    hidden = (lambda name: really_find(name)) if installed else (lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", hidden)
    exec(compile(code, "first cell", "exec"), {})
    return lines


def test_the_first_cell_installs_the_tag_where_the_course_is_missing_and_does_nothing_where_it_is(
    published, monkeypatch
):
    release(published)
    code = anywhere.first_cell(published)
    assert run_first_cell(code, monkeypatch, installed=True) == []
    assert run_first_cell(code, monkeypatch, installed=False) == [f"%pip install --quiet git+{PLACE}@v3.2.1"]


def test_without_an_address_the_first_cell_installs_nothing_and_says_what_is_missing(published, monkeypatch):
    edit(published / "pyproject.toml", r"Repository = .*\n", "")
    code = anywhere.first_cell(published)
    assert run_first_cell(code, monkeypatch, installed=True) == []
    with pytest.raises(SystemExit, match="needs course_lib: see 'Two commands'"):
        run_first_cell(code, monkeypatch, installed=False)
    assert "## Two commands\n" in (ROOT / "README.md").read_text("utf-8")


def test_a_notebook_keeps_all_but_its_first_cell():
    output = {"output_type": "execute_result", "execution_count": 1, "data": {"text/plain": "1"}, "metadata": {}}
    cell = {"cell_type": "code", "execution_count": 1, "id": "a", "metadata": {}, "outputs": [output], "source": ["1"]}
    words = {"cell_type": "markdown", "id": "b", "metadata": {}, "source": ["# Title"]}
    old = {"cells": [words, cell], "metadata": {"course": {}}, "nbformat": 4, "nbformat_minor": 5}
    before = copy.deepcopy(old)
    new = anywhere.with_first_cell(old, "x\ny")
    assert old == before and new["cells"][0]["source"] == ["x\n", "y"] and new["cells"][1] == words
    second = new["cells"][2]
    assert (second["execution_count"], second["outputs"][0]["execution_count"]) == (2, 2)
    assert {**second, "execution_count": 1, "outputs": [output]} == cell
    again = anywhere.with_first_cell(new, "z")
    assert again["cells"] == [{**new["cells"][0], "source": ["z"]}, *new["cells"][1:]]


def test_what_colab_brings_is_within_the_bounds():
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    bounds = {wanted.name: wanted.specifier for wanted in map(Requirement, (x for x in lines if x and x[0] != "#"))}
    assert [name for name, version in COLAB.items() if version not in bounds[name]] == []


# ---- Links


def test_the_links_open_the_lessons_that_are_there(published):
    write(published)
    text = anywhere.BLOCK.search((published / "README.md").read_text("utf-8"))[0]
    names = [path.name for path in sorted((published / "notebooks").iterdir())]
    colab = re.findall(r"\]\((https://colab[^)]+)\)", text)
    before = "https://colab.research.google.com/github/some-body/a.course/blob/main/notebooks/"
    assert colab == [before + name for name in [names[0], *names]]
    binder = [urlsplit(found) for found in re.findall(r"\]\((https://mybinder[^)]+)\)", text)]
    assert {parts.netloc + parts.path for parts in binder} == {"mybinder.org/v2/gh/some-body/a.course/main"}
    opened = [parse_qs(parts.query)["urlpath"][0].removeprefix("lab/tree/notebooks/") for parts in binder]
    small = [n for n in names if memory(published / "notebooks" / n) <= 1600]
    assert opened == [names[0], *small] and 0 < len(small) < len(names)
    hub = parse_qs(urlsplit(re.search(r"`(https://HUB/\S+)`", text)[1]).query)
    assert hub["repo"] == [PLACE] and unquote(hub["urlpath"][0]) == f"lab/tree/a.course/notebooks/{names[0]}"


def memory(path):
    return json.loads(path.read_text("utf-8"))["metadata"]["course"]["peak_memory_mb"]


def test_the_badges_are_pictures_with_a_name():
    for name in ("colab", "binder"):
        picture = ElementTree.parse(ROOT / "docs" / "images" / f"{name}.svg").getroot()
        assert picture.get("aria-label") == f"Open in {name.capitalize()}"


# ---- Binder, devcontainer, container


def test_binder_installs_what_students_get_and_then_the_course():
    folder = ROOT / "binder"
    assert {path.name for path in folder.iterdir()} == {"runtime.txt", "requirements.txt", "postBuild"}
    assert (folder / "runtime.txt").read_text("utf-8").strip().removeprefix("python-") in SUPPORTED
    lines = [line for line in (folder / "requirements.txt").read_text("utf-8").splitlines() if line[0] != "#"]
    assert lines == ["-r ../constraints.txt"] and (folder / lines[0].split()[1]).resolve() == ROOT / "constraints.txt"
    post = folder / "postBuild"
    assert post.read_bytes().startswith(b"#!/usr/bin/env bash\n")
    if shutil.which("git"):
        ask = ["git", "ls-files", "--stage", "binder"]
        listed = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True).stdout  # nothing in an unpacked archive
        assert not listed or re.search(r"^100755 .*\tbinder/postBuild$", listed, re.MULTILINE), "not executable"
    command = shlex.split(post.read_text("utf-8").splitlines()[-1])
    assert command[:4] == ["python", "-m", "pip", "install"]
    # course.py installs course_lib in the same way, on all machines.
    assert {"--no-deps", "--no-build-isolation", "--editable", "."} <= set(command)


@pytest.fixture
def prepared(monkeypatch):
    """Runs the `python3 -c CODE` of a container's set-up with a course.py that remembers what it was asked to prepare."""

    def run(command):
        asked, course = [], load_course()
        fake = types.SimpleNamespace(ROOT=course.ROOT)
        fake.prepare = lambda *arguments, **more: asked.append(
            inspect.signature(course.prepare).bind(*arguments, **more).arguments
        )
        monkeypatch.setitem(sys.modules, "course", fake)
        python, option, code = shlex.split(command)
        assert (python, option) == ("python3", "-c")
        exec(code, {})
        return asked

    return run


def test_the_devcontainer_prepares_the_environment_that_its_editor_uses(prepared):
    text = (ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8")
    container = json.loads(text)
    assert container["image"].rpartition(":")[2] in SUPPORTED
    assert prepared(container["postCreateCommand"]) == [{"root": ROOT, "tests": True}]
    python = container["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"]
    folder = "${workspaceFolder}/"
    assert python.startswith(folder) and ROOT / python.removeprefix(folder) == ROOT / ".venv" / "bin" / "python"


def test_the_container_copies_what_is_there_and_starts_what_course_py_knows(prepared):
    lines = (ROOT / "Containerfile").read_text("utf-8").splitlines()
    instructions = [line.partition(" ")[::2] for line in lines if line and not line.startswith("#")]
    copied = [word for name, rest in instructions if name == "COPY" for word in rest.split()[1:-1]]
    assert copied and [word for word in copied if not (ROOT / word).exists()] == []
    (base,) = [rest for name, rest in instructions if name == "FROM"]
    assert re.match(r"python:([\d.]+)-", base)[1] in SUPPORTED
    snippets = [re.search(r'python3 -c "[^"]+"', rest) for name, rest in instructions if name == "RUN"]
    assert [prepared(found[0]) for found in snippets if found] == [[{"root": ROOT}]]
    (command,) = [json.loads(rest) for name, rest in instructions if name == "CMD"]
    assert command[:2] == ["python3", "course.py"] and load_course().parse(command[2:]).command == "lab"
