"""Workflows, hooks and templates cannot be run here; what they call exists, and asks for what the course supports."""

import importlib.util
import re
import shlex
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

import course_lib

ROOT = Path(course_lib.__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def load_course():
    spec = importlib.util.spec_from_file_location("course", ROOT / "course.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def faults(workflow):
    """A sentence for each thing in a workflow that cannot work."""
    course = load_course()
    supported = SpecifierSet(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"])
    for name, job in workflow["jobs"].items():
        if "timeout-minutes" not in job:
            yield f"{name} has no time limit"
        matrix = job.get("strategy", {}).get("matrix", {})
        rows = [matrix, *matrix.get("include", [])]
        versions = [str(value) for row in rows for value in _listed(row.get("python", []))]
        for step in job["steps"]:
            if "uses" in step and not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]):
                yield f"{name} uses {step['uses']}, which is not pinned to a commit"
            version = str(step.get("with", {}).get("python-version", ""))
            versions += [version] if version and "${{" not in version else []
            files = step.get("with", {}).get("cache-dependency-path")
            if files and not (ROOT / files).is_file():
                yield f"{name} reads {files}, which is not there"
            for line in step.get("run", "").splitlines():
                yield from (f"{name}: {fault}" for fault in _faults_of_command(course, line, matrix))
        yield from (f"{name} wants Python {version}" for version in versions if version not in supported)


def _listed(value):
    return value if isinstance(value, list) else [value]


def _faults_of_command(course, line, matrix):
    line = re.sub(r"\$\{\{ matrix\.(\w+) \}\}", lambda found: str(matrix[found[1]][0]), line)
    words = shlex.split(line)
    for word in words:
        if (
            re.fullmatch(r"[\w.-]+\.py|\.ci/\w+|[\w./-]+/[\w.-]+\.py|Containerfile", word)
            and not (ROOT / word).is_file()
        ):
            yield f"{word} is not there"
    if "course.py" in words:
        try:
            options = course.parse(words[words.index("course.py") + 1 :])
        except SystemExit:
            yield f"course.py does not know {line!r}"
        else:
            numbers = getattr(options, "numbers", [])
            yield from (f"no lesson {n}" for n in numbers if not list((ROOT / "notebooks").glob(f"{n}_*.ipynb")))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_calls_what_exists(path):
    workflow = read(path)
    assert {"name", "permissions", "jobs"} <= workflow.keys() and workflow["permissions"] == {"contents": "read"}
    assert list(faults(workflow)) == []


@pytest.mark.parametrize(
    ("run", "told"),
    [
        ("python course.py tests --quick", "does not know"),
        ("python course.py run 99", "no lesson 99"),
        ("python course.py run 01 --solved neither", "does not know"),
        ("bash .ci/absent", "is not there"),
        ("python tests/absent.py 01", "is not there"),
    ],
)
def test_a_wrong_command_is_noticed(capsys, run, told):
    (fault,) = faults({"jobs": {"a": {"timeout-minutes": 1, "steps": [{"run": run}]}}})
    assert told in fault


def test_an_action_without_a_commit_and_a_python_too_new_are_noticed():
    steps = [{"uses": "actions/setup-python@v6", "with": {"python-version": "3.14"}}]
    assert [fault.split()[1] for fault in faults({"jobs": {"a": {"steps": steps}}})] == ["has", "uses", "wants"]


def test_together_the_workflows_try_every_python():
    text = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    supported = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    for minor in range(8, 20):
        assert (f'"3.{minor}"' in text) == (f"3.{minor}" in SpecifierSet(supported)), minor


def test_the_hooks_call_tools_that_are_installed():
    hooks = [hook for repo in read(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    assert hooks and all(repo["repo"] == "local" for repo in read(ROOT / ".pre-commit-config.yaml")["repos"])
    for hook in hooks:
        program, *rest = hook["entry"].split()
        if program == "python":
            assert rest[0] == "-m" and importlib.util.find_spec(rest[1]), hook
        else:
            assert shutil.which(program, path=str(Path(sys.executable).parent)), hook


def test_the_forms_for_issues_can_be_read():
    forms = [read(path) for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")]
    assert forms
    for form in forms:
        assert {"name", "description", "body"} == form.keys()
        assert all(field["type"] in {"textarea", "input", "markdown"} and field["attributes"] for field in form["body"])
