"""Run a student's code within limits of time and output, so that a sentence comes back and the kernel stays alive."""

import contextlib
import ctypes
import io
import signal
import sys
import textwrap
import threading
import time
import warnings

import numpy as np

TIME_LIMIT_SECONDS = 10  # of one check
CALL_LIMIT_SECONDS = 5  # of one call in the lesson after the check
PATIENCE_SECONDS = 5  # how much later we say that the limit could not be kept
OUTPUT_LIMIT_CHARACTERS = 1_000_000
SHOWN_LINES, SHOWN_CHARACTERS = 20, 2_000


# BaseException, so that an `except Exception` in a student's loop does not swallow it.
class TooLong(BaseException):
    """The code ran longer than its limit."""

    def __str__(self):
        return f"Your code was still running after {TIME_LIMIT_SECONDS} seconds. Is there a loop without an end?"


class TooMuchOutput(BaseException):
    """The code printed more than OUTPUT_LIMIT_CHARACTERS."""

    def __str__(self):
        return "Your code prints without end. Is there a `print` inside a loop that never stops?"


class Printed(io.StringIO):
    """Takes what a student's code prints. What will not be shown is only counted; at the limit it raises."""

    count = 0

    def write(self, text):
        if self.count <= SHOWN_CHARACTERS:
            super().write(text[: SHOWN_CHARACTERS + 1])
        self.count += len(text)
        if self.count > OUTPUT_LIMIT_CHARACTERS:
            raise TooMuchOutput
        return len(text)

    def close(self):
        """Stay open: a student's code may close sys.stdout."""

    def shown(self) -> str:
        """What was printed, with its own lines, but no more than SHOWN_LINES and SHOWN_CHARACTERS of it."""
        text = self.getvalue()[:SHOWN_CHARACTERS]
        wrapped = [
            part for line in text.splitlines() for part in textwrap.wrap(line, 96, drop_whitespace=False) or [""]
        ]
        lines = wrapped[:SHOWN_LINES]
        if len(wrapped) > SHOWN_LINES or self.count > SHOWN_CHARACTERS:
            lines.append("… and more, which is not shown.")
        return "\n".join(f"  {line}" for line in lines)


class FewLines(io.TextIOBase):
    """Passes on to sys.stdout's owner what a function prints in later cells, up to SHOWN_LINES in all."""

    def __init__(self, name):
        self.name, self.lines, self.stream = name, 0, None

    def write(self, text):
        if self.lines <= SHOWN_LINES and self.stream is not None:
            self.lines += text.count("\n") + len(text) // 200
            self.stream.write(text[:SHOWN_CHARACTERS])
            if self.lines > SHOWN_LINES:
                self.stream.write(f"(What your `{self.name}` prints from here on is not shown.)\n")
        return len(text)


class _Watch:
    """One thread that looks after whichever call is running, at a cost of about a microsecond per call.

    A call beyond its limit gets TooLong between two steps of Python, on every system and in every thread. What
    cannot be stopped that way (a loop in C, a bare `except:`) gets a sentence that says what to do, unless the loop
    in C keeps all other threads from running: nothing inside the kernel can help against that.
    """

    def __init__(self):
        self.job, self.thread, self.lock = None, None, threading.Lock()

    def start(self, job):
        """Begin to watch what follows in this thread; False if another call is watched already.

        job: (monotonic time of the start, identity of the thread, seconds allowed, stream for the sentence, whether to
        raise TooLong).
        """
        if self.job is not None:
            return False
        self.job = job
        if self.thread is None or not self.thread.is_alive():
            self.thread = threading.Thread(target=self._look, name="exercises", daemon=True)
            self.thread.start()
        return True

    def end(self, job):
        """Stop watching. An exception that is under way arrives here, and nowhere later."""
        if time.monotonic() - job[0] < job[2] / 2:  # nothing can be under way: spare the many short calls the lock
            self.job = None if self.job is job else self.job
            return
        while self.job is job:
            with contextlib.suppress(TooLong), self.lock:
                self.job = None

    def _look(self):
        told, raised = None, 0.0
        while True:
            time.sleep(0.1)
            if (job := self.job) is None:
                continue
            started, thread, seconds, stream, raises = job
            late = time.monotonic() - started - seconds
            if late > 0 and raises and time.monotonic() - raised > 1:  # again each second: it may have been swallowed
                raised = time.monotonic()
                with self.lock:
                    if self.job is job:
                        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TooLong))
            if late > PATIENCE_SECONDS and told is not job:
                told = job
                with contextlib.suppress(Exception):
                    stream.write(
                        f"(Your code is still running after {seconds + PATIENCE_SECONDS:g} seconds and does not let "
                        "itself be stopped.\nChoose Kernel → Interrupt in the menu; if nothing happens, Kernel → Restart.)\n"
                    )
                    stream.flush()


WATCH = _Watch()


@contextlib.contextmanager
def limits(printed):
    """Stop what runs inside after TIME_LIMIT_SECONDS with TooLong, and catch in `printed` what it prints.

    Where there is SIGALRM (not on Windows) and in the main thread, sleeping and much of C is stopped as well.
    """
    alarm = hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread()
    streams, recursion = (sys.stdout, sys.stderr), sys.getrecursionlimit()
    with contextlib.ExitStack() as stack:
        stack.callback(sys.setrecursionlimit, recursion)
        shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
        if shell is not None:  # its `exit()` does not raise, as Python's does, but tells the kernel to end
            shell.ask_exit = _leave
            stack.callback(delattr, shell, "ask_exit")
        if alarm:
            stack.enter_context(_alarm())
        # A warning is not a failure, and what it announces shows in the result.
        stack.enter_context(warnings.catch_warnings(action="ignore"))
        stack.enter_context(np.errstate(all="ignore"))
        job = (time.monotonic(), threading.get_ident(), TIME_LIMIT_SECONDS, streams[0], not alarm)
        try:
            WATCH.start(job)
            sys.stdout = sys.stderr = printed
            yield
        finally:
            sys.stdout, sys.stderr = streams
            WATCH.end(job)


@contextlib.contextmanager
def _alarm():
    """Raise TooLong in the main thread after TIME_LIMIT_SECONDS and again each second."""
    alarms, over, tracer = 0, False, sys.gettrace()

    def again(_frame, event, _argument):
        if event == "line":
            raise TooLong
        return again

    def stop(_signal, frame):
        nonlocal alarms
        if over:
            return
        alarms += 1
        if alarms > 1:
            # A bare `except:` has swallowed the first. It will swallow this one too, but its own next line, which
            # stands outside the `try`, raises once more: a debugger's hook can do that.
            while frame is not None and not frame.f_globals.get("__name__", "").startswith(__package__):
                frame.f_trace, frame = again, frame.f_back
            sys.settrace(lambda *_: None)
        raise TooLong

    handler = signal.signal(signal.SIGALRM, stop)
    timer = signal.setitimer(signal.ITIMER_REAL, TIME_LIMIT_SECONDS, 1)
    try:
        yield
    finally:
        over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        if alarms > 1:
            sys.settrace(tracer)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *timer)


def _leave():
    raise SystemExit("exit() was called")
