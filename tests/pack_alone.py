"""The room without a network: install the course from a folder that `course.py pack` made, and run its quick tests there.

    python tests/pack_alone.py FOLDER

The course is unpacked into a folder that is thrown away. All that follows runs where there is no network but the loopback, if the
system allows to take it away; if not, that is said, and pip alone is kept from the network.
"""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import course


def main(folder: str) -> int:
    packed = Path(folder).resolve()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "COURSE_"))
    }
    environment |= {
        "COURSE_WHEELS": str(packed / "course-wheels"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
    }
    with tempfile.TemporaryDirectory(prefix="a room ", ignore_cleanup_errors=True) as room:
        with zipfile.ZipFile(packed / "course.zip") as file:
            file.extractall(room)
        command = [*course.without_network(), sys.executable, str(Path(room, "course", "course.py")), "test", "--quick"]
        return subprocess.run(command, cwd=room, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
