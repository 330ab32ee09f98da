"""The engine of the exercises: `Coding` and `Choice` with what they are made of, and the student's `progress`.

The exercises themselves stand in `course_lib/lessons/<topic>/exercises.py`. In a notebook:
`name = exercises.name.check(name)`, `.hint()`, `.solution()`, `.example()`, and `exercises.progress()`.
"""

from course_lib.exercises.engine import Choice, Coding, Mistake, Wrong
from course_lib.exercises.store import progress

__all__ = ["Choice", "Coding", "Mistake", "Wrong", "progress"]
