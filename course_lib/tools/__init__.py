"""What course.py calls; no module of the library imports these."""
