"""The course's images: single real samples, and labelled datasets with a split by patient.

    data.sample("ct")           one real image that ships inside a package, with unit, spacing, source and licence
    data.load("brain-lesions")  a labelled dataset in three splits; "echo-cine" holds clips
    data.catalogue()            everything there is

Real or simulated, source and licence are shown when a sample or dataset is printed; datasets/README.md says more.
"""

import functools
import hashlib
import os
from pathlib import Path

from course_lib.data import brain_lesions, echo_cine, medmnist
from course_lib.data.base import Dataset, Split, cache_folder
from course_lib.data.catalogue import Catalogue, catalogue
from course_lib.data.samples import Sample, sample

__all__ = ["Catalogue", "Dataset", "Sample", "Split", "cache_folder", "catalogue", "fingerprint", "load", "sample"]

LOADED: list[dict] = []
"""What this process has loaded, in order and once each: name and options that were given; for `results.save`."""


def _noted(load):
    """`load`, and a note in LOADED when it has succeeded."""

    @functools.wraps(load)
    def noted(name, **options):
        dataset = load(name, **options)
        what = {"name": os.fspath(name), **options}
        if what not in LOADED:
            LOADED.append(what)
        return dataset

    return noted


def fingerprint(name: str | os.PathLike) -> str:
    """Eight hex digits that change when the dataset `name` does: of some generated patients, or of the file's bytes.

    "" where nothing can be said: a folder, or a file that is not there.
    """
    generators = {"brain-lesions": brain_lesions, "echo-cine": echo_cine}
    if name in generators:
        return generators[name].fingerprint()
    if name in medmnist.known():
        return medmnist.known()[name]["md5"][:8]  # `load` has compared it
    return hashlib.md5(Path(name).read_bytes(), usedforsecurity=False).hexdigest()[:8] if Path(name).is_file() else ""


@_noted
def load(name: str | os.PathLike, *, size: int | None = None, n_patients: int | None = None, seed: int = 0) -> Dataset:
    """Return the dataset called `name`.

    "brain-lesions"   Simulated lesions on slices of a real brain template, generated at first use and cached.
                      `size` is 64 (the default), 32 or 128 pixels. `n_patients` takes that many of the training
                      patients, the first ones, so that smaller sets are part of larger ones; validation and test
                      stay as they are. `seed` makes another set of patients.
    "echo-cine"       Simulated echocardiograms, clips of 48 frames, 48×48: real frames, the left ventricle moving
                      along a known curve; generated at first use and cached. `n_patients` and `seed` as above.
    "pneumoniamnist"  Real images of MedMNIST, downloaded at first use; names in `catalogue()`. They have one size
                      and no patient numbers, so `size`, `n_patients` and `seed` do not apply.
    a path            Any file in MedMNIST's format, for example "my-folder/pneumoniamnist_64.npz".

    Raises ValueError for an unknown name, an option that does not apply or a file that is not in the format;
    FileNotFoundError for a missing file; ConnectionError if a download fails. There is no silent replacement.
    """
    if name == "brain-lesions":
        return brain_lesions.load(size=size, n_patients=n_patients, seed=seed)
    if name == "echo-cine":
        return echo_cine.load(size=size, n_patients=n_patients, seed=seed)
    path = Path(name)
    if str(name) not in medmnist.known() and path.suffix != ".npz":
        names = ", ".join(["brain-lesions", "echo-cine", *medmnist.known()])
        raise ValueError(f"There is no dataset called {str(name)!r}. Choose one of: {names}; or give an .npz file.")
    if (size, n_patients, seed) != (None, None, 0):
        raise ValueError(
            f"{name} is a file of real images without patient numbers: size, n_patients and seed do not apply to it. "
            f"Call data.load({str(name)!r})."
        )
    return medmnist.load_known(str(name)) if str(name) in medmnist.known() else medmnist.load_file(path)
