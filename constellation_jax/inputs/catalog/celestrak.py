"""Download of current element sets and space weather from CelesTrak, at most once in each update cycle, with a cache.

Element sets come as OMM CSV files, space weather as the table SW-All.csv.

The rules follow CelesTrak's usage policy (T. S. Kelso, 2026-05-22). Data change once in two hours, so that a younger copy is used
without a request. A person has to read any answer other than 200 before the next request: there is no retry, no redirect is
followed, and a refusal is kept on disk for two hours. CelesTrak blocks the addresses of programs that keep asking.

Deliberately absent: reading the file (`read_catalog`), TLE (it cannot carry catalogue numbers above 69999 there) and
Space-Track.
"""

import contextlib
import csv
import html
import http.client
import json
import logging
import os
import re
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from constellation_jax import __version__
from constellation_jax.errors import InputError, suggest
from constellation_jax.settings import cache_folder

BASE_URL = "https://celestrak.org/NORAD/elements/gp.php"
"""Address of the GP query; the environment variable CONSTELLATION_JAX_CELESTRAK_URL (a mirror) replaces it."""

SPACE_WEATHER_URL = "https://celestrak.org/SpaceData/SW-All.csv"
"""Address of the table of space weather; the environment variable CONSTELLATION_JAX_SPACE_WEATHER_URL (a mirror) replaces it."""

UPDATE_SECONDS = 2 * 3600
"""Length of CelesTrak's update cycle, s: a file is requested once within it."""

_GROUPS = """
    active stations visual last-30-days analyst geo weather noaa goes resource sarsat dmc tdrss argos planet
    spire starlink oneweb qianfan hulianwang kuiper iridium iridium-next intelsat ses eutelsat telesat orbcomm
    globalstar amateur satnogs x-comm other-comm gnss gps-ops glo-ops galileo beidou sbas nnss musson science
    geodetic engineering education military radar cubesat other cosmos-1408-debris fengyun-1c-debris
    iridium-33-debris cosmos-2251-debris
"""
GROUPS = tuple(_GROUPS.split())
"""Well-known groups, for suggestions and to tell a group from a file; `fetch` takes any other one too."""

_LARGEST_BYTES: Final = 256 << 20
"""Largest answer that is read, fifty times the largest catalogue."""
_THIS_MACHINE: Final = ("localhost", "127.0.0.1", "::1")
"""Hosts that need no https: mirrors on this machine."""

_log = logging.getLogger(__name__)


class DownloadError(InputError):
    """Failed download. The message has the server's own words; the request is not repeated automatically."""


def fetch(
    group: str = "active",
    *,
    cache: str | os.PathLike[str] | None = None,
    allow_stale: bool = False,
    base_url: str | None = None,
    timeout: float = 60.0,
) -> Path:
    """Download the current element sets of a CelesTrak group, or use a recent copy, and return the path of the OMM CSV file.

    A copy younger than two hours is used as it is. Otherwise one request is sent; whatever the answer, no other one for
    this group is sent within two hours. (An attempt without a connection does not count.)

    Args:
        group: a CelesTrak group: small letters, digits and hyphens, such as "active" or "starlink".
        cache: folder for the copies; default: `cache_folder()`.
        allow_stale: use an older copy, with a logged warning, where the download fails.
        base_url: address of the GP query; default: CONSTELLATION_JAX_CELESTRAK_URL, else CelesTrak itself.
        timeout: seconds to wait for the server.

    Raises:
        InputError: a malformed group name or address, or a cache folder that cannot be written.
        DownloadError: the server refused, knows no such group, did not answer, or sent something else than OMM CSV.
    """
    group = group.lower()
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", group):
        raise InputError(
            f"CelesTrak group: found {group!r}, expected letters, digits and hyphens, such as 'active'"
            f"{_suggest_group(group)}"
        )
    base = base_url or os.environ.get("CONSTELLATION_JAX_CELESTRAK_URL") or BASE_URL
    url = f"{base}?{urllib.parse.urlencode({'GROUP': group, 'FORMAT': 'csv'})}"
    wanted = _Wanted(url, f"{group}.csv", {"OBJECT_NAME", "NORAD_CAT_ID"}, "OMM CSV", _suggest_group(group))
    return _fetch(wanted, cache, allow_stale=allow_stale, timeout=timeout)


def fetch_space_weather(
    *,
    cache: str | os.PathLike[str] | None = None,
    allow_stale: bool = False,
    url: str | None = None,
    timeout: float = 60.0,
) -> Path:
    """Download CelesTrak's table of space weather since 1957, or use a copy younger than two hours, and return its path.

    Rules as for `fetch`. Without a network the "bundled" table, which ends with NASA's forecast, or any file serves as well.

    Args:
        cache: folder for the copies; default: `cache_folder()`.
        allow_stale: use an older copy, with a logged warning, where the download fails.
        url: address of SW-All.csv; default: CONSTELLATION_JAX_SPACE_WEATHER_URL, else CelesTrak itself.
        timeout: seconds to wait for the server.

    Raises:
        InputError: a malformed address, or a cache folder that cannot be written.
        DownloadError: the server refused, did not answer, or sent something else.
    """
    address = url or os.environ.get("CONSTELLATION_JAX_SPACE_WEATHER_URL") or SPACE_WEATHER_URL
    wanted = _Wanted(address, "SW-All.csv", {"DATE", "F10.7_OBS", "AP_AVG"}, "the table SW-All.csv", "")
    try:
        return _fetch(wanted, cache, allow_stale=allow_stale, timeout=timeout)
    except DownloadError as error:
        raise DownloadError(f"{error}; without it take 'bundled' or a file of space weather") from None


def describe_age(path: Path) -> str:
    """Describe the time since a copy was fetched, such as "12 min"."""
    return _spell_duration(_measure_age_seconds(path))


class _Wanted(NamedTuple):
    """File that CelesTrak is asked for."""

    url: str
    copy: str
    """Name of its copy."""
    columns: set[str]
    """Columns that its first line names."""
    expected: str
    """Name of its format, for messages."""
    hint: str
    """End of a message about another answer."""


def _fetch(wanted: _Wanted, cache: str | os.PathLike[str] | None, *, allow_stale: bool, timeout: float) -> Path:
    parts = urllib.parse.urlsplit(wanted.url)
    if not parts.netloc or (
        parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _THIS_MACHINE)
    ):
        shown = wanted.url.partition("?")[0]
        raise InputError(f"CelesTrak address: found {shown!r}, expected one that begins with https://")
    folder = Path(cache) if cache is not None else cache_folder()
    folder = folder / re.sub(r"[^A-Za-z0-9.-]", "_", parts.netloc.rpartition("@")[2])
    copy = folder / wanted.copy
    if _is_young(copy):  # the usual case needs no lock: copies appear whole
        return copy
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _hold_lock(copy.with_suffix(".lock"), timeout + 10):
            if not _is_young(copy):  # another process may have fetched it while this one waited
                _renew(copy, wanted, timeout)
    except DownloadError as error:
        if not copy.exists():
            raise
        age = describe_age(copy)
        if not allow_stale:
            offer = f"a copy {age} old is there: allow_stale=True (--allow-stale) uses it"
            raise DownloadError(f"{error}; {offer}") from None
        _log.warning("%s; using the copy of %s ago, %s", error, age, copy)
    except OSError as error:
        raise InputError(
            f"cache folder {folder}: {error.strerror or error}; CONSTELLATION_JAX_CACHE names another one"
        ) from error
    return copy


def _renew(copy: Path, wanted: _Wanted, timeout: float) -> None:
    """Send one request and write the answer to `copy`. A refusal is written beside it and raised again for two hours."""
    refusal = copy.with_suffix(".refused.json")
    if _is_young(refusal):
        ago, wait = (
            _spell_duration(_measure_age_seconds(refusal)),
            _spell_duration(UPDATE_SECONDS - _measure_age_seconds(refusal)),
        )
        raise DownloadError(f"{_read_refusal(refusal)} (said {ago} ago; CelesTrak is not asked again for {wait})")
    try:
        body = _ask(wanted, timeout)
    except _Unreachable as error:
        raise DownloadError(str(error)) from None  # nothing reached the server, so there is nothing to remember
    except DownloadError as error:
        _write_whole(refusal, json.dumps({"url": wanted.url, "message": str(error)}).encode())
        raise
    _write_whole(copy, body)
    refusal.unlink(missing_ok=True)


def _read_refusal(refusal: Path) -> str:
    try:
        return str(json.loads(refusal.read_text(encoding="utf-8"))["message"])
    except (ValueError, KeyError, TypeError):
        return "a refusal, whose words are lost"  # a damaged note is a refusal all the same: its age is the file's


class _Unreachable(DownloadError):
    """Failed download for want of a connection."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Handler that follows no redirection."""

    def redirect_request(self, *_: object) -> None:
        """Leave a redirection to the error handler: the policy wants a person to see it."""


def _ask(wanted: _Wanted, timeout: float) -> bytes:
    url = wanted.url
    request = urllib.request.Request(url, headers={"User-Agent": f"constellation-jax/{__version__}"})
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=timeout) as response:
            status: int = response.status
            body: bytes = response.read(_LARGEST_BYTES + 1)
            if len(body) <= _LARGEST_BYTES and response.length:  # of what was promised
                raise http.client.IncompleteRead(body, response.length)
    except urllib.error.HTTPError as error:
        with error:
            answer = _extract_first_line(error.read(65536)) or error.reason
        target = error.headers.get("Location")
        moved = f" (points to {target})" if target else ""
        raise DownloadError(f"{url}: HTTP {error.code}: {answer}{moved}") from None
    except urllib.error.URLError as error:  # raised before the request is out
        raise _Unreachable(
            f"{url}: no connection: {error.reason}; without a network take 'bundled', a file of element sets, or a mirror that "
            "CONSTELLATION_JAX_CELESTRAK_URL names"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise DownloadError(f"{url}: the answer broke off: {str(error) or type(error).__name__}") from None
    if len(body) > _LARGEST_BYTES:
        raise DownloadError(f"{url}: the answer is larger than {_LARGEST_BYTES >> 20} MiB, expected {wanted.expected}")
    if status != 200:
        raise DownloadError(f"{url}: HTTP {status}: {_extract_first_line(body)}")
    header, last = (_split_line(body, end) for end in (0, -1))
    if not wanted.columns <= set(header):
        # "Invalid query: ..." and "No GP data found" come with status 200
        raise DownloadError(f"{url}: found {_extract_first_line(body)!r}, expected {wanted.expected}{wanted.hint}")
    if len(last) != len(header):
        raise DownloadError(f"{url}: the answer broke off: {len(last)} of {len(header)} fields in its last line")
    return body


def _split_line(body: bytes, line: int) -> list[str]:
    lines = body.decode("utf-8-sig", errors="replace").strip().splitlines()
    return next(csv.reader(lines[line:][:1]), [])


def _extract_first_line(body: bytes) -> str:
    """Extract the first line with words in it, without markup, at most 200 characters."""
    markup = r"<(style|script|head)\b.*?</\1>|<[^>]*>"
    text = html.unescape(re.sub(markup, "\n", body.decode("utf-8", "replace"), flags=re.DOTALL | re.IGNORECASE))
    return next((" ".join(line.split())[:200] for line in text.splitlines() if line.strip()), "")


def _suggest_group(group: str) -> str:
    return "" if group in GROUPS else suggest(group, GROUPS)


def _measure_age_seconds(path: Path) -> float:
    return time.time() - path.stat().st_mtime


def _is_young(path: Path) -> bool:
    """Check that a file exists and is of this update cycle. A file dated in the future (a clock was set back) does not count."""
    try:
        return 0 <= _measure_age_seconds(path) < UPDATE_SECONDS
    except OSError:  # absent, or out of reach, which shows when the folder is used
        return False


def _spell_duration(seconds: float) -> str:
    minutes = max(0, round(seconds / 60))
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"


def _write_whole(path: Path, body: bytes) -> None:
    """Write a file atomically: a reader sees the old file or the new one, never a part."""
    handle, name = tempfile.mkstemp(prefix=path.name, suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _hold_lock(path: Path, patience: float) -> Iterator[None]:
    """Hold an exclusive lock of the operating system on a file. It ends with the process, so that a crash leaves none."""
    with open(path, "a+b") as file:
        deadline = time.monotonic() + patience
        while not _try_lock(file.fileno()):
            if time.monotonic() > deadline:
                raise DownloadError(
                    f"{path}: another process has been downloading for {patience:.0f} s; try again later"
                )
            time.sleep(0.05)
        try:
            yield
        finally:
            _unlock(file.fileno())


if sys.platform == "win32":
    import msvcrt

    def _try_lock(fd: int) -> bool:
        try:
            os.lseek(fd, 0, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(fd: int) -> None:
        os.lseek(fd, 0, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _try_lock(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_UN)
