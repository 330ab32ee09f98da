"""Exercises that check themselves: the engine, and one module per notebook.

In a notebook: `from course_lib.exercises import convolution as exercises`, then
`exercises.NAME.check(answer)`, `.hint()`, `.solution()`, and `exercises.progress()`.
"""
