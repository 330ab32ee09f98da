"""Colab, Binder and JupyterHub: `python -m course_lib.tools.anywhere` writes what follows from the course's one address.

The address is `Repository` under [project.urls] in pyproject.toml: where the course is public. From it and from the version
follow the first cell of each notebook, which installs the course where it is missing, the links in the README and
`repository-code` in CITATION.cff. While there is no address, the cell says what is missing, and nothing is linked:
an address that nobody owns could be taken by anybody, and the cell would install what is there. To be called after a change of
the address, with a release, after a new lesson or budget; the tests name what is not up to date.
"""

import json
import re
import sys
import tomllib
from pathlib import Path
from urllib.parse import quote

from course_lib import ROOT

BINDER_MB = 1600
"""A lesson that needs more memory has no link to Binder, whose limit is about 2 GB, JupyterLab itself included."""

CELL = """\
# {does}
import importlib.util

if importlib.util.find_spec("course_lib") is None:
    {otherwise}"""
METADATA = {"jupyter": {"source_hidden": True}, "tags": ["anywhere", "hide-input"]}
BLOCK = re.compile(
    r"(<!-- Written by `python -m course_lib\.tools\.anywhere`\. -->\n).*?(<!-- Up to here\. -->)", re.DOTALL
)
NOWHERE = """\
Colab, Binder and a JupyterHub fetch the course from a public address, and this copy of it names none. Whoever publishes it writes the
address into `pyproject.toml` and runs `python -m course_lib.tools.anywhere`: the links then stand here, and the first cell of
each notebook installs the course where it is missing.
"""


def address(root: Path = ROOT) -> str | None:
    """Where the course is public, or None. Raises ValueError for what Colab and Binder could not open."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = project.get("urls", {}).get("Repository")
    if found is not None and not re.fullmatch(r"https://github\.com/[A-Za-z0-9-]+/[\w.-]+(?<!\.git)", found):
        raise ValueError(
            f"Repository in pyproject.toml is {found!r}: write https://github.com/NAME/REPOSITORY, or nothing."
        )
    return found


def reference(root: Path = ROOT) -> str:
    """What to fetch from the address: the version's tag in a release, whose heading leads CHANGELOG.md; else main."""
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    (heading, *_) = re.findall(r"^## (\S+)", (root / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    return f"v{version}" if heading.rstrip(",") == f"v{version}" else "main"


def first_cell(root: Path = ROOT) -> str:
    """The code of the first cell of every notebook."""
    if (place := address(root)) is None:
        does, otherwise = "Does nothing where course_lib is installed.", "raise SystemExit({})"
        told = "This notebook needs course_lib: see 'Two commands' in the course's README."
    else:
        does = "Does nothing where course_lib is installed; elsewhere, as in Colab, it installs what belongs to this notebook."
        otherwise, told = 'get_ipython().run_line_magic("pip", {})', f"install --quiet git+{place}@{reference(root)}"
    return CELL.format(does=does, otherwise=otherwise.format(f'"{told}"'))


def with_first_cell(notebook: dict, code: str) -> dict:
    """The notebook (its JSON) with this first cell; if it had none, the executions behind it are counted one up."""
    source, cells = code.splitlines(keepends=True), notebook["cells"]
    if "anywhere" in cells[0]["metadata"].get("tags", []):
        return {**notebook, "cells": [{**cells[0], "source": source}, *cells[1:]]}
    cell = {
        "cell_type": "code",
        "execution_count": 1,
        "id": "anywhere",
        "metadata": METADATA,
        "outputs": [],
        "source": source,
    }
    return {**notebook, "cells": [cell, *map(_one_up, cells)]}


def _one_up(part):
    count = part.get("execution_count")
    part = {**part, "execution_count": count + 1} if count else part
    return {**part, "outputs": [_one_up(output) for output in part["outputs"]]} if "outputs" in part else part


def links(notebooks: dict[str, dict], place: str | None, ref: str) -> str:
    """What the README says between its two marks; `notebooks` is file name -> notebook, `place` the address."""
    if place is None:
        return NOWHERE
    name = place.removeprefix("https://github.com/")
    colab = f"https://colab.research.google.com/github/{name}/blob/{ref}/notebooks/"
    binder = f"https://mybinder.org/v2/gh/{name}/{ref}?urlpath=lab/tree/notebooks/"
    small = [file for file, nb in notebooks.items() if nb["metadata"]["course"]["peak_memory_mb"] <= BINDER_MB]
    start, opened = next(iter(notebooks)), quote(f"lab/tree/{name.partition('/')[2]}/notebooks/", safe="")
    hub = f"https://HUB/hub/user-redirect/git-pull?repo={quote(place, safe='')}&branch=main&urlpath={opened}{start}"
    return f"""\
[![Open lesson {start[:2]} in Colab](docs/images/colab.svg)]({colab}{start})
[![Open lesson {start[:2]} in Binder](docs/images/binder.svg)]({binder}{start})

- **Colab**, with a Google account: {_row(notebooks, colab)}. The first cell installs the course, in some minutes.
- **Binder**, without an account, for lessons that need at most {BINDER_MB} MB of memory: {_row(small, binder)}.
- **JupyterHub** with nbgitpuller; put your hub's name in place of HUB: `{hub}`

What you solve in Colab or Binder is gone when the session ends: download your notebook before.
"""


def _row(files, before):
    return " ".join(f"[{file[:2]}]({before}{file})" for file in files)


def written(root: Path = ROOT) -> dict[Path, str]:
    """{file: its text as it should be} of all files that are not as the address, the version and the lessons have it."""
    place, ref, code = address(root), reference(root), first_cell(root)
    found, notebooks = {}, {}
    for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        notebooks[path.name] = old = json.loads(path.read_text(encoding="utf-8"))
        if (new := with_first_cell(old, code)) != old:
            found[path] = json.dumps(new, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    readme, citation = root / "README.md", root / "CITATION.cff"
    before = {path: path.read_text(encoding="utf-8") for path in (readme, citation)}
    block = links(notebooks, place, ref)
    after = {readme: BLOCK.sub(lambda marks: marks[1] + block + marks[2], before[readme])}
    after[citation] = re.sub(r"^repository-code: .*\n", "", before[citation], flags=re.MULTILINE)
    after[citation] = after[citation].rstrip("\n") + "\n" + (f"repository-code: {place}\n" if place else "")
    return found | {path: text for path, text in after.items() if text != before[path]}


def main() -> int:
    """Write all of it; returns 0, or 1 after what is wrong with the address was said."""
    try:
        texts = written()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8", newline="\n")
        print(path.relative_to(ROOT).as_posix())
    return 0


if __name__ == "__main__":
    sys.exit(main())
