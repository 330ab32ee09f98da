"""Builds notebooks/14_gan.ipynb from the cells below."""
import json, re, sys, hashlib
sys.path.insert(0, ".")
from pathlib import Path
from course_lib.tools.notebooks import reading_minutes
OUT = Path("./notebooks/14_gan.ipynb")
CELLS = []
def cell(kind, key, text, tags, hidden):
    assert key not in [c["id"] for c in CELLS], key
    meta = {}
    if hidden: tags = [*tags, "hide-input"]; meta["jupyter"] = {"source_hidden": True}
    if tags: meta["tags"] = sorted(set(tags))
    c = {"cell_type": kind, "id": key, "metadata": meta, "source": text.strip("\n").splitlines(keepends=True)}
    if kind == "code": c |= {"execution_count": None, "outputs": []}
    CELLS.append(c)
def md(key, text, *tags): cell("markdown", key, text, list(tags), False)
def code(key, text, *tags, hidden=False): cell("code", key, text, list(tags), hidden)
CHECK = "nbval-check-output"

exec(Path("drafts/cells.py").read_text())

old = json.loads(OUT.read_text())
nb = {"cells": CELLS, "metadata": dict(old["metadata"]), "nbformat": 4, "nbformat_minor": 5}
minutes = reading_minutes(nb)
nb["metadata"]["course"] = {"peak_memory_mb": PEAK, "reading_minutes": minutes, "run_seconds": SECONDS}
for c in CELLS:
    c["source"] = [l.replace("MINUTES_HERE", str(minutes)).replace("PATH_HERE", PATH) for l in c["source"]]
words = sum(len("".join(c["source"]).split()) for c in CELLS if c["cell_type"] == "markdown")
lines = sum(len(c["source"]) for c in CELLS if c["cell_type"] == "code" and not c["metadata"].get("jupyter"))
slides = sum("slide" in c["metadata"].get("tags", []) for c in CELLS)
long = [c["id"] for c in CELLS if c["cell_type"] == "code" and len(c["source"]) > 30]
print(minutes, "minutes", words, "words", lines, "visible lines", slides, "slides", "too long:", long)
keep = {c["id"]: c for c in old["cells"]}
for c in CELLS:  # outputs of unchanged cells stay until the next run
    o = keep.get(c["id"])
    if o and c["cell_type"] == "code" and "".join(o["source"]) == "".join(c["source"]): c["outputs"], c["execution_count"] = o["outputs"], o["execution_count"]
OUT.write_text(json.dumps(nb, indent=1, ensure_ascii=False) + "\n")
