"""What every dataset of the course looks like, and where generated and downloaded files are kept."""

import ast
import hashlib
import json
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import platformdirs

from course_lib import IN_COURSE, ROOT

LARGEST_SEED = 10**9


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a dataset: training, validation or test.

    x        images (n, h, w, c) or clips (n, t, h, w, c), float32 in [0, 1]
    targets  arrays (n,) by name; "label" is the class number, int64
    groups   (n,) patient of each image or clip, int64; None where the source does not say
    masks    (n, h, w) bool, True on the lesion; None where there are none
    files    (n,) path of each image in the folder that was loaded; None for what comes from elsewhere
    """

    x: np.ndarray
    targets: dict[str, np.ndarray]
    groups: np.ndarray | None = None
    masks: np.ndarray | None = None
    files: np.ndarray | None = None

    def __len__(self):
        return len(self.x)

    @property
    def kind(self) -> str:
        """What one item is: "images" or "clips"."""
        return "clips" if self.x.ndim == 5 else "images"

    def __str__(self):
        patients = "patients unknown" if self.groups is None else f"{len(np.unique(self.groups))} patients"
        extras = ", masks" if self.masks is not None else ""
        return f"{len(self)} {self.kind} of {patients}; targets: {', '.join(self.targets)}{extras}"

    __repr__ = __str__


@dataclass(frozen=True, eq=False)
class Dataset:
    """A labelled dataset in three splits. No patient is in two of them, where patients are known.

    class_names  name of class 0, 1, …, as "label" counts them
    simulated    True if what is to be recognised was simulated; None where nobody has checked
    official     splits that are the published ones, by checksum: "pneumoniamnist/test"
    note         what to know before using it
    """

    name: str
    train: Split
    val: Split
    test: Split
    class_names: tuple[str, ...]
    source: str
    licence: str
    simulated: bool | None
    note: str = ""
    official: tuple[str, ...] = ()

    def __str__(self):
        kind = {True: "simulated", False: "real", None: "not known whether real or simulated"}[self.simulated]
        size = " × ".join(map(str, self.train.x.shape[1:]))
        classes = ", ".join(f"{number} {name}" for number, name in enumerate(self.class_names))
        facts = {"classes": classes, "train": self.train, "val": self.val, "test": self.test, "source": self.source}
        checked = f"as published, by checksum: {', '.join(self.official)}" if self.official else ""
        facts |= {"licence": self.licence, "checked": checked, "note": self.note}
        return described(f"{self.name} ({kind}), {self.train.kind} {size}", facts)

    __repr__ = __str__


def described(title: str, facts: dict) -> str:
    """The title, and below it a line for each fact that is there."""
    return "\n".join([title, *(f"  {name:8} {fact}" for name, fact in facts.items() if fact)])


def cache_folder() -> Path:
    """Folder of generated and downloaded data.

    It is $COURSE_CACHE if that is set and not empty, `datasets/cache/` in the course's folder, or without that folder
    the user's cache.
    """
    if given := os.environ.get("COURSE_CACHE"):
        return Path(given).expanduser()
    return ROOT / "datasets" / "cache" if IN_COURSE else platformdirs.user_cache_path("course-lib", appauthor=False)


def syntax_hash(*paths: str | Path, of: str = "") -> str:
    """Eight hex digits of what these Python files do: of their syntax trees, without comments and docstrings.

    of: a function of theirs; then only what it needs counts, of all files together: each statement that defines a name that
    it uses, or a name that such a statement uses. Statements that define nothing always count, but for `if __name__ …`.
    The same on every Python that reads them alike: `ast.dump` writes one tree differently in 3.11 and 3.13.
    """
    trees = [ast.parse(Path(path).read_text(encoding="utf-8")) for path in paths]
    plain = _plain_tree(_needed(trees, of) if of else trees)
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()[:8]


def _needed(trees: list[ast.Module], name: str) -> list[ast.stmt]:
    """The statements of modules that the function called `name` needs, in the order of the files."""
    statements = [(each, _defined(each)) for tree in trees for each in tree.body if not _is_main(each)]
    needed, new = set(), {name}
    while new:
        needed |= new
        inside = [node for each, names in statements if names & new for node in ast.walk(each)]
        used = {node.id for node in inside if isinstance(node, ast.Name)}
        new = (used | {node.attr for node in inside if isinstance(node, ast.Attribute)}) - needed
    return [each for each, names in statements if not names or names & needed]


def _defined(statement: ast.stmt) -> set[str]:
    """The names that a statement gives to the module."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
    nodes = ast.walk(statement)
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _is_main(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test)


def _plain_tree(node):
    """A syntax tree as nested lists: no places, no empty fields, no statement that is a string (a docstring)."""
    if isinstance(node, list):
        return [_plain_tree(inner) for inner in node if not _is_docstring(inner)]
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, ast.JoinedStr):  # Python 3.12 puts empty strings into some f-strings
        node.values = [part for part in node.values if not (isinstance(part, ast.Constant) and part.value == "")]
    fields = [[name, _plain_tree(value)] for name, value in ast.iter_fields(node) if value not in (None, [])]
    return [type(node).__name__, *fields]


def _is_docstring(node) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def fingerprint(*arrays: np.ndarray) -> str:
    """Eight hex digits of what arrays (n, h, w) of grey levels (0 to 255) show, n slices or frames in each.

    Hashed are the mean, the standard deviation and the mean change from one picture to the next of blocks of
    n×16×16 pixels, as whole grey levels: another anatomy, lesion, contrast, motion or noise moves some of them,
    the last bits of another processor none.
    """
    digest = hashlib.sha256()
    for array in arrays:
        n, height, width = array.shape
        blocks = np.asarray(array, float).reshape(n, height // 16, 16, width // 16, 16)
        change = np.abs(np.diff(blocks, axis=0))
        levels = blocks.mean((0, 2, 4)), blocks.std((0, 2, 4)), change.mean((0, 2, 4))
        digest.update(np.rint(levels).astype("<i2").tobytes())
    return digest.hexdigest()[:8]


def is_whole(number) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


@dataclass(frozen=True)
class Parts:
    """How many patients a generator makes, and how it reads or makes them.

    name   of the dataset
    usual  patients of each split without options, made and cached together
    most   at most, of the splits that options reach; beyond `usual` they are made and cached `block` by `block`
    kinds  classes, of which a split has one patient each at least
    """

    name: str
    usual: dict[str, int]
    most: dict[str, int]
    block: int
    kinds: str

    def asked(self, n_patients, n_test, seed, least: int) -> dict[str, int]:
        """How many patients each split has, or a ValueError that says how many it may have, or which seeds there are."""
        found = dict(self.usual)
        options = ("n_patients", "train", "training", n_patients), ("n_test", "test", "test", n_test)
        for option, split, kind, number in options:
            if number is None:
                continue
            if not is_whole(number) or not least <= number <= self.most[split]:
                raise ValueError(
                    f"{option} is {number!r}, but {self.name} has up to {self.most[split]} {kind} patients, and at least "
                    f"{least} are needed, one of each {self.kinds}."
                )
            found[split] = int(number)
        if not is_whole(seed) or not 0 <= seed <= LARGEST_SEED:
            raise ValueError(f"seed is {seed!r}, but it must be a whole number from 0 to {LARGEST_SEED:,}.")
        return found

    def numbers(self, seed):
        """Numbers of the usual patients of all splits, and of those beyond, as many for each split. Both are shuffled, so
        that they tell neither class nor split. A seed's numbers follow those of the seed before it."""
        usual, beyond = sum(self.usual.values()), len(self.usual) * max(self.most.values())
        start = int(seed) * (usual + beyond)
        first = np.random.default_rng([seed, 99]).permutation(usual)
        return start + first, start + usual + np.random.default_rng([seed, 98]).permutation(beyond)

    def read(self, asked: dict[str, int], seed: int, make) -> dict[str, tuple[dict[str, np.ndarray], np.ndarray]]:
        """Of each split the arrays, by name, and the patients' numbers.

        `make(key, patients)` returns the arrays of patients (place of the split, number), as many rows of each patient as
        of another; `key` ends the name of their file.
        """
        usual = [(place, number) for place, n in enumerate(self.usual.values()) for number in range(n)]
        together, (first_ids, more_ids), first, found = make("", usual), self.numbers(seed), 0, {}

        def rows(arrays, n, start, count):
            return {name: array[len(array) // n * start :][: len(array) // n * count] for name, array in arrays.items()}

        for place, (split, n) in enumerate(self.usual.items()):
            kept = min(asked[split], n)
            parts = [rows(together, len(usual), first, kept)]
            for start in range(n, asked[split], self.block):
                block = [(place, number) for number in range(start, start + self.block)]
                parts.append(rows(make(f"-{split}-{start}", block), len(block), 0, asked[split] - start))
            arrays = {key: np.concatenate([p[key] for p in parts]) for key in together} if len(parts) > 1 else parts[0]
            more = more_ids[place * max(self.most.values()) :][: asked[split] - kept]
            found[split] = arrays, np.concatenate([first_ids[first : first + kept], more])
            first += n
        return found


def to_float(images: np.ndarray) -> np.ndarray:
    """uint8 images (n, h, w) or (n, h, w, c) as float32 (n, h, w, c) in [0, 1]."""
    images = np.divide(images, 255, dtype=np.float32)
    return images[..., None] if images.ndim == 3 else images


def cached(name: str, file_name: str, shapes: dict[str, tuple], make: Callable[[], dict[str, np.ndarray]]):
    """The arrays that `make()` returns for the dataset `name`, read from the cache or made and written to it.

    What is in the cache is used only if it can be read whole and holds an array of each name in `shapes`, of that
    shape. Where nothing can be written, a warning says so.
    """
    path = cache_folder() / file_name
    arrays = _read(path, shapes)
    if arrays is None:
        arrays = make()
        try:
            _write(path, arrays)
        except OSError as error:
            warnings.warn(f"{name} could not be kept in {path} ({error}): made anew each time.", stacklevel=6)
    return arrays


def _read(path: Path, shapes: dict[str, tuple]) -> dict[str, np.ndarray] | None:
    """The cached arrays, or None if there are none or they are damaged (the zip archive has checksums)."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in shapes}
    except Exception:  # a damaged archive raises nearly anything; the answer is always to make it again
        return None
    return arrays if {key: array.shape for key, array in arrays.items()} == shapes else None


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write to a file of this process first: another one sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{uuid4().hex}.part")
    try:
        with part.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # NumPy's type fears the name allow_pickle
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
