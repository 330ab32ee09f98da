"""The course's images: single real samples, and labelled datasets with a split by patient."""

from course_lib.data.samples import Sample, sample

__all__ = ["Sample", "sample"]
