"""The course's images: single real samples, and labelled datasets with a split by patient.

    data.sample("ct")           one real image that ships inside a package, with unit, spacing, source and licence
    data.load("brain-lesions")  a labelled dataset in three splits; "echo-cine" holds clips; or a path of your own images
    data.catalogue()            everything there is

Real or simulated, source and licence are shown when a sample or dataset is printed; datasets/README.md says more.
"""

import hashlib
import os
import re
from pathlib import Path

from course_lib.data import brain_lesions, echo_cine, folder, medmnist
from course_lib.data.base import Dataset, Split, cache_folder
from course_lib.data.catalogue import Catalogue, catalogue
from course_lib.data.samples import Sample, sample

__all__ = ["Catalogue", "Dataset", "Sample", "Split", "cache_folder", "catalogue", "fingerprint", "load", "sample"]

LOADED: list[dict] = []
"""What this process has loaded, in order and once each: name and options but the defaults; for `results.save`."""
_GENERATORS = {"brain-lesions": brain_lesions, "echo-cine": echo_cine}


def fingerprint(name: str | os.PathLike) -> str:
    """Eight hex digits that change when the dataset `name` does: of some generated patients, or of the bytes of the
    file or of the images in the folder. "" where nothing is there.
    """
    if name in _GENERATORS:
        return _GENERATORS[name].fingerprint()
    if name in medmnist.known():
        return medmnist.known()[name]["md5"][:8]  # `load` has compared it
    digest, path = hashlib.md5(usedforsecurity=False), Path(name)
    files = [path] if path.is_file() else folder.files(path)
    for file in files:
        digest.update(b"" if file == path else str(file.relative_to(path).parts).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:8] if files else ""


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
                      along a known curve; generated at first use and cached. `n_patients` takes the first ones of
                      600 training patients, `seed` makes other ones, numbered apart too.
    "pneumoniamnist"  Real images of MedMNIST, downloaded at first use; names in `catalogue()`. They have one size
                      and no patient numbers, so the options do not apply.
    an .npz file      Any file in MedMNIST's format, for example "my-folder/pneumoniamnist_64.npz". It is called real,
                      or the published one, only where a checksum says so, whatever its name.
    a folder          Your own images, "folder/class/image.png" (.jpg, .dcm, .nii.gz), or a .csv table of them with the
                      columns path, label and, if known, patient and split. Split by patient; `size` makes them
                      squares of so many pixels, `seed` another split. What was left out, and why, is printed.

    Raises ValueError for an unknown name, an option that does not apply, what is not in the format or does not fit into
    memory; FileNotFoundError for a missing file; PermissionError for one that may not be read; TypeError for what is no
    name; ConnectionError if a download fails. There is no silent replacement.
    """
    if not isinstance(name, (str, os.PathLike)):
        raise TypeError(
            f"data.load takes the name of a dataset or the path of a file or folder, not {name!r:.60}. (None often comes "
            "from a search that found nothing; of an open file, give the path.)"
        )
    options = {"size": size, "n_patients": n_patients, "n_test": n_test, "seed": seed}
    path, known = Path(name).expanduser(), str(name) in medmnist.known()
    try:
        own = path.suffix.lower() == ".csv" or (path.is_dir() and not known)
        if name in _GENERATORS:
            dataset = _GENERATORS[name].load(**options)
        elif address := re.match(r"(https?|ftp|s3|gs):/+", str(name)):  # of two slashes, a Path keeps one
            raise ValueError(
                f"{address[1]}://{str(name)[address.end() :]} is an address. data.load reads what is on this machine: "
                "download the file, and give its path."
            )
        elif not (known or own or path.suffix.lower() == ".npz"):
            names, there = ", ".join([*_GENERATORS, *medmnist.known()]), path.exists()
            what = (
                f"data.load does not read such a file as {path}"
                if there
                else f"There is no dataset called {str(name)!r}"
            )
            raise ValueError(
                f"{what}. Choose one of: {names}; or give an .npz file, a .csv table or a folder of images."
            )
        elif (n_patients, n_test) != (None, None) or (not own and (size, seed) != (None, 0)):
            raise ValueError(
                f"n_patients and n_test are for generated patients, size and seed for those and for a folder of your own: "
                f"they do not apply to {name}. Call data.load({str(name)!r})."
            )
        elif own:
            dataset = folder.load(path, size=size, seed=seed)
        else:
            dataset = medmnist.load_known(str(name)) if known else medmnist.load_file(path)
    except PermissionError as error:
        raise PermissionError(f"You may not read {error.filename or name}: its owner has to permit it.") from None
    loaded = {"name": str(name), **{key: value for key, value in options.items() if value not in (None, 0)}}
    if loaded not in LOADED:
        LOADED.append(loaded)
    return dataset
