"""A process for code that nobody has read: limits of time, memory, output and processes, no network, no files but its own.

On Linux `unshare`, `mount` and `setpriv` (util-linux) give the process namespaces of its own: no network at all, and a
root folder in which only the system, this Python and a copy of course_lib exist, all read-only, beside a small
throw-away folder in memory. Elsewhere there is what the operating system offers, and `left_open` says what that does not cover.
"""

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from course_lib import ROOT
from course_lib.exercises import limits

MEMORY_BYTES = 4 * 10**9  # of each process, and of it and its children together
PROCESSES = 64  # threads and children
MESSAGE_BYTES = 10**7  # what an exercise's results take is some kilobytes
START_SECONDS = 60  # for Python to start and import NumPy, on a busy machine
NOBODY = "65534"

# Run inside the new namespaces. Arguments: an empty folder that becomes the root, the throw-away folder, the number of the
# user to become ("" keeps this one), the paths that are to be seen, "--", and the command.
SHUT_IN = """\
umask 022
root=$1 box=$2 user=$3
shift 3
mount -t tmpfs -o mode=755,size=16m none "$root"
while [ "$1" != -- ]; do
    mkdir -p "$root${1%/*}"
    if [ -L "$1" ]; then
        cp -P "$1" "$root$1"
    elif [ -d "$1" ]; then
        mkdir -p "$root$1"
        mount --rbind "$1" "$root$1"
        mount -o remount,bind,ro,nosuid,nodev "$root$1"
    elif [ -e "$1" ]; then
        : > "$root$1"
        mount --bind "$1" "$root$1"
    fi
    shift
done
shift
mkdir -p "$root/proc" "$root/old" "$root$box"
mount -t proc proc "$root/proc" || true
mount -t tmpfs -o mode=1777,size=256m none "$root$box"
cd "$root"
pivot_root . old
umount -l /old
rmdir /old
cd "$box"
[ -z "$user" ] || set -- --reuid "$user" --regid "$user" --clear-groups "$@"
exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all "$@"
"""
SYSTEM = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/sys/devices/system/cpu"]
SYSTEM += ["/etc/ld.so.cache", "/etc/passwd", "/etc/localtime", "/etc/alternatives", "/etc/fonts"]
SYSTEM += [f"/dev/{name}" for name in ("null", "zero", "random", "urandom")]


class Ended(Exception):
    """The process is over; the words say why, as the end of a sentence that begins with "Your code"."""


class Sandbox:
    """Runs a module of course_lib in a process that cannot reach anything of ours, and asks it for plain data.

    Use it in a `with`. The process starts with the first question, and anew after one that it did not survive.
    """

    def __init__(self, module):
        self.module, self.process, self.busy, self.ended, self.answered = module, None, False, None, False

    def __enter__(self):
        self.place = tempfile.TemporaryDirectory(prefix="course-grade-", ignore_cleanup_errors=True)
        self.folder = Path(self.place.name).resolve()
        for name in ("root", "box", "course"):
            (self.folder / name).mkdir()
            (self.folder / name).chmod(0o755)
        shutil.copytree(ROOT / "course_lib", self.folder / "course" / "course_lib")
        return self

    def __exit__(self, *_):
        self.stop()
        self.place.cleanup()

    def start(self):
        """Start the process, and learn from it which limits this system does not have."""
        command = [sys.executable, "-P", "-m", self.module, str(MEMORY_BYTES), str(PROCESSES + own_threads())]
        self.printed, self.said, self.ended = 0, b"", None
        self.process = subprocess.Popen(
            shut(command, shut_in(), self.folder, self.folder / "course"),
            cwd=self.folder / "box",
            env=environment(self.folder / "box", self.folder / "course"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        threading.Thread(target=self._count, args=[self.process.stderr], daemon=True).start()
        try:
            WATCHED.update(self.ask("start", seconds=START_SECONDS)["missing"])
        except Ended:
            if self.answered:  # then a student's code is to blame
                raise
            said = self.said.decode(errors="replace")
            raise RuntimeError(f"The process for a student's code did not start: {said}") from None
        self.answered, self.alone = True, len(self._family())

    def has_started_others(self) -> bool:
        """Whether the process has children that are still there."""
        return len(self._family()) > self.alone

    def _count(self, stream):
        while chunk := stream.read1(65536):
            self.printed += len(chunk)
            self.said = (self.said + chunk)[-2000:]

    def ask(self, *request, seconds):
        """The reply to a request, a dictionary. Raises Ended if the process breaks a limit, or is gone."""
        if self.process is None:
            self.start()
        process, lines, started = self.process, [], time.monotonic()
        self.busy = True

        def exchange():  # in a thread, since a process that neither reads nor writes would stop us, too
            with contextlib.suppress(OSError):  # it has ended: so will the reply
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
            lines.append(process.stdout.readline(MESSAGE_BYTES))

        exchanger = threading.Thread(target=exchange, daemon=True)
        exchanger.start()
        exchanger.join(0.2)
        while exchanger.is_alive():
            if reason := self._beyond():
                raise self.stop(reason)
            if time.monotonic() - started > seconds:
                raise self.stop(f"was still running after {seconds} seconds")
            exchanger.join(0.25)
        if self.printed > limits.OUTPUT_LIMIT_CHARACTERS:
            raise self.stop(self._beyond())
        line = lines[0] if lines else b""
        if not line.endswith(b"\n"):
            raise self.stop(
                "returned more than 10 MB" if len(line) == MESSAGE_BYTES else "ended the process in which it ran"
            )
        try:
            reply = json.loads(line)
        except (ValueError, RecursionError):
            reply = None
        if not isinstance(reply, dict):
            raise self.stop("sent something that is no result")
        self.busy = False
        return reply

    def _beyond(self):
        """What the process has too much of, or None."""
        if self.printed > limits.OUTPUT_LIMIT_CHARACTERS:
            return "printed without end"
        memory, family = 0, self._family()
        for process in family:
            with contextlib.suppress(psutil.Error):
                memory += process.memory_info().rss
        if memory > MEMORY_BYTES:
            return f"took more than {MEMORY_BYTES / 1e9:g} GB of memory"
        return f"started more than {PROCESSES} processes" if len(family) > PROCESSES else None

    def _family(self):
        try:
            process = psutil.Process(self.process.pid)
            return [process, *process.children(recursive=True)]
        except psutil.Error:
            return []

    def stop(self, reason=None):
        """End the process and all that it has started. Returns the exception that says why."""
        self.ended = Ended(reason)
        if self.process is None:
            return self.ended
        family = self._family()
        if os.name != "nt":
            with contextlib.suppress(OSError):
                os.killpg(self.process.pid, signal.SIGKILL)
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.kill()
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.process.wait()
        self.process, self.busy = None, False
        return self.ended


WATCHED: set[str] = set()
"""What this system does not limit, as the processes have said that were started so far."""


def left_open():
    """Sentences: from what this system cannot keep a process."""
    shut = shut_in()
    if shut is None:
        yield (
            "This system does not let us shut a process in (on Linux: `unshare`, `mount` and `setpriv`, which a container "
            "may forbid). The notebooks ran with its network, and with your rights: they could read each other, and change "
            "your files. Mark notebooks of people whom you do not trust on a Linux that allows it."
        )
    exempt = hasattr(os, "geteuid") and os.geteuid() == 0 and not (shut and shut[1])  # the limit does not hold for root
    if watched := sorted(WATCHED | ({"the number of processes"} if exempt else set())):
        yield f"Not limited, only watched several times a second: {', '.join(watched)}."


def own_threads():
    """How many threads this user has already: the limit of processes counts them, too."""
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        return 0
    count = 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.uids().real == os.geteuid():
                count += process.num_threads()
    return count


def environment(box, course):
    """Environment variables of the process: none of ours, but for what Windows itself needs."""
    kept = {name: os.environ[name] for name in ("LANG", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR") if name in os.environ}
    folders = dict.fromkeys(["HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "COURSE_WORK", "IPYTHONDIR"], str(box))
    threads = dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"], "1")
    python = {"PYTHONPATH": str(course), "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "Agg"}
    return kept | folders | threads | python | {"PATH": os.pathsep.join([os.defpath, "/usr/sbin", "/sbin"])}


def shut(command, way, folder, course):
    """The command line that runs `command` in namespaces of its own. way: as from `shut_in`; None leaves it as it is."""
    if way is None:
        return command
    options, user = way
    seen = [*SYSTEM, sys.base_prefix, sys.prefix, str(course)]
    return [
        *options,
        "sh",
        "-ec",
        SHUT_IN,
        "sh",
        str(folder / "root"),
        str(folder / "box"),
        user,
        *seen,
        "--",
        *command,
    ]


@functools.cache
def shut_in():
    """(start of a command line, user to become) that gives a process its own namespaces, or None where nobody lets us."""
    if sys.platform != "linux" or not shutil.which("unshare"):
        return None
    namespaces = ["unshare", "--net", "--ipc", "--uts", "--pid", "--mount", "--fork", "--kill-child"]
    ways = [([*namespaces, "--user", "--map-root-user"], "")]
    if os.geteuid() == 0:
        ways.insert(0, (namespaces, NOBODY))  # the limit of processes does not hold for root
    for way in ways:
        with tempfile.TemporaryDirectory(prefix="course-grade-") as place:
            folder = Path(place).resolve()
            for name in ("root", "box"):
                (folder / name).mkdir()
            command = shut([sys.executable, "-c", "import course_lib.exercises"], way, folder, ROOT)
            if subprocess.run(command, env=environment(folder / "box", ROOT), capture_output=True).returncode == 0:
                return way
    return None
