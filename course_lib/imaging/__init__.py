"""From a medical image file to an array for a network; lesson medical_images explains what is done here.

    read     a DICOM file, or a sentence that says what is wrong with it
    greys    units, window, scale
    series   pixel spacing
    privacy  what identifies a patient, removed

All names are those of this package: `imaging.read_dicom`. DICOM's sections are cited as in the current edition of the
standard, https://www.dicomstandard.org/current.
"""

from course_lib.imaging.greys import min_max, to_hounsfield, window, z_score
from course_lib.imaging.privacy import KEPT, blank_outside, deidentify
from course_lib.imaging.read import read_dicom
from course_lib.imaging.series import resample

__all__ = [
    "KEPT",
    "blank_outside",
    "deidentify",
    "min_max",
    "read_dicom",
    "resample",
    "to_hounsfield",
    "window",
    "z_score",
]
