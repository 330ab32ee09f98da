"""The table of all samples and datasets."""

from dataclasses import dataclass
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
    licence: str
    source: str


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
        titles = ("Call", "What it is", "Real or simulated", "Offline?", "Source", "Licence")
        head = "".join(f'<th scope="col" style="text-align:left">{title}</th>' for title in titles)
        rows = "".join(
            "<tr>"
            + f'<th scope="row" style="text-align:left"><code>{escape(entry.name)}</code></th>'
            + "".join(
                f'<td style="text-align:left">{escape(text)}</td>'
                for text in (entry.what, entry.real, entry.offline, entry.source, entry.licence)
            )
            + "</tr>"
            for entry in self
        )
        return (
            f"<table><caption>Images of the course</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )


def catalogue() -> Catalogue:
    """Everything `sample` and `load` can return, as a table."""
    rows = [
        Entry(f'sample("{name}")', entry.title, "real", "offline", entry.licence, entry.source)
        for name, entry in SAMPLES.items()
    ]
    for name, made in (("brain-lesions", brain_lesions), ("echo-cine", echo_cine)):
        rows.append(Entry(f'load("{name}")', made.TITLE, made.KIND, "offline", made.LICENCE, made.SOURCE))
    for name, about in medmnist.known().items():
        offline = f"download of {about['megabytes']} MB"
        what = f"{about['title']}; {about['task']}"
        rows.append(Entry(f'load("{name}")', what, "real", offline, about["licence"], about["source"]))
    return Catalogue(rows)
