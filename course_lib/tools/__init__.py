"""What `course.py` and the lessons' experiments call; no module of the library imports it."""
