"""Rules for what a notebook claims, and a list of the sentences that no rule can judge, for whoever reviews a lesson.

    python tests/claim_rules.py notebooks/08_training_well.ipynb

Each rule is a function of a notebook's name and content that yields what is wrong. What a reader sees is judged by the
text itself, in Markdown cells and in stored outputs alike: a mark there comes from a claim, since none may be typed.
"""

import ast
import json
import re
import sys
from pathlib import Path

from course_lib.claims import FAILS, HOLDS

SOURCE = re.compile(r"\bdoi:|\barXiv:|\bISBN\b|https://", re.IGNORECASE)
POINTER = re.compile(r"\b(lessons?|sections?) \[?\d|\]\(\d\d_\w+\.ipynb|datasets/README\.md", re.IGNORECASE)
COMPARES = re.compile(
    r"\b(than|better|worse|less|fewer|more|higher|larger|smaller|faster|slower|gain(s|ed)|improve(s|d)?|help(s|ed)?"
    r"|hurts?|costs|buys|beats|because|no difference|(does|do|did) not hold|as good as)\b",
    re.IGNORECASE,
)
CAUSES = re.compile(
    r"\b(so(?! that)|since|therefore|thus|due to|best|worst|lower|gain|cost|help|held|holds|wins?)\b", re.IGNORECASE
)
SHOWS = {"claim", "found", "summary"}
CHECKS = {"claim", "said"}


def source(cell):
    return "".join(cell["source"])


def markdown_outputs(cell):
    for output in cell.get("outputs", []):
        if text := "".join(output.get("data", {}).get("text/markdown", "")):
            yield text


def texts(notebook):
    """Pairs (number of the cell, Markdown text) in the order of reading: Markdown cells, and what code cells show."""
    for n, cell in enumerate(notebook["cells"], 1):
        for text in [source(cell)] if cell["cell_type"] == "markdown" else markdown_outputs(cell):
            yield n, text


def code(notebook):
    """Pairs (number of the cell, its syntax tree) of the code cells; a cell that is no Python has an empty one."""
    for n, cell in enumerate(notebook["cells"], 1):
        if cell["cell_type"] == "code":
            try:
                yield n, ast.parse(source(cell))
            except SyntaxError:  # a magic, for one
                yield n, ast.Module([], [])


def name_called(call):
    """`claim` for claim(…) and for claims.claim(…), but no other object's method (`model.summary`)."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr if getattr(call.func.value, "id", None) == "claims" else None
    return getattr(call.func, "id", None)


def calls(tree, names):
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and name_called(node) in names]


def has_evidence(text):
    """Whether a text is a claim, cites a source, or only points to a place without comparing anything itself.

    What stands before the mark belongs to no claim; where a claim ends, the text does not say.
    """
    before, mark, _ = text.partition(HOLDS)
    return bool(SOURCE.search(text) or ((mark or POINTER.search(text)) and not COMPARES.search(before)))


def what_we_found_is_claimed(name, notebook):
    """Each row of the table "The article says, we found" is a claim or cites a source."""
    for n, text in texts(notebook):
        inside = False
        for line in text.splitlines():
            if not line.startswith("|"):
                inside = False
            elif re.search(r"\bwe found\b", line, re.IGNORECASE):
                inside = True
            elif inside and not re.fullmatch(r"[|\s:-]+", line):
                right = line.strip().strip("|").split("|")[-1]
                if not has_evidence(right):
                    yield f"cell {n}: what we found is neither a claim nor has a source: {right.strip()}"


def summary_is_claimed(name, notebook):
    """Each item in the section Summary is a claim or cites a source; so does other text there, if it compares."""
    inside = False
    for n, text in texts(notebook):
        for block in re.split(r"\n\s*\n|\n(?=[-*#|] ?)", text):
            if block.lstrip().startswith("#"):
                inside = bool(re.match(r"#+ (\d+\. )?summary\b", block.lstrip(), re.IGNORECASE))
                block = block.partition("\n")[2]
            item = re.match(r"\s*([-*]|\d+\.) ", block)
            if inside and not block.startswith("|") and (item or COMPARES.search(block)) and not has_evidence(block):
                yield f"cell {n}: a line of the summary is neither a claim nor has a source: {block.strip()}"


def captions_that_compare_are_claimed(name, notebook):
    for n, text in texts(notebook):
        if text.startswith("**Figure.**") and (word := COMPARES.search(text)) and not has_evidence(text):
            yield f"cell {n}: the caption compares (“{word[0]}”) without a claim or a source: {text}"


def claims_held_when_saved(name, notebook):
    for n, text in texts(notebook):
        if FAILS in text:
            yield f"cell {n} stores a claim that does not hold: {text}"


def marks_are_not_typed(name, notebook):
    for n, cell in enumerate(notebook["cells"], 1):
        if HOLDS in source(cell) or "✘" in source(cell):
            yield f"cell {n} holds a typed mark: only a claim may show one"


def cells_of_claims_are_folded(name, notebook):
    """The sentence is read in the flow of the text: its code is folded, in JupyterLab and in the book."""
    for n, tree in code(notebook):
        metadata = notebook["cells"][n - 1]["metadata"]
        folded = metadata.get("jupyter", {}).get("source_hidden") and "hide-input" in metadata.get("tags", [])
        if calls(tree, SHOWS) and not folded:
            yield f'cell {n} shows a claim: fold it ("jupyter": {{"source_hidden": true}} and the tag hide-input)'


def rests_on_stored_runs(notebook):
    """Names in the notebook's cells that hold stored runs, or something computed from them."""
    names = {"results"}  # the module through which stored runs come in
    for _, tree in code(notebook):
        for statement in tree.body:
            if isinstance(statement, ast.Import | ast.ImportFrom) or not names_in(statement) & names:
                continue
            if isinstance(statement, ast.FunctionDef):
                names.add(statement.name)
                continue
            for node in ast.walk(statement):
                if isinstance(node, ast.Assign):
                    names |= {name for target in node.targets for name in names_in(target)}
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    names.add(node.id)
    return names


def names_in(tree):
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def claims_can_fail(name, notebook):
    """A claim rests on something, and one on stored runs names what would refute it. It is shown, not only checked."""
    stored = rests_on_stored_runs(notebook)
    for n, tree in code(notebook):
        for call in calls(tree, CHECKS):
            given = dict(zip(["sentence", "condition", "runs"], call.args, strict=False))
            given |= {keyword.arg: keyword.value for keyword in call.keywords}
            condition, start = given.get("condition"), f"cell {n}, {ast.unparse(given.get('sentence', call))}"
            if condition is None or not names_in(condition):
                yield f"{start}: its condition rests on nothing"
            elif "runs" not in given and (names := sorted(names_in(condition) & stored)):
                yield f"{start}: it rests on stored runs ({', '.join(names)}): make its condition a function of them"
            elif "runs" in given and "refuted_by" not in given:
                yield f"{start}: name what would refute it (refuted_by)"
        for statement in tree.body:
            if isinstance(statement, ast.Expr) and statement.value in calls(statement, {"said"}):
                yield f"cell {n}: nobody reads what `said` returns here: use claim"


RULES = [
    what_we_found_is_claimed,
    summary_is_claimed,
    captions_that_compare_are_claimed,
    claims_held_when_saved,
    marks_are_not_typed,
    cells_of_claims_are_folded,
    claims_can_fail,
]


def problems(name, notebook):
    return [problem for rule in RULES for problem in rule(name, notebook)]


def sentences_to_judge(notebook):
    """Pairs (cell, sentence): comparisons and causes in Markdown cells that are no claims and cite nothing.

    Words alone flag too much and miss some: whoever reviews the lesson decides. Left out are tasks and questions,
    tables, formulas, the summary (which has rules of its own) and the references.
    """
    section = ""
    for n, cell in enumerate(notebook["cells"], 1):
        if cell["cell_type"] != "markdown":
            continue
        text = re.sub(r"```.*?```|\$\$.*?\$\$", " ", source(cell), flags=re.DOTALL)
        for block in re.split(r"\n\s*\n|\n(?=[-*#|] ?)", text):
            if block.lstrip().startswith("#"):
                section, _, block = block.lstrip("# \n").partition("\n")
            left_out = re.match(r"\s*(\||- [a-z]\) |\*\*(Exercise|Question|Predict))", block)
            if left_out or re.match(r"(\d+\. )?(Summary|References)", section, re.IGNORECASE):
                continue
            for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z*(])", " ".join(block.split())):
                told = (COMPARES.search(sentence) or CAUSES.search(sentence)) and not sentence.endswith("?")
                if told and not SOURCE.search(sentence):
                    yield n, sentence


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        print(f"{path.name}: against the rules")
        print("\n".join(f"  {problem}" for problem in problems(path.name, notebook)) or "  nothing")
        print(f"{path.name}: to be judged by a reader")
        print("\n".join(f"  cell {n}: {sentence}" for n, sentence in sentences_to_judge(notebook)) or "  nothing")
