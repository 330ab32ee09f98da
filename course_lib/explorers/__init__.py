"""The base of the interactive explorers: controls and one picture that follows them.

Those of a lesson are in course_lib/lessons/<topic>/explorers.py, each a function without arguments that returns an
`Explorer`; a notebook shows it with `explorers.NAME().show()`.
"""

from course_lib.explorers.base import Explorer, choice, number, rows, slider, switch

__all__ = ["Explorer", "choice", "number", "rows", "slider", "switch"]
