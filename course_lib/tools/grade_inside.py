"""Inside the sandbox of `course.py grade`: reads one notebook and calls the student's functions; marks nothing.

Requests come as lines of JSON on standard input, replies go to standard output. A student's code shares this process
and may do with it what it likes: all that leaves is plain data, and grade.py compares them with what is right.
"""

import ast
import base64
import contextlib
import hashlib
import importlib
import importlib.util
import json
import os
import re
import symtable
import sys
import types
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from course_lib.exercises import compare

CPU_SECONDS = 600  # a stopper, should whoever watches the clock outside have been ended
FILE_BYTES = 64 * 10**6
LESSON = re.compile(
    r"^\s*(?:from|import) course_lib\.lessons\.(\w+)(?:\.exercises\b| import (?:\([^)]*|.*)\bexercises\b)", re.M
)
FIRST_EDITION = re.compile(r"^\s*from course_lib\.exercises import", re.M)
ANSWERS = {"reference", "also_correct"}  # what an exercise knows and no notebook needs


# ---- Plain data ------------------------------------------------------------------------------------------------------


def encode(value):
    """`value` as JSON can hold it; of what is no plain data, only the type's name."""
    if value is None or isinstance(value, bool | int | float | str) and type(value).__module__ == "builtins":
        return value
    if isinstance(value, list):
        return [encode(part) for part in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(part) for part in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(key), encode(part)] for key, part in value.items()]}
    if value is ...:
        return {"ellipsis": True}
    if isinstance(value, Fraction):
        return float(value)
    if isinstance(value, np.ndarray) and value.dtype == object:
        return {"objects": [encode(part) for part in value.ravel().tolist()], "shape": list(value.shape)}
    with contextlib.suppress(Exception):  # foreign objects raise anything
        array = np.asarray(value)  # of TensorFlow, of pandas, a range
        if array.dtype.kind in "biufcSU":
            data, kind = (
                base64.b64encode(array.tobytes()).decode(),
                "scalar" if isinstance(value, np.generic) else "array",
            )
            return {kind: data, "dtype": array.dtype.str, "shape": list(array.shape)}
    return {"other": type(value).__name__[:80]}


def decode(value):
    """What `encode` made, without ever running what it holds. Raises ValueError, KeyError or TypeError for nonsense."""
    if isinstance(value, list):
        return [decode(part) for part in value]
    if not isinstance(value, dict):
        return value
    if "tuple" in value:
        return tuple(decode(part) for part in value["tuple"])
    if "dict" in value:
        return {decode(key): decode(part) for key, part in value["dict"]}
    if "ellipsis" in value:
        return ...
    if "objects" in value:
        array = np.empty(len(value["objects"]), dtype=object)
        array[:] = [decode(part) for part in value["objects"]]
        return array.reshape(value["shape"])
    if "other" in value:
        return Other(str(value["other"])[:80])
    dtype = np.dtype(str(value["dtype"]))
    if dtype.kind not in "biufcSU":
        raise ValueError(f"No array of {dtype}.")
    data = base64.b64decode(value["scalar" if "scalar" in value else "array"])
    array = np.frombuffer(data, dtype).reshape(value["shape"]).copy()
    return array[()] if "scalar" in value else array


class Other:
    """Stands for a value that is no plain data."""

    def __init__(self, kind):
        self.kind = kind

    def __repr__(self):
        return f"an object of type {self.kind}"


# ---- The notebook ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Statement:
    """One statement of a notebook's top level: what it binds or changes, and which global names it reads."""

    cell: int
    node: ast.stmt
    bound: frozenset
    read: frozenset


class Notebook:
    """The code of a notebook, and where it calls a check.

    attempts: exercise -> (index of the statement, the argument: its syntax tree, None where there is none, or a sentence
    where the cell cannot be read) of each call.
    """

    def __init__(self, content: bytes):
        self.notes, self.for_teacher, self.statements, self.attempts = [], [], [], {}
        try:
            text = content.decode(json.detect_encoding(content))
        except UnicodeDecodeError:
            text = content.decode("cp1252", errors="replace")
            self.notes.append("It is not stored as UTF-8, as notebooks are, and was read as Windows-1252.")
        # Not by nbformat, which takes two seconds of processor time to be imported, more than all the rest.
        cells = [
            (cell["cell_type"], "".join(cell["source"])) for cell in json.loads(text.removeprefix("\ufeff"))["cells"]
        ]
        self.sources = [(number, source) for number, (kind, source) in enumerate(cells, 1) if kind == "code"]
        self.code = "\n".join(source for _, source in self.sources)
        self.digest = hashlib.sha256(json.dumps(cells).encode()).hexdigest()
        for number, source in self.sources:
            try:
                found = [statement(number, node) for node in parsed(source).body]
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                self.notes.append(f"Cell {number} is not valid Python: {compare.told(error)}")
                for name in re.findall(r"\.(\w+)\.check\(", source):
                    self.attempts.setdefault(name, []).append((len(self.statements), self.notes[-1]))
                continue
            for one in found:
                self._look(one)

    def _look(self, one):
        for part in ast.walk(one.node):
            match part:
                case ast.Call(func=ast.Attribute(attr="check", value=ast.Attribute(attr=name))):
                    given = [*part.args, *(keyword.value for keyword in part.keywords)]
                    self.attempts.setdefault(name, []).append((len(self.statements), given[0] if given else None))
                case ast.Attribute(attr=name) if name in ANSWERS:
                    self.for_teacher.append(f"cell {one.cell} names `.{name}`, where the course keeps its own answers.")
        self.statements.append(one)

    def needed(self, place, argument):
        """The statements before `place` that the argument of a check depends on, in their order.

        A notebook trains networks and draws figures; an answer needs its own definition, and what that names.
        """
        imported = {name for one in self.statements if is_import(one.node) for name in one.bound}
        names, chosen = set(global_names(argument)[1]), {}
        size = -1
        while size != len(chosen):
            size = len(chosen)
            for index, one in enumerate(self.statements[:place]):
                changes = one.bound | (changed(one.node) - imported)
                if index not in chosen and (changes & names or "*" in one.bound):
                    chosen[index] = one
                    names |= one.read
        return [chosen[index] for index in sorted(chosen)]

    def answer(self, name, number):
        """Run what the attempt needs. Returns (what the student hands to the check, None or a sentence: what failed)."""
        place, argument = self.attempts[name][number]
        if isinstance(argument, str):
            raise SyntaxError(argument)
        if argument is None:
            return ..., None
        main = types.ModuleType("__main__")
        sys.modules["__main__"] = main
        trouble = None
        for one in self.needed(place, argument):
            try:
                exec(compile(ast.Module([one.node], []), f"cell {one.cell}", "exec"), main.__dict__)
            except BaseException as error:
                trouble = trouble or f"Cell {one.cell} stopped with {compare.told(error)}"
        try:
            return eval(compile(ast.Expression(argument), "check", "eval"), main.__dict__), trouble
        except BaseException as error:
            raise RuntimeError(trouble or f"The cell of the check stopped with {compare.told(error)}") from None


def parsed(source):
    """The syntax tree of a cell; IPython's own syntax (`%matplotlib`, `!pip`) is translated first."""
    try:
        return ast.parse(source)
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager  # half a second that most notebooks do not need

        return ast.parse(TransformerManager().transform_cell(source))


def statement(cell, node):
    bound, read = global_names(node)
    star = isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
    return Statement(cell, node, frozenset(bound | ({"*"} if star else set())), frozenset(read))


def is_import(node):
    return isinstance(node, ast.Import | ast.ImportFrom)


def global_names(node):
    """(names bound, names read) by a piece of code as globals, in the functions that it holds, too."""
    bound, read = set(), set()
    tables = [symtable.symtable(ast.unparse(node), "cell", "exec")]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            if table.get_type() == "module" or symbol.is_global():
                bound |= {symbol.get_name()} if symbol.is_assigned() or symbol.is_imported() else set()
                read |= {symbol.get_name()} if symbol.is_referenced() else set()
    return bound, read


def changed(node):
    """Names whose objects a statement may change: `x[0] = 1`, `x.size = 2`, `x.append(3)`."""
    names = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            part = part.func if isinstance(part.func, ast.Attribute) else None
        elif isinstance(getattr(part, "ctx", None), ast.Load):
            continue
        if isinstance(part, ast.Attribute | ast.Subscript):
            while isinstance(part, ast.Attribute | ast.Subscript):
                part = part.value
            names |= {part.id} if isinstance(part, ast.Name) else set()
    return names


# ---- Requests --------------------------------------------------------------------------------------------------------


class Inside:
    """Answers requests about one notebook. exchange: function that sends a reply and returns the next request."""

    def __init__(self, exchange):
        self.exchange = exchange

    def read(self, content):
        content = base64.b64decode(content)
        self.notebook = book = Notebook(content)
        lessons = LESSON.findall(book.code)
        return {
            "lesson": lessons[0] if lessons else None,
            "first_edition": bool(FIRST_EDITION.search(book.code)),
            "attempts": {name: len(places) for name, places in book.attempts.items()},
            "notes": book.notes[:20],
            "for_teacher": book.for_teacher[:20],
            "digest": book.digest,
            "project": project(book, content) if lessons[:1] == ["capstone"] else None,
        }

    def prepare(self, lesson, name, number):
        exercise = getattr(importlib.import_module(f"course_lib.lessons.{lesson}.exercises"), name)
        # Made before the student's code runs, which may draw from the same generators or change modules.
        self.inputs = exercise.inputs() if hasattr(exercise, "inputs") else []
        self.function, trouble = self.notebook.answer(name, number)
        if not callable(self.function):
            return {"value": encode(self.function), "trouble": trouble}
        back = getattr(self.function, "given_back_by", None) is exercise
        return {"function": str(getattr(self.function, "__name__", ""))[:80], "back": back, "trouble": trouble}

    def call(self, index):
        given = [self.borrowed(n) if callable(value) else value for n, value in enumerate(self.inputs[index])]
        before = json.dumps(encode(given))
        result = encode(self.function(*given))
        after = encode(given)
        return {"result": result} | ({"given": after} if json.dumps(after) != before else {})

    def borrowed(self, place):
        """A function among the arguments: it is called outside, where the check may count its calls."""

        def function(*arguments, **options):
            kind, value = self.exchange({"borrowed": place, "arguments": encode([list(arguments), options])})
            if kind == "error":
                raise RuntimeError(value)
            return decode(value)

        return function


def project(book, content):
    """What a machine can say of the capstone's hand-in: points by criterion, remarks, the student's words with their cell.

    None where the notebook is no capstone. Nothing of the student's has run yet, and nothing is run again: the numbers are
    those that the notebook holds.
    """
    hand_in, path = importlib.import_module("course_lib.tools.hand_in"), Path("hand-in.ipynb")
    path.write_bytes(content)
    try:
        card = hand_in.read(path)
        remarks, claims = hand_in.remarks(card), {}
        for name in hand_in.RUBRIC:
            words = str(card["claims"][name]).strip()
            cells = [number for number, source in book.sources if words and words in source]
            claims[name] = [cells[0] if cells else None, words]
        for name, code in card["recipe"]["code"].items():
            if not any(code.strip() in source for _, source in book.sources):
                remarks["card"].append(f"The code of {name} on the card stands in no cell of this notebook.")
        return {"rubric": hand_in.RUBRIC, "remarks": remarks, "claims": claims}
    except Exception as error:  # a card may hold anything
        return {"problem": str(error) if isinstance(error, ValueError) else compare.told(error)}


def limit(memory, processes):
    """Limit this process for good. Returns what this system does not limit, in words."""
    try:
        import resource
    except ImportError:  # Windows
        return ["the memory of a process", "the number of processes", "the size of files"]
    missing = []
    for words, kind, most in [
        ("the memory of a process", "RLIMIT_AS", memory),
        ("the number of processes", "RLIMIT_NPROC", processes),
        ("the size of files", "RLIMIT_FSIZE", FILE_BYTES),
        ("processor time", "RLIMIT_CPU", CPU_SECONDS),
        ("core files", "RLIMIT_CORE", 0),
    ]:
        try:
            kind = getattr(resource, kind)
            hard = resource.getrlimit(kind)[1]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (most, most))
            if resource.getrlimit(kind)[0] != most:
                missing.append(words)
        except (AttributeError, OSError, ValueError):  # macOS refuses some
            missing.append(words)
    return missing


def main():
    missing = limit(int(sys.argv[1]), int(sys.argv[2]))
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what the student's code prints goes where it is only counted

    def send(reply):
        replies.write(json.dumps(reply).encode() + b"\n")
        replies.flush()

    def exchange(reply):
        send(reply)
        return json.loads(requests.readline())

    inside = Inside(exchange)
    for line in requests:
        kind, *arguments = json.loads(line)
        try:
            reply = {"missing": missing} if kind == "start" else getattr(inside, kind)(*arguments)
            json.dumps(reply)
        except BaseException as error:  # whatever a student's code raises, exit() as well
            reply = {"error": type(error).__name__[:80], "words": str(error)[:3000]}
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
        send(reply)


if __name__ == "__main__":
    main()
