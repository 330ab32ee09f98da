"""From a medical image file to an array for a network; lesson medical_images explains what is done here.

    read     a DICOM file, or a sentence that says what is wrong with it
    header   what a header says: numbers, spacing, orientation, frames, ultrasound regions
    greys    from a dataset to what one may look at; units, window, scale
    series   slices into a volume, pixel spacing
    privacy  what identifies a patient, removed

All names are those of this package: `imaging.read_dicom`. DICOM's sections are cited as in the current edition of the
standard, https://www.dicomstandard.org/current.
"""

from course_lib.imaging.greys import Greys, greys, min_max, to_hounsfield, window, z_score
from course_lib.imaging.header import Region, ultrasound_regions
from course_lib.imaging.privacy import KEPT, blank_outside, deidentify
from course_lib.imaging.read import read_dicom
from course_lib.imaging.series import Volume, read_series, resample

__all__ = [
    "KEPT",
    "Greys",
    "Region",
    "Volume",
    "blank_outside",
    "deidentify",
    "greys",
    "min_max",
    "read_dicom",
    "read_series",
    "resample",
    "to_hounsfield",
    "ultrasound_regions",
    "window",
    "z_score",
]
