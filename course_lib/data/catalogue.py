"""The table of all samples and datasets."""

from dataclasses import astuple, dataclass
from html import escape
from textwrap import fill

from course_lib.data import brain_lesions, echo_cine, medmnist
from course_lib.data.samples import SAMPLES


@dataclass(frozen=True)
class Entry:
    """One row: the call that returns it, what it is, real or simulated, offline or a download, and whose it is."""

    name: str
    what: str
    real: str
    offline: str
    source: str
    licence: str


class Catalogue(tuple):
    """Rows (`Entry`) that print as text and show as a table in Jupyter."""

    def __str__(self):
        lines = []
        for entry in self:
            lines.append(f"{entry.name}: {entry.what} ({entry.real}, {entry.offline})")
            for label, text in (("source", entry.source), ("licence", entry.licence)):
                lines.append(fill(f"{label:8} {text}", 100, initial_indent=" " * 4, subsequent_indent=" " * 13))
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self):
        def row(first, *others):
            cells = "".join(f'<td style="text-align:left">{escape(text)}</td>' for text in others)
            return f'<tr><th scope="row" style="text-align:left"><code>{escape(first)}</code></th>{cells}</tr>'

        titles = ("Call", "What it is", "Real or simulated", "Offline?", "Source", "Licence")
        head = "".join(f'<th scope="col" style="text-align:left">{title}</th>' for title in titles)
        rows = "".join(row(*astuple(entry)) for entry in self)
        caption = "<caption>Images of the course</caption>"
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def catalogue() -> Catalogue:
    """Everything `sample` and `load` can return, as a table."""
    rows = [
        Entry(f'sample("{name}")', entry.title, "real", "offline", entry.source, entry.licence)
        for name, entry in SAMPLES.items()
    ]
    for name, made in (("brain-lesions", brain_lesions), ("echo-cine", echo_cine)):
        rows.append(Entry(f'load("{name}")', made.TITLE, made.KIND, "offline", made.SOURCE, made.LICENCE))
    for name, about in medmnist.known().items():
        offline = f"download of {about['megabytes']} MB"
        what = f"{about['title']}; {about['task']}"
        rows.append(Entry(f'load("{name}")', what, "real", offline, about["source"], about["licence"]))
    return Catalogue(rows)
