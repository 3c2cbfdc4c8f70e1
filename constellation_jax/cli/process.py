"""Process of the command line: standard streams that are missing or full, signals, and its end.

A command ends in one of the exit codes of `constellation_jax.cli`, whatever happens to the process: without stderr (`2>&-`, cron,
pythonw), with stdout on a full disk, at SIGINT (once is enough) and at SIGTERM, both of which let a run keep what is finished and
remove its temporary files.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

EXIT_OUTPUT, EXIT_INTERRUPTED, EXIT_TERMINATED = 1, 130, 143
"""Exit codes: the output could not be written, 128 + SIGINT, 128 + SIGTERM."""


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a run as an interrupt from the keyboard does."""


def run(command: Callable[[], object]) -> NoReturn:
    """Run the command line, and end the process."""
    _open_missing_streams()
    signals = _Signals()
    code: Any
    try:
        command()
        code = 0
    except SystemExit as error:
        code = error.code
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except OSError as error:  # of help and versions; what commands do is caught in their session
        line = describe_full_stdout(error)
        if line is None:
            raise
        with contextlib.suppress(OSError):
            print(f"constellation-jax: error: {line}", file=sys.stderr)
        code = EXIT_OUTPUT
    signals.finish()
    if code in (None, 0, 1, 3) and signals.code:  # an interrupt that came outside of the session of a command
        code = signals.code
    sys.exit(code)


def describe_full_stdout(error: OSError) -> str | None:
    """Describe a failure to write to stdout, and lead the rest of it nowhere; None where it is another failure."""
    from constellation_jax.outputs.target import describe_cause

    if error.filename is not None or error.errno not in (errno.ENOSPC, errno.EFBIG, errno.EIO, _QUOTA):
        return None
    _replace_stream(1)  # Python would fail once more at its end
    return f"standard output: {describe_cause(error)}"


_QUOTA = getattr(errno, "EDQUOT", errno.ENOSPC)


class _Signals:
    """Handlers of SIGINT and SIGTERM.

    An exception that a handler raises inside a callback of C, such as that of a garbage collection, is dropped. It is raised again
    until something handles it.
    """

    code: int | None = None
    """Exit code of the signal that has come."""

    def __init__(self) -> None:
        self._error: type[KeyboardInterrupt] = KeyboardInterrupt
        self._hook = sys.unraisablehook
        sys.unraisablehook = self._report_unraisable
        signal.signal(signal.SIGINT, self._receive)
        for name in ("SIGTERM", "SIGHUP"):  # nohup has SIGHUP ignored
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, self._receive)
        if hasattr(signal, "SIGALRM"):
            signal.signal(signal.SIGALRM, self._raise_again)

    def finish(self) -> None:
        """End at once at a signal that comes while the process ends: all work is done."""
        self._set_timer(0.0)
        signal.signal(signal.SIGINT, lambda *_: os._exit(EXIT_INTERRUPTED))
        if signal.getsignal(signal.SIGTERM) == self._receive:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _receive(self, number: int, frame: FrameType | None) -> NoReturn:
        is_interrupt = number == signal.SIGINT
        self._error = KeyboardInterrupt if is_interrupt else Terminated
        self.code = EXIT_INTERRUPTED if is_interrupt else EXIT_TERMINATED
        self._set_timer(0.5)
        raise self._error

    def _raise_again(self, number: int, frame: FrameType | None) -> None:
        if not isinstance(sys.exception(), KeyboardInterrupt):  # it is not on its way up already
            raise self._error
        self._set_timer(0.5)

    def _report_unraisable(self, unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            self._set_timer(0.01)
        else:
            self._hook(unraisable)

    @staticmethod
    def _set_timer(seconds: float) -> None:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, seconds, 0.5 if seconds else 0.0)


def _open_missing_streams() -> None:
    """Open nothing in place of closed standard streams: the next file that is opened would get the number of stderr."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            _replace_stream(number)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, or a program without a console on Windows
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  # open until the process ends


def _replace_stream(number: int) -> None:
    descriptor = os.open(os.devnull, os.O_RDWR)
    if descriptor != number:
        os.dup2(descriptor, number)
        os.close(descriptor)
