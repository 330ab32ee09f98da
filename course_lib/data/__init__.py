"""The course's images: single real samples, and labelled datasets with a split by patient.

    data.sample("ct")           one real image that ships inside a package, with unit, spacing, source and licence
    data.load("brain-lesions")  a labelled dataset in three splits; "echo-cine" holds clips
    data.catalogue()            everything there is

Real or simulated, source and licence are shown when a sample or dataset is printed; datasets/README.md says more.
"""

import hashlib
import os
from pathlib import Path

from course_lib.data import brain_lesions, echo_cine, medmnist
from course_lib.data.base import Dataset, Split, cache_folder
from course_lib.data.catalogue import Catalogue, catalogue
from course_lib.data.samples import Sample, sample

__all__ = ["Catalogue", "Dataset", "Sample", "Split", "cache_folder", "catalogue", "fingerprint", "load", "sample"]

LOADED: list[dict] = []
"""What this process has loaded, in order and once each: name and options but the defaults; for `results.save`."""
_GENERATORS = {"brain-lesions": brain_lesions, "echo-cine": echo_cine}


def fingerprint(name: str | os.PathLike) -> str:
    """Eight hex digits that change when the dataset `name` does: of some generated patients, or of the file's bytes.

    "" where nothing can be said: a folder, or a file that is not there.
    """
    if name in _GENERATORS:
        return _GENERATORS[name].fingerprint()
    if name in medmnist.known():
        return medmnist.known()[name]["md5"][:8]  # `load` has compared it
    return hashlib.md5(Path(name).read_bytes(), usedforsecurity=False).hexdigest()[:8] if Path(name).is_file() else ""


def load(
    name: str | os.PathLike,
    *,
    size: int | None = None,
    n_patients: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
) -> Dataset:
    """Return the dataset called `name`.

    "brain-lesions"   Simulated lesions on slices of a real brain template, generated at first use and cached.
                      `size` is 64 (the default), 32 or 128 pixels. `n_patients` is how many training patients, 600
                      unless you say so and up to 2,400; `n_test` how many test patients, 160 unless you say so and up
                      to 1,360. Smaller sets are part of larger ones, and validation stays as it is. `seed` makes
                      other patients; their numbers (`groups`) never meet those of another seed.
    "echo-cine"       Simulated echocardiograms, clips of 48 frames, 48×48: real frames, the left ventricle moving
                      along a known curve; generated at first use and cached. The options are those of brain-lesions:
                      up to 1,200 training and 600 test patients (600 and 240 unless you say so), one size.
    "pneumoniamnist"  Real images of MedMNIST, downloaded at first use; names in `catalogue()`. They have one size
                      and no patient numbers, so the options do not apply.
    a path            Any file in MedMNIST's format, for example "my-folder/pneumoniamnist_64.npz".

    Raises ValueError for an unknown name, an option that does not apply or a file that is not in the format;
    FileNotFoundError for a missing file; ConnectionError if a download fails. There is no silent replacement.
    """
    options = {"size": size, "n_patients": n_patients, "n_test": n_test, "seed": seed}
    if name in _GENERATORS:
        dataset = _GENERATORS[name].load(**options)
    else:
        path = Path(name)
        if str(name) not in medmnist.known() and path.suffix != ".npz":
            names = ", ".join([*_GENERATORS, *medmnist.known()])
            raise ValueError(f"There is no dataset called {str(name)!r}. Choose one of: {names}; or give an .npz file.")
        if (size, n_patients, n_test, seed) != (None, None, None, 0):
            raise ValueError(
                f"{name} is a file of real images without patient numbers: size, n_patients, n_test and seed do not "
                f"apply to it. Call data.load({str(name)!r})."
            )
        dataset = medmnist.load_known(str(name)) if str(name) in medmnist.known() else medmnist.load_file(path)
    loaded = {"name": str(name), **{key: value for key, value in options.items() if value not in (None, 0)}}
    if loaded not in LOADED:
        LOADED.append(loaded)
    return dataset
