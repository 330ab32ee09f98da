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
ADDRESS = re.compile("(https?|ftp|s3|gs):/+")  # of two slashes, a Path keeps one


def fingerprint(name: str | os.PathLike) -> str:
    """Eight hex digits that change when the dataset `name` does: of some generated patients, or of the bytes of the
    file, or of all files in the folder (or beside the table). "" where nothing is there.
    """
    if name in _GENERATORS:
        return _GENERATORS[name].fingerprint()
    if name in medmnist.known():
        return medmnist.known()[name]["md5"][:8]  # `load` has compared it
    path, digest = Path(os.path.expanduser(name)), hashlib.md5(usedforsecurity=False)  # noqa: PTH111
    root = path if path.is_dir() else path.parent
    own = path.is_dir() or (path.is_file() and path.suffix.lower() == ".csv")
    files = [file for file in (folder.files(root) if own else [path]) if file.is_file()]
    for file in files:
        digest.update(str(file.relative_to(root).parts).encode() if own else b"")
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
                      along a known curve; generated at first use and cached. The options are those of brain-lesions:
                      up to 1,200 training and 600 test patients (600 and 240 unless you say so), one size.
    "pneumoniamnist"  Real images of MedMNIST, downloaded at first use; names in `catalogue()`. They have one size
                      and no patient numbers, so the options do not apply.
    an .npz file      Any file in MedMNIST's format. It is called real, or the published one, only where a checksum says
                      so, whatever its name.
    a folder          Your own images, "folder/class/image.png" (.jpg, .dcm, .nii.gz), or a .csv table of them with the
                      columns path, label and, if known, patient and split. Split by patient; `size` makes them
                      squares of so many pixels, `seed` another split. What was left out, and why, is printed.

    Raises ValueError for an unknown name, an option that does not apply, what is not in the format or beyond the memory;
    TypeError for what is no name; OSError for what cannot be opened, ConnectionError for what cannot be downloaded.
    """
    if not isinstance(name, str | os.PathLike):
        raise TypeError(
            f"data.load takes the name of a dataset or the path of a file or folder, not {name!r:.60}. (None often comes "
            "from a search that found nothing; of an open file, give the path.)"
        )
    options = {"size": size, "n_patients": n_patients, "n_test": n_test, "seed": seed}
    path, known = Path(os.path.expanduser(name)), str(name) in medmnist.known()  # noqa: PTH111  raises nothing
    try:
        own = not known and str(name) != "" and (path.is_dir() or path.suffix.lower() == ".csv")
        if name in _GENERATORS:
            dataset = _GENERATORS[name].load(**options)
        elif not (known or own or path.suffix.lower() == ".npz") or ADDRESS.match(str(name)):
            raise ValueError(_not_read(str(name), path))
        elif (n_patients, n_test) != (None, None) or (not own and (size, seed) != (None, 0)):
            raise ValueError(
                "n_patients and n_test are for generated patients, size and seed for those and for a folder of your own: "
                f"they do not apply to {name}. Call data.load({str(name)!r})."
            )
        elif own:
            dataset = folder.load(path, size=size, seed=seed)
        else:
            dataset = medmnist.load_file(medmnist.download(str(name)) if known else path)
    except OSError as error:
        if error.filename is None:  # a sentence already
            raise
        raise type(error)(f"{error.strerror}: {error.filename} cannot be read or written.") from None
    loaded = {"name": str(name), **{key: value for key, value in options.items() if value not in (None, 0)}}
    if loaded not in LOADED:
        LOADED.append(loaded)
    return dataset


def _not_read(name: str, path: Path) -> str:
    if address := ADDRESS.match(name):
        return (
            f"{address[1]}://{name[address.end() :]} is an address. data.load reads what is on this machine: download the "
            "file, and give its path."
        )
    what = f"data.load reads no such file as {path}" if path.is_file() else f"There is no dataset called {name!r}"
    names = ", ".join([*_GENERATORS, *medmnist.known()])
    return f"{what}. Choose one of: {names}; or give an .npz file, a .csv table or a folder of images."
