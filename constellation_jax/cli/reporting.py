"""Output of the command line: errors in one line each, progress on stderr, the result on stdout.

`Reporter` is for `--quiet`, `TerminalReporter` for a person (with a progress bar where stderr is a terminal) and
`JsonReporter` for a program (`--log-json`: one JSON object a line on stderr).
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from constellation_jax import __version__
from constellation_jax.cli.process import (
    EXIT_INTERRUPTED,
    EXIT_OUTPUT,
    EXIT_TERMINATED,
    Terminated,
    describe_full_stdout,
)
from constellation_jax.errors import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.progress import Progress

    from constellation_jax.inputs.catalog.catalog import Catalog
    from constellation_jax.inputs.run_keys import Run
    from constellation_jax.studies.ephemeris.write import EphemerisReport
    from constellation_jax.studies.propagation.to_file import PropagationReport

EXIT_INPUT, EXIT_NOT_CONVERGED, EXIT_DEFECT = 2, 3, 70
"""Exit codes: a mistake that a user can mend, a tuning without an optimum, EX_SOFTWARE; the others are in process.py."""


def choose_reporter(*, quiet: bool, log_json: bool) -> Reporter:
    """The reporter for the options; `--log-json`, which is asked for expressly, goes before `--quiet`."""
    if log_json:
        return JsonReporter()
    return Reporter() if quiet else TerminalReporter()


def count(number: int, noun: str) -> str:
    """Format a number of things, such as "1 object" and "2,000 objects"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def report_left_out(objects: Catalog) -> None:
    """Say on stderr what a run should not pass over: records that were left out, and objects with several element sets."""
    rejected = [reject for reject in objects.rejects if not reject.kept]
    if rejected:
        records = "1 record was" if len(rejected) == 1 else f"{len(rejected):,} records were"
        _print_to_stderr(f"{records} rejected ('constellation-jax catalog FILE' lists all):")
        for reject in rejected[:3]:
            _print_to_stderr(f"  {reject}")
    several, most, number = objects.repeated()
    if several:
        have = "1 object has" if several == 1 else f"{several:,} objects have"
        _print_to_stderr(
            f"{have} several element sets (norad_id {number}: {most}), and each counts as an object: narrow the epochs "
            "(--select epoch=2026-08-20..), or keep the newest in Python: read_catalog(FILE).newest()"
        )


class Reporter:
    """Warnings and errors on stderr, nothing else."""

    _first_progress: tuple[float, int] | None = None

    def error(self, line: str, exit_code: int) -> None:
        _print_to_stderr(f"constellation-jax: error: {line}")

    def warning(self, line: str) -> None:
        _print_to_stderr(f"constellation-jax: warning: {line}")

    def note(self, line: str) -> None:
        """Print a result, or what can be done next, on stdout; nothing where only warnings and errors are wanted."""

    def start(self, run: Run, objects: Catalog, times: NDArray[np.datetime64]) -> None:
        """Report the objects and times of a run that is about to begin."""

    def progress(self, done_states: int, total_states: int) -> None:
        """Report the states that are done, after each block that is written."""

    def _states_per_s(self, done_states: int) -> float:
        """Rate since the first call, so that compilation does not count; 0 in that call."""
        now = time.monotonic()
        if self._first_progress is None:
            self._first_progress = now, done_states
        since, before = self._first_progress
        return (done_states - before) / max(1e-9, now - since)

    def done(self, report: PropagationReport | EphemerisReport, *, counted: str) -> None:
        """Report the complete file; `counted` is the field of the report with its length, steps or spans."""

    def close(self) -> None:
        """End the display of progress."""

    @contextlib.contextmanager
    def session(self, *, debug: bool) -> Iterator[None]:
        """Report errors in lines with an exit code, and warnings, from the code inside.

        Args:
            debug: let an unexpected exception through, with its traceback.

        Raises:
            typer.Exit: with the exit code, after an error.
        """
        from constellation_jax.errors import InputError, OutputError

        try:
            with self._route_warnings():
                yield
        except InputError as error:
            code, text = EXIT_INPUT, str(error)
        except OutputError as error:
            code, text = EXIT_OUTPUT, str(error)
        except KeyboardInterrupt as error:  # the writer has noted on it what is left on the disk
            notes = getattr(error, "__notes__", ["nothing was written"])
            words = "terminated" if isinstance(error, Terminated) else "interrupted"
            code = EXIT_TERMINATED if isinstance(error, Terminated) else EXIT_INTERRUPTED
            text = "; ".join([words, *notes])
        except (typer.Exit, typer.Abort, BrokenPipeError):  # typer ends these itself
            raise
        except Exception as error:  # the last resort: a user gets a line to report, not a traceback
            if debug:
                raise
            code, text = _describe_other(error)
        else:
            return
        finally:
            self.close()
        for line in text.splitlines():
            self.error(line, code)
        raise typer.Exit(code)

    @contextlib.contextmanager
    def _route_warnings(self) -> Iterator[None]:
        handler = _Forward(self)
        logger = logging.getLogger("constellation_jax")
        logger.addHandler(handler)
        try:
            with warnings.catch_warnings():
                warnings.showwarning = lambda message, *_args, **_kwargs: self.warning(str(message))
                yield
        finally:
            logger.removeHandler(handler)


class TerminalReporter(Reporter):
    """Rejects and a progress bar on stderr, one line about the result on stdout."""

    _bar: Progress | None = None

    def note(self, line: str) -> None:
        typer.echo(printable(line))

    def start(self, run: Run, objects: Catalog, times: NDArray[np.datetime64]) -> None:
        report_left_out(objects)
        if not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._bar.add_task("compiling", total=len(objects) * len(times), rate="")
        self._bar.start()

    def progress(self, done_states: int, total_states: int) -> None:
        if self._bar is not None:
            rate = self._states_per_s(done_states)
            self._bar.update(
                self._bar.task_ids[0],
                description="propagating",
                completed=done_states,
                total=total_states,
                rate=f"{_number_in_words(rate)} states/s" if rate else "",
            )

    def done(self, report: PropagationReport | EphemerisReport, *, counted: str) -> None:
        self.close()
        rate = _number_in_words(report.states / max(1e-9, report.wall_s))
        length = count(getattr(report, counted), counted.removesuffix("s"))
        typer.echo(
            f"{report.path}: {count(report.satellites, 'object')} at {length} in {report.wall_s:.1f} s "
            f"({rate} states/s), {report.failed:,} failed (variable status), {report.bytes / 1e6:,.1f} MB"
        )

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class JsonReporter(Reporter):
    """Events `start`, `rejects`, `progress` (at most once a second), `done`, `warning` and `error`, as JSON."""

    _last_progress = float("-inf")

    def error(self, line: str, exit_code: int) -> None:
        _print_event("error", message=line, exit_code=exit_code)

    def warning(self, line: str) -> None:
        _print_event("warning", message=line)

    def start(self, run: Run, objects: Catalog, times: NDArray[np.datetime64]) -> None:
        _print_event(
            "start",
            version=__version__,
            command=run.command,
            catalog=run.catalog,
            shells=run.shells,
            objects=len(objects),
            steps=len(times),
            states=len(objects) * len(times),
            first_time=f"{times[0].astype('datetime64[ms]')}Z",
            last_time=f"{times[-1].astype('datetime64[ms]')}Z",
            output=str(run.output),
            **{key: getattr(run, key) for key in ("frame", "variables", "precision", "tolerance") if hasattr(run, key)},
        )
        rejected = [str(reject) for reject in objects.rejects if not reject.kept]
        defects = len(objects.rejects) - len(rejected)
        _print_event("rejects", count=len(rejected), kept_with_defects=defects, first=rejected[:3])

    def progress(self, done_states: int, total_states: int) -> None:
        rate = self._states_per_s(done_states)
        if time.monotonic() - self._last_progress < 1.0:
            return
        self._last_progress = time.monotonic()
        _print_event("progress", done_states=done_states, total_states=total_states, states_per_s=round(rate))

    def done(self, report: PropagationReport | EphemerisReport, *, counted: str) -> None:
        figures = (
            *("satellites", counted, "states", "failed", "compile_s", "compute_s", "write_s", "wall_s"),
            *("peak_memory_bytes", "bytes"),
        )
        _print_event("done", path=str(report.path), **{name: getattr(report, name) for name in figures})


class _Forward(logging.Handler):
    """Handler that passes log records, from warnings up, to a reporter."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__(logging.WARNING)
        self.reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        self.reporter.warning(record.getMessage())


def _print_event(event: str, **fields: Any) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    _print_to_stderr(json.dumps({"event": event, "time": now, **fields}))


def _print_to_stderr(line: str) -> None:
    with contextlib.suppress(OSError):  # a full disk: there is nowhere left to say it
        typer.echo(printable(line), err=True)


def _describe_other(error: Exception) -> tuple[int, str]:
    """Exit code and message about an exception that no function has described: of stdout, of JAX's devices, or a defect."""
    full = describe_full_stdout(error) if isinstance(error, OSError) else None
    if full is not None:
        return EXIT_OUTPUT, full
    lacking = _describe_missing_device()
    if lacking is not None:
        return EXIT_INPUT, lacking
    return EXIT_DEFECT, _describe_defect(error)


def _describe_missing_device() -> str | None:
    """Message about devices that JAX_PLATFORMS asks for and JAX does not find; None where it finds some."""
    if not os.environ.get("JAX_PLATFORMS") or "jax" not in sys.modules:
        return None
    from constellation_jax.engine.device_checks import find_devices
    from constellation_jax.errors import InputError

    try:
        find_devices()
    except InputError as missing:
        return str(missing)
    return None


def _describe_defect(error: Exception) -> str:
    """Message about an unexpected exception: name, text and place, in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    words = " ".join("; ".join([str(error), *getattr(error, "__notes__", ())]).split())[:400]
    return (
        f"unexpected {type(error).__name__}{place}: {words}. This is a defect of constellation-jax: please report it, "
        "with the traceback that 'constellation-jax --debug ...' shows"
    )


def _number_in_words(number: float) -> str:
    for size, word in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
        if number >= size:
            return f"{number / size:.3g} {word}"
    return f"{number:.3g}"
