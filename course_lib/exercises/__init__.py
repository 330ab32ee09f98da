"""The engine of the exercises that check themselves; the exercises are in course_lib/lessons/<topic>/exercises.py.

In a notebook: `from course_lib.lessons.<topic> import exercises`, then `exercises.NAME.check(answer)`, `.hint()`,
`.solution()`, and `exercises.progress()`.
"""

from course_lib.exercises.engine import Choice, Coding, Mistake
from course_lib.exercises.store import progress

__all__ = ["Choice", "Coding", "Mistake", "progress"]
