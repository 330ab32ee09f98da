"""Execute the course's notebooks headless and measure them; with --save, refresh their stored outputs.

`course.py run` calls this file with the Python of .venv. An author may call it directly:

    python -m course_lib.tools.run_notebooks 01 06 --save
    python -m course_lib.tools.run_notebooks 01 --solved other     # as a student who has solved every exercise
"""

import argparse
import asyncio
import importlib
import os
import re
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass

import nbformat
import psutil
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from tqdm import tqdm
from traitlets import default

from course_lib import ROOT

CELL_SECONDS = 600
"""A cell that takes longer has hung. The budget of a whole notebook is at most 90 s on two cores, of the two capstone lessons 240 s."""

WIDGET = "application/vnd.jupyter.widget-view+json"


class ThisPythonKernelManager(AsyncKernelManager):
    """Starts every kernel with the Python that runs this file, whatever kernels the user has installed."""

    @default("kernel_spec_manager")
    def _no_installed_kernels(self):
        return KernelSpecManager(parent=self, kernel_dirs=[])  # nothing to find: falls back on ipykernel's own


class InterruptibleClient(NotebookClient):
    """Knows Ctrl-C from a kernel that died: nbclient takes the signal and reports both alike."""

    interrupted = False

    async def async_start_new_kernel(self, **kwargs):
        if os.name != "nt":  # Windows raises KeyboardInterrupt by itself
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self.interrupt, asyncio.current_task())
        await super().async_start_new_kernel(**kwargs)

    def interrupt(self, task):
        self.interrupted = True
        task.cancel()


@dataclass
class Result:
    """One notebook's run: wall seconds with the kernel's start, peak MB (10⁶ bytes) of the kernel and its children."""

    name: str
    seconds: float
    peak_memory_mb: float
    budget: dict
    error: str | None


class MemoryWatch(threading.Thread):
    """Samples the resident memory of a process and all its children five times a second."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.process = psutil.Process(pid)
        self.peak_bytes = 0
        self.finished = threading.Event()

    def run(self):
        while not self.finished.wait(0.2):
            self.sample()

    def sample(self):
        total = 0
        try:
            for process in [self.process, *self.process.children(recursive=True)]:
                total += process.memory_info().rss
        except psutil.Error:  # a process ended between the listing and the question
            return
        self.peak_bytes = max(self.peak_bytes, total)

    def stop(self):
        self.finished.set()
        self.join()


def execute(notebook, progress, cell_seconds=CELL_SECONDS):
    """Execute a notebook in place, in a new kernel. Returns (seconds, peak_memory_mb, error or None).

    The kernel's current folder and $COURSE_WORK are a temporary folder, as a student's are work/:
    nothing under notebooks/ or work/ is touched.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    place = "before the first cell"
    watch = None

    def on_notebook_start(notebook):
        nonlocal watch
        watch = MemoryWatch(client.km.provisioner.pid)
        watch.sample()  # the kernel is alive now; a short notebook can be over before the thread's first look
        watch.start()

    def on_cell_start(cell, cell_index):
        nonlocal place
        place = f"cell {cell_index + 1} of {len(notebook.cells)}"

    def on_cell_executed(cell, cell_index, execute_reply):
        progress.update()

    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="course-run-", ignore_cleanup_errors=True) as folder:
        environment = {
            **os.environ,
            "COURSE_WORK": folder,
            "IPYTHONDIR": folder,  # no start-up files of the user's
            # The kernel imports the same course_lib as this file, in a second working tree too.
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        }
        client = InterruptibleClient(
            notebook,
            kernel_manager_class=ThisPythonKernelManager,
            kernel_name="python3",
            timeout=cell_seconds,
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],  # 127.0.0.1 needs no encryption: no warning
            resources={"metadata": {"path": folder}},
            coalesce_streams=True,
            on_notebook_start=on_notebook_start,
            on_cell_start=on_cell_start,
            on_cell_executed=on_cell_executed,
        )
        error = None
        try:
            client.execute(env=environment)
        except asyncio.CancelledError:
            pass  # interrupted: see below
        except CellExecutionError as failure:
            error = f"{place}: {' '.join(f'{failure.ename}: {failure.evalue}'.split())}"
        except CellTimeoutError:
            error = f"{place}: still running after {cell_seconds} s, stopped"
        except DeadKernelError:
            error = f"{place}: the kernel died (out of memory, or a crash inside a library)"
        except RuntimeError as failure:  # the kernel did not start
            error = f"{place}: {failure}"
        finally:
            if watch is not None:
                watch.stop()
            if client.interrupted:
                raise KeyboardInterrupt
    return time.perf_counter() - start, (watch.peak_bytes if watch else 0) / 1e6, error


def solve(notebook, topic, style):
    """Answer every coding exercise of a notebook, in place: "reference" as we do, "other" as in its other right style.

    So it is seen that the lesson goes on with what a student writes, whose results may come in another form.
    """
    exercises = importlib.import_module(f"course_lib.lessons.{topic}.exercises")
    for cell in notebook.cells:
        check = re.search(r"^(\w+) = exercises\.\1\.check\(\1\)$", cell.source, re.MULTILINE)
        if cell.cell_type == "code" and check and hasattr(exercises, check[1]):
            answer = "reference" if style == "reference" else "also_correct[0]"
            cell.source = cell.source.replace(check[0], f"{check[1]} = exercises.{check[1]}.{answer}\n{check[0]}")


def tidy(notebook):
    """Remove from an executed notebook, in place, all that differs between two runs of the same cells."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata.kernelspec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata.language_info = {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "pygments_lexer": "ipython3",
    }
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            # A stored widget is a random number that shows as "model not found"; explorers store a picture beside it.
            # So what hides that sentence (course_lib/explorers/base.py) has nothing to hide.
            kept = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
            cell.outputs = [o for o in kept if "course-lost" not in o.get("data", {}).get("text/html", "")]


def save(notebook, path):
    """Write a notebook atomically: a reader sees the old file or the new one, never half of one."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def select(folder, wanted):
    """Paths of the notebooks whose numbers are wanted ("1", "01"), all for an empty list; ValueError for others."""
    paths = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    numbers = {path.name[:2]: path for path in paths}
    unknown = [number for number in wanted if number.zfill(2) not in numbers]
    if unknown or not paths:
        raise ValueError(f"No notebook {' '.join(unknown)} in {folder}; there are: {' '.join(numbers) or 'none'}.")
    return [numbers[number] for number in sorted({number.zfill(2) for number in wanted})] if wanted else paths


def table(results):
    """The results as aligned text, what is over its budget marked."""
    lines = [f"{'notebook':32} {'seconds':>8} {'budget':>7} {'peak MB':>8} {'budget':>7}"]
    for result in results:
        seconds, memory = result.budget.get("run_seconds"), result.budget.get("peak_memory_mb")
        notes = []
        if seconds is not None and result.seconds > seconds:
            notes.append("over time")
        if memory is not None and result.peak_memory_mb > memory:
            notes.append("over memory")
        if result.error:
            notes = ["FAILED"]
        lines.append(
            f"{result.name:32} {result.seconds:8.1f} {seconds if seconds is not None else '-':>7} "
            f"{result.peak_memory_mb:8.0f} {memory if memory is not None else '-':>7}  {', '.join(notes)}".rstrip()
        )
    if len(results) > 1:
        lines.append(f"{'all':32} {sum(result.seconds for result in results):8.1f}")
    return "\n".join(lines)


def main(arguments=None, folder=ROOT / "notebooks"):
    """Run notebooks as the command line says. Returns the exit status: 0, or 1 if a notebook failed, 2 if misused."""
    parser = argparse.ArgumentParser(prog="course.py run", description=__doc__.splitlines()[0])
    parser.add_argument("numbers", nargs="*", metavar="NUMBER", help="notebooks to run, such as 01 06; all if none")
    parser.add_argument("--save", action="store_true", help="write the outputs back to notebooks/, if all cells ran")
    parser.add_argument("--solved", choices=["reference", "other"], help="with all exercises solved, in this style")
    options = parser.parse_args(arguments)
    if options.save and options.solved:
        print("--save stores the untouched notebook: leave out --solved.", file=sys.stderr)
        return 2
    try:
        paths = select(folder, options.numbers)
        notebooks = [nbformat.read(path, as_version=4) for path in paths]
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2

    results = []
    cells = sum(cell.cell_type == "code" for notebook in notebooks for cell in notebook.cells)
    with tqdm(total=cells, unit="cell", disable=None) as progress:  # None: no bar where there is no terminal
        for path, notebook in zip(paths, notebooks, strict=True):
            progress.set_description(path.stem)
            if options.solved:
                solve(notebook, path.stem[3:], options.solved)
            seconds, peak_memory_mb, error = execute(notebook, progress)
            if options.save and not error:
                tidy(notebook)
                save(notebook, path)
            results.append(Result(path.stem, seconds, peak_memory_mb, notebook.metadata.get("course", {}), error))
            if progress.disable:
                print(f"{path.stem}: {'failed' if error else 'done'} after {seconds:.1f} s", flush=True)
    print(table(results))
    for result in results:
        if result.error:
            print(f"{result.name}, {result.error}" + ("; not saved" if options.save else ""), file=sys.stderr)
    return 1 if any(result.error for result in results) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Stopped.")
