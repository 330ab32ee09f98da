"""A lesson made from the template keeps all rules as it stands, and nothing that is there is overwritten."""

import os
import shutil
import subprocess
import sys

import pytest

from course_lib import ROOT
from course_lib.tools import new_lesson

RULES = ["test_notebooks.py", "test_claim_rules.py", "test_exercises.py", "test_explorers.py", "test_house.py"]


def test_a_name_that_is_taken_or_no_name_is_refused():
    for topic in ("Segmentation", "heart-sounds", "2nd", "../work", "", "a__b"):
        with pytest.raises(ValueError, match="cannot be a topic"):
            new_lesson.files(topic)
    with pytest.raises(ValueError, match="There is a lesson called pooling already"):
        new_lesson.files("pooling")


@pytest.mark.parametrize(
    "there", ["course_lib/lessons/gait/model.py", "tests/lessons/test_gait.py", "notebooks/00_gait.ipynb"]
)
def test_whatever_part_of_a_lesson_is_there_its_name_is_taken(tmp_path, there):
    for path in ("notebooks/00_other.ipynb", there):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("mine")
    with pytest.raises(ValueError, match="There is a lesson called gait already"):
        new_lesson.files("gait", tmp_path)


def test_every_word_of_the_template_is_filled_in():
    made = new_lesson.files("heart_sounds")
    assert {path.parent.name for path in made} == {"heart_sounds", "lessons", "notebooks"}
    for path, text in made.items():
        assert not path.exists()
        assert not any(word in text for word in ("TOPIC_NAME", "TITLE", "MINUTES", "SECONDS", "FIRST_CELL")), path


def test_the_readme_gets_its_row_behind_the_last_one():
    text = "| [01](notebooks/01_a.ipynb) | A |\n| [02](notebooks/02_b.ipynb) | B |\n\nEnd\n"
    lines = new_lesson.add_to_readme(text, "03_heart_sounds.ipynb").splitlines()
    assert lines[2].startswith("| [03](notebooks/03_heart_sounds.ipynb) | Heart sounds |") and lines[3:] == ["", "End"]


@pytest.mark.slow
def test_a_new_lesson_passes_the_rules(tmp_path):
    root = tmp_path / "course"
    left_out = shutil.ignore_patterns(".git", ".venv", "work", "cache", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, root, ignore=left_out)
    environment = {**os.environ, "PYTHONPATH": str(root)}

    def run(*command):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=root, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        return done.stdout

    made = run("course_lib.tools.new_lesson", "heart_sounds")
    assert "_heart_sounds.ipynb" in made
    tests = [f"tests/{name}" for name in RULES]
    told = run("pytest", "-q", "-p", "no:cacheprovider", *tests, "-k", "heart_sounds or readme or shared_library")
    assert " passed" in told and "warning" not in told
    run("pytest", "-q", "-p", "no:cacheprovider", "tests/lessons/test_heart_sounds.py")
    run("ruff", "check", ".")
    run("ruff", "format", "--check", ".")
    assert "heart_sounds" not in run("course_lib.tools.stale")
