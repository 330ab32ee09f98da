"""What a notebook holds: what its code cells define, for the tests that tie a cell to its copy, and how long it takes."""

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path

CODING = re.compile(r"^(\w+) = exercises\.\1\.check\(\1\)$", re.MULTILINE)
QUESTION = re.compile(r"^exercises\.\w+\.check\(\"", re.MULTILINE)
EXPLORER = re.compile(r"^explorers\.\w+\(\)\.show\(\)", re.MULTILINE)
DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def code_cells(path: str | Path) -> list[str]:
    """The sources of the code cells of the notebook at `path`, in order."""
    cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def reading_minutes(notebook: dict) -> int:
    """How long a reader needs for `notebook` (its JSON), in minutes, to the next five.

    200 words a minute, 6 seconds a line of code that is not folded away, 5 minutes a coding exercise, 1.5 a question,
    4 an explorer.
    """
    minutes = 0.0
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            minutes += len(text.split()) / 200
            continue
        if not cell["metadata"].get("jupyter", {}).get("source_hidden"):
            minutes += sum(bool(line.strip()) for line in text.splitlines()) / 10
        minutes += 5 * len(CODING.findall(text)) + 1.5 * len(QUESTION.findall(text)) + 4 * len(EXPLORER.findall(text))
    return 5 * round(minutes / 5)


def definitions(source: str) -> dict[str, str]:
    """The source, decorators included, of each function and class that `source` defines at its top level.

    Of two definitions of one name the last one counts, as it does when the code runs.
    """
    found = {}
    lines = source.splitlines()
    for node in ast.parse(source).body:
        if isinstance(node, DEFINITIONS):
            first = min(part.lineno for part in [node, *node.decorator_list])
            found[node.name] = "\n".join(lines[first - 1 : node.end_lineno])
    return found


def code_of(path: str | Path, name: str) -> str:
    """The source of the function or class `name` as the code cells of the notebook at `path` define it.

    Raises ValueError if no cell defines it.
    """
    found = {key: source for cell in code_cells(path) for key, source in definitions(cell).items()}
    if name not in found:
        raise ValueError(
            f"No code cell of {Path(path).name} defines a function or class {name!r}; "
            f"defined are: {', '.join(sorted(found)) or 'none'}."
        )
    return found[name]


def same_code(path: str | Path, name: str, function: Callable) -> bool:
    """Whether a notebook's function or class `name` and `function` have the same syntax tree.

    Comments, docstrings, decorators, annotations and imports are left out of account (a module imports Keras inside its
    functions, a notebook in its first cell); names, defaults and all other statements are not.
    """
    return bare(code_of(path, name)) == bare(textwrap.dedent(inspect.getsource(function)))


def bare(source: str) -> str:
    """The syntax tree of `source` as text, without docstrings, decorators, annotations and imports."""
    return ast.dump(_Bare().visit(ast.parse(source)))


class _Bare(ast.NodeTransformer):
    def generic_visit(self, node):
        super().generic_visit(node)
        if isinstance(node, DEFINITIONS):
            node.decorator_list = []
            if ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:]
            node.body = node.body or [ast.Pass()]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        return node

    def visit_Import(self, node):
        return None

    visit_ImportFrom = visit_Import

    def visit_AnnAssign(self, node):
        self.generic_visit(node)
        return ast.Assign([node.target], node.value) if node.value is not None else None
