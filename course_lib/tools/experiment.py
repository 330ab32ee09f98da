"""What every lesson's experiment.py has in common. It holds:

    RUNS = {"memory": range(5)}  # seeds by name of the file: literals, which `course.py stale` reads without running it

    def memory(seed, quick=False):  # the docstring becomes the file's note
        ...
        return payload  # or (payload, {"arrays": …, "weights": …}), as `results.save` takes them

    if __name__ == "__main__":
        main("rnn_lstm_gru", RUNS, {"memory": memory}, tolerance={"memory": 0.02})

and is called as `python -m course_lib.lessons.rnn_lstm_gru.experiment`. Seeds that are stored are not run again, so that
it can be stopped and started, also twice side by side.
"""

import argparse
import inspect
import math
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from course_lib import results

THREADS = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1"
)


def main(topic: str, runs: dict, functions: dict, *, tolerance: dict[str, float], arguments=None) -> None:
    """Run the seeds that are missing, or with --quick one small run of each name, compared with its stored numbers.

    Each seed is run by a process of its own, with one thread (TensorFlow reads that when it is imported) and holding one
    core: what ran before it makes no difference. `tolerance` is that of `quick`, by name.
    """
    parser = argparse.ArgumentParser(prog=results.command(topic))
    parser.add_argument("names", nargs="*", help=f"what to run, of {', '.join(runs)}; all if none is named")
    parser.add_argument("--seeds", nargs="+", type=int, help="these seeds only")
    parser.add_argument("--workers", type=int, default=1, help="processes side by side")
    parser.add_argument("--quick", action="store_true", help="one small seed of each, compared with what is stored")
    parser.add_argument("--save", action="store_true", help="with --quick: store its numbers instead")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in runs]:
        parser.error(f"there is no run called {', '.join(unknown)}: choose from {', '.join(runs)}")
    names = options.names or list(runs)
    if options.quick:
        sys.exit(_quick(topic, {name: functions[name] for name in names}, tolerance, options.save))
    jobs = [(name, s) for name in names for s in results.missing(f"{topic}/{name}", options.seeds or runs[name])]
    if len(jobs) == 1 and os.environ.keys() >= THREADS.keys():
        (name, seed), *_ = jobs
        sys.exit(_run(f"{topic}/{name}", functions[name], seed))

    def run(job):
        call = [sys.executable, "-m", f"course_lib.lessons.{topic}.experiment", job[0], "--seeds", str(job[1])]
        return subprocess.run(call, env={**THREADS, **os.environ}).returncode

    with ThreadPoolExecutor(options.workers) as pool:
        failed = [job for job, code in zip(jobs, pool.map(run, jobs), strict=True) if code]
    sys.exit(f"Not stored: {', '.join(f'{name}, seed {seed}' for name, seed in failed)}." if failed else 0)


def quick(path: str, payload, *, tolerance: float, save: bool = False) -> str:
    """Compare the numbers of a quick run with those stored beside the runs; store them if there are none, or if `save`.

    Returns a sentence. Numbers may differ by the stored tolerance (absolute; found by running it on one and on two
    threads), all else not at all. Raises ValueError with what differs.
    """
    payload = results.plain(payload)
    old = results.about(path).get("quick") if results.is_stored(path) else None
    if save or old is None:
        with results.changed(path) as document:
            document["quick"] = {"tolerance": tolerance, "payload": payload}
        return f"{path}: the numbers of the quick run are stored."
    allowed = old["tolerance"]
    if found := list(_differences(payload, old["payload"], allowed)):
        raise ValueError(f"{path}: the quick run does not give what is stored. {' '.join(found)}")
    return f"{path}: the quick run gives what is stored, within {allowed:g}."


@contextmanager
def core():
    """Hold one core of this machine; wait until one is free. Whatever computes for long asks for one (and one only), so
    that two of them do not starve each other. The clock of `save` starts when the core is there."""
    locks = [FileLock(Path(tempfile.gettempdir(), f"course-core-{n}.lock")) for n in range(os.cpu_count() or 1)]
    while not any(_taken(lock) for lock in locks):
        time.sleep(1)
    results.start_clock()
    try:
        yield
    finally:
        for lock in locks:
            lock.release()


def _run(path: str, function, seed: int) -> int:
    """Run and store one seed, unless another process does or has done so. Returns 0."""
    try:
        with results.lock(path, f"seed-{seed}", timeout=0), core():
            if results.missing(path, [seed]):
                payload, more = _parts(function(seed))
                results.save(path, payload, seed=seed, note=inspect.getdoc(function) or "", **more)
                print(f"{path}, seed {seed}: stored.")
    except Timeout:
        print(f"{path}, seed {seed}: another process is at it.")
    return 0


def _quick(topic: str, functions: dict, tolerance: dict[str, float], save: bool) -> str | int:
    """0, or what differs."""
    problems = []
    for name, function in functions.items():
        payload, _ = _parts(function(0, quick=True))
        try:
            print(quick(f"{topic}/{name}", payload, tolerance=tolerance[name], save=save), flush=True)
        except ValueError as problem:
            problems.append(str(problem))
    return "\n".join(problems) or 0


def _parts(returned) -> tuple:
    return returned if isinstance(returned, tuple) else (returned, {})


def _taken(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


def _differences(now, stored, tolerance: float, where: str = "the result"):
    """A sentence for each value that differs."""
    numbers = [isinstance(value, int | float) and not isinstance(value, bool) for value in (now, stored)]
    if isinstance(now, dict) and isinstance(stored, dict) and now.keys() == stored.keys():
        for key in now:
            yield from _differences(now[key], stored[key], tolerance, f"{where}[{key!r}]")
    elif isinstance(now, list) and isinstance(stored, list) and len(now) == len(stored):
        for number, pair in enumerate(zip(now, stored, strict=True)):
            yield from _differences(*pair, tolerance, f"{where}[{number}]")
    elif all(numbers) and now != stored and not (math.isnan(now) and math.isnan(stored)):
        if not abs(now - stored) <= tolerance:
            yield f"{where} is {now}, stored is {stored}: a difference of {abs(now - stored):.3g}, {tolerance:g} is allowed."
    elif not all(numbers) and now != stored:
        yield f"{where} is {now!r}, stored is {stored!r}."
