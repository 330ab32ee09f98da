"""Write constraints.txt and constraints-test.txt anew, with hashes for all systems and Pythons.

    python -m course_lib.tools.pins                         what is pinned and still allowed stays as it is
    python -m course_lib.tools.pins --upgrade-package keras  this one goes to the newest that is allowed
    python -m course_lib.tools.pins --upgrade                all do

Options are those of `uv pip compile`. Needs the network and uv, one of the packages for authors. course.py installs
constraints.txt as it is, and constraints-test.txt, which holds the same versions and those of tests, book and slides,
for these.
"""

import os
import subprocess
import sys
from pathlib import Path

from course_lib import ROOT

OPTIONS = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-annotate", "--quiet"]


def main(options: list[str], folder: Path = ROOT) -> int:
    """Compile both files in `folder`; returns the exit status of uv, with what it said on the standard error."""
    command = [sys.executable, "-m", "uv", "pip", "compile", *OPTIONS]
    environment = {**os.environ, "UV_CUSTOM_COMPILE_COMMAND": "python -m course_lib.tools.pins"}
    for arguments in (
        # uv keeps to the versions in the file that it writes.
        ["pyproject.toml", "--extra", "test", "--extra", "book", "--output-file", "constraints-test.txt", *options],
        ["requirements.txt", "--constraint", "constraints-test.txt", "--output-file", "constraints.txt", *options],
    ):
        if status := subprocess.call(command + arguments, cwd=folder, env=environment, stdout=subprocess.DEVNULL):
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
