"""Interactive explorers: something to move for every concept.

Each module holds one lesson's explorers, each a function without arguments that returns an `Explorer`;
a notebook shows it with `explorers.NAME().show()`.
"""

from .base import Explorer, choice, number, rows, slider, switch

__all__ = ["Explorer", "choice", "number", "rows", "slider", "switch"]
