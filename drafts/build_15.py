"""Builds notebooks/15_synthetic_data.ipynb from the cells below (no outputs): python drafts/build_15.py [minutes without code]"""

import json
import subprocess
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
from course_lib.tools.notebooks import reading_minutes  # noqa: E402

CELLS = []
OUTPUT, SLIDE, TERM = "nbval-check-output", "slide", "term"


def md(text, *tags):
    CELLS.append(("markdown", text.strip("\n"), list(tags), False))


def code(text, *tags, hidden=False):
    CELLS.append(("code", text.strip("\n"), (["hide-input"] if hidden else []) + list(tags), hidden))


exec((Path(__file__).parent / "cells_15.txt").read_text(encoding="utf-8"))

first = json.loads((ROOT / "notebooks" / "08_training_well.ipynb").read_text(encoding="utf-8"))
notebook = nbformat.v4.new_notebook(metadata=first["metadata"])
anywhere = nbformat.from_dict(first["cells"][0])
anywhere["source"], anywhere["execution_count"], anywhere["outputs"] = "".join(anywhere["source"]), None, []
notebook.cells = [anywhere]
notebook.cells[0]["id"] = "s15-anywhere"
for number, (kind, text, tags, hidden) in enumerate(CELLS):
    make = nbformat.v4.new_markdown_cell if kind == "markdown" else nbformat.v4.new_code_cell
    cell = make(text, id=f"s15-{number:03d}")
    if tags:
        cell.metadata["tags"] = tags
    if hidden:
        cell.metadata["jupyter"] = {"source_hidden": True}
    notebook.cells.append(cell)
path = ROOT / "notebooks" / "15_synthetic_data.ipynb"
nbformat.write(notebook, path)
subprocess.run([sys.executable, "-m", "ruff", "format", "-q", path], check=True)  # changes the number of lines
notebook = nbformat.read(path, 4)
minutes = reading_minutes(notebook)
without = sys.argv[1] if len(sys.argv) > 1 else "30"
for cell in notebook.cells:
    cell["source"] = cell["source"].replace("{MINUTES}", str(minutes)).replace("{WITHOUT}", without)
notebook.metadata["course"] = {"peak_memory_mb": 2000, "reading_minutes": minutes, "run_seconds": 90}
nbformat.validate(notebook)
nbformat.write(notebook, path)
words = sum(len(c["source"].split()) for c in notebook.cells if c["cell_type"] == "markdown")
shown = [c for c in notebook.cells if c["cell_type"] == "code" and not c["metadata"].get("jupyter")]
lines = sum(len(c["source"].splitlines()) for c in shown)
longest = max(len(c["source"].splitlines()) for c in notebook.cells if c["cell_type"] == "code")
slides = sum(SLIDE in c["metadata"].get("tags", []) for c in notebook.cells)
print(f"{minutes} minutes, {words} words, {lines} visible lines, longest cell {longest}, {slides} slides")
