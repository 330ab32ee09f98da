"""The web book, from what is stored: `python -m course_lib.tools.book [--teacher]`, or `course.py book`.

Writes the pages to build/book/pages and the site to build/book/site (with --teacher, where solutions and answers are
unfolded, to build/teacher/). Nothing is executed and nothing is fetched; a warning of Sphinx, a link that leads nowhere, a
picture without alternative text and anything that a page would load from a network make it fail.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from course_lib import ROOT
from course_lib.tools import pages

COPIED = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "STALE.md", "CITATION.cff", "LICENSE", "LICENSE-CONTENT"]
COPIED += [
    "datasets/README.md",
    "docs/images",
    "docs/teaching.md",
    "docs/lessons.md",
    "docs/without_code.md",
    "docs/article.md",
]
# Folders and files of the repository to which pages link and that are no pages: what shows them in the book.
ELSEWHERE = {"course_lib": "api/index.md", "course_lib/lessons": "api/index.md"}
INDEX = """\
```{include} README.md
```

```{toctree}
:caption: Lessons
:hidden:
:glob:
notebooks/*
```

```{toctree}
:caption: To look up
:hidden:
glossary
formulas
docs/article
datasets/README
api/index
```

```{toctree}
:caption: The course
:hidden:
docs/without_code
docs/teaching
docs/lessons
CONTRIBUTING
CHANGELOG
STALE
```
"""


def lessons(root: Path = ROOT) -> dict[str, dict]:
    """{file name: notebook as JSON} of all lessons in their order."""
    found = sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in found}


def write_pages(folder: Path, teacher: bool, root: Path = ROOT) -> None:
    """Write what Sphinx reads into `folder`, in the layout of the repository, so that links between files stay true."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in COPIED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (root / name).is_dir():
            shutil.copytree(root / name, folder / name)
        else:
            shutil.copyfile(root / name, folder / name)
    readme = (root / "README.md").read_text(encoding="utf-8")
    for target, page in ELSEWHERE.items():
        readme = readme.replace(f"]({target})", f"]({page})")
    notebooks = lessons(root)
    texts = {
        "README.md": readme,
        "index.md": INDEX,
        "glossary.md": pages.glossary(notebooks),
        "formulas.md": pages.formula_page(notebooks, root / "docs" / "formulas.toml"),
    }
    texts |= {f"api/{name}.md": text for name, text in pages.api(root / "course_lib").items()}
    texts |= {
        f"notebooks/{name}": json.dumps(pages.lesson(notebook, name[3:-6], teacher))
        for name, notebook in notebooks.items()
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def sphinx(folder: Path, root: Path = ROOT, builder: str = "html") -> int:
    """Read `folder`/pages and write `folder`/site. Returns the exit status of Sphinx, which says itself what was wrong."""
    shutil.rmtree(folder / "site", ignore_errors=True)
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--builder", builder]
    command += ["--conf-dir", str(root / "docs"), "--doctree-dir", str(folder / "doctrees")]
    return subprocess.call([*command, str(folder / "pages"), str(folder / "site")])


# ---- What a finished site must not have


class _Page(HTMLParser):
    """What a page names itself, links to, loads and shows."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loads, self.without_alt = set(), [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids.update(filter(None, [values.get("id"), values.get("name") if tag == "a" else None]))
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        if tag == "link" and values.get("rel") not in ("canonical", "author", "license"):
            self.loads.append(values.get("href", ""))
        if tag in ("img", "script", "iframe", "video", "audio", "source", "embed") and values.get("src"):
            self.loads.append(values["src"])
        if tag == "img" and not (values.get("alt") or "").strip():
            self.without_alt.append(values.get("src", "")[:60])


def faults(site: Path) -> Iterator[str]:
    """A sentence for each thing wrong with the site in the folder `site`, as it would be opened from a USB stick."""
    # The templates of the themes, which Sphinx copies too, are no pages.
    paths = [path for path in sorted(site.rglob("*.html")) if "_static" not in path.relative_to(site).parts]
    found = {path: _Page(path.read_text(encoding="utf-8")) for path in paths}
    for path, page in found.items():
        name = path.relative_to(site).as_posix()
        for picture in page.without_alt:
            yield f"{name}: the picture {picture} has no alternative text"
        for address in page.loads:
            parts = urlsplit(address)
            if parts.scheme == "data":
                continue
            if parts.netloc or parts.scheme:
                yield f"{name} loads {address} from a network"
            elif parts.path and not (path.parent / unquote(parts.path)).is_file():
                yield f"{name} loads {address}, which is not there"
        for address in page.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            fragment = unquote(parts.fragment)
            if not target.is_file():
                yield f"{name} links to {address}, which is not there"
            elif target in found and fragment and fragment not in found[target].ids:
                yield f"{name} links to {address}, where nothing has this name"
    for path in sorted(site.rglob("*.css")):
        for address in re.findall(
            r"(?:url\(|@import )\s*[\"']?((?:https?:)?//[^\"')]+)", path.read_text(encoding="utf-8")
        ):
            yield f"{path.relative_to(site).as_posix()} loads {address} from a network"


def main(arguments: list[str] | None = None) -> int:
    """Build the edition of the command line. Returns 0, or 1 after what is wrong was printed."""
    parser = argparse.ArgumentParser(prog="course.py book", description=__doc__.splitlines()[0])
    parser.add_argument("--teacher", action="store_true", help="with solutions, and answers unfolded")
    teacher = parser.parse_args(arguments).teacher
    folder = ROOT / "build" / ("teacher" if teacher else "book")
    write_pages(folder / "pages", teacher)
    if sphinx(folder):
        return 1
    problems = list(faults(folder / "site"))
    print(*problems, sep="\n")
    if not problems:
        print(f"The book is ready; open {folder / 'site' / 'index.html'} in a browser.")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
