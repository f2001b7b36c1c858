"""Download of public files over HTTP: resumable, from several mirrors, and verified.

Unlike pooch, which also verifies and renames, this resumes interrupted downloads and tries several mirrors. pooch
deletes its temporary file after each failure, so a file of gigabytes always restarts, and it supports one address per
file.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from http.client import HTTPException, HTTPResponse
from itertools import chain
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from pydantic.dataclasses import dataclass as checked_dataclass

from jetkit import __version__
from jetkit.config import build
from jetkit.data.atomic import replace_file
from jetkit.data.public import PublicDataset, PublicFile, public_dataset
from jetkit.errors import JetkitError

Progress = Callable[[str, int, int | None], None]
"""Callback with (activity, bytes done, total bytes or None if the server does not state them)."""
Say = Callable[[str], None]
BLOCK = 1 << 20
PASSING = {408, 425, 429, 500, 502, 503, 504}
"""Status codes of temporary errors, after which a retry may succeed."""


@dataclass(frozen=True)
class Patience:
    """Retry policy: attempts per mirror without progress, seconds before the second attempt, seconds per read."""

    tries: int = 4
    wait: float = 2.0
    timeout: float = 60.0
    sleep: Callable[[float], None] = time.sleep


def fetch(
    dataset: str | Path | PublicDataset,
    folder: str | Path,
    pattern: str = "*",
    progress: Progress | None = None,
    say: Say | None = None,
    patience: Patience | None = None,
) -> list[Path]:
    """Download files of a public dataset over HTTP; earlier downloads are kept and resumed.

    A file is written as ``FILE.partial`` and renamed once size and checksum match the published ones. For a file
    without a published checksum, ``FILE.sha256`` is stored beside it and checked in every later call.

    Args:
        dataset: name, YAML file or `public_dataset`
        folder: output folder; created if absent
        pattern: shell pattern of the file names
        progress: called with (what, bytes done, bytes in all)
        say: callback with messages for the user, beginning with the terms of use
        patience: retry policy for slow and failing servers

    Returns:
        The paths of the files.

    Raises:
        JetkitError: an unknown dataset, no file that fits, no mirror that gives the file which was published, another
            file of the same name in the folder, a full disk.

    Source: Hypertext Transfer Protocol: range requests, 2022, RFC 9110 §13-14.

    Example:
        >>> fetch("top-tagging", "downloads", "*.csv")
        Traceback (most recent call last):
        jetkit.errors.JetkitError: no file of top-tagging fits files=*.csv: there are train.h5, val.h5, test.h5
    """
    spec = dataset if isinstance(dataset, PublicDataset) else public_dataset(dataset)
    chosen, place = spec.selected(pattern), Path(folder)
    say, progress = say or (lambda line: None), progress or (lambda what, done, total: None)
    for line in spec.terms():
        say(line)
    try:
        place.mkdir(parents=True, exist_ok=True)
        return [_settle(file, place / file.name, progress, say, patience or Patience()) for file in chosen]
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(place, "") from error
        raise JetkitError(f"{error.filename or place} cannot be written: {error.strerror}") from error


class _Lost(Exception):  # noqa: N818 - the user never sees it
    """Failure of an attempt; ``again`` is True if the same address may still succeed."""

    def __init__(self, reason: str, again: bool = False) -> None:
        super().__init__(reason)
        self.again = again


@checked_dataclass(frozen=True)
class _Part:
    """State of a partial download in ``FILE.partial``, stored in ``FILE.partial.json``."""

    url: str = ""
    validator: str = ""
    bytes: int | None = None


def _settle(file: PublicFile, path: Path, progress: Progress, say: Say, patience: Patience) -> Path:
    """Ensure that the verified file exists under its name."""
    note = path.with_name(f"{path.name}.sha256")
    noted = re.match(r"[0-9a-f]{64}\b", note.read_text("utf-8", errors="replace")) if note.is_file() else None
    if file.checksum is None and noted:
        file = replace(file, sha256=noted[0])
    if path.exists():
        if problem := _difference(path, file, progress):
            raise JetkitError(
                f"{path} is there already and is another file ({problem}): move it away, then fetch again"
            )
    else:
        _fetch(file, path, progress, patience)
    if file.checksum is None:
        value = _checksum(path, "sha256", progress)
        replace_file(note, f"{value}  {path.name}\n".encode())
        say(f"no checksum is known for {path.name}: its SHA-256 is {value}, write it down (it is in {note})")
    return path


def _fetch(file: PublicFile, path: Path, progress: Progress, patience: Patience) -> None:
    """Download a file from the first mirror that has it, beginning with the one that gave the partial file."""
    partial = path.with_name(f"{path.name}.partial")
    problems = []
    for url in sorted(file.mirrors, key=lambda mirror: mirror != _recall(partial).url):
        problem = _download(url, file, partial, progress, patience)
        if not problem and (problem := _difference(partial, file, progress)):
            _forget(partial)
        if not problem:
            partial.replace(path)
            return _forget(partial)
        problems.append(f"{url}: {problem}")
    raise JetkitError(
        f"{path.name} could not be fetched ({'; '.join(problems)}); the same command goes on where it stopped"
    )


def _download(url: str, file: PublicFile, partial: Path, progress: Progress, patience: Patience) -> str:
    """Complete ``partial``; return an empty text, or the reason for the failure."""
    failures, furthest = 0, _size(partial)
    while True:
        try:
            return _receive(url, file, partial, progress, patience.timeout)
        except _Lost as lost:
            failures = 1 if _size(partial) > furthest else failures + 1
            furthest = max(furthest, _size(partial))
            if not lost.again or failures >= patience.tries:
                return str(lost)
        patience.sleep(patience.wait * 2 ** (failures - 1))


def _receive(url: str, file: PublicFile, partial: Path, progress: Progress, timeout: float) -> str:
    """Request the missing bytes once.

    Raises:
        _Lost: the server refuses, sends something else, or stops before the end.
    """
    part, have = _recall(partial), _size(partial)
    if have and have == part.bytes:
        return ""
    known = part.url == url and part.validator and (part.bytes is None or have < part.bytes)
    have = have if known else 0
    with _ask(url, {"Range": f"bytes={have}-", "If-Range": part.validator} if have else {}, partial, timeout) as answer:
        start = _start(answer, have, part, partial)
        length = answer.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else None
        if file.bytes and total and total != file.bytes:
            raise _Lost(f"it has {total} bytes, {file.bytes} are published")
        if total is None and file.checksum is None and file.bytes is None:
            raise _Lost("the server does not say where the file ends")
        blocks = _blocks(answer)
        first = next(blocks, b"")
        _refuse_page(answer, first if start == 0 else b"", file)
        if total and (free := shutil.disk_usage(partial.parent).free) < total - start:
            raise _full(partial.parent, f" ({file.name} needs {total - start} bytes, {free} are free)")
        done = start
        with partial.open("r+b" if start else "wb") as out:
            out.seek(start)
            if start == 0:
                replace_file(_beside(partial), json.dumps(asdict(_Part(url, _validator(answer), total))).encode())
            for block in chain([first], blocks):
                out.write(block)
                done += len(block)
                progress(file.name, done, total)
            out.flush()
            os.fsync(out.fileno())
    if total is not None and done != total:
        raise _Lost(f"the connection ended after {done} of {total} bytes", again=True)
    return ""


@contextmanager
def _ask(url: str, headers: dict[str, str], partial: Path, timeout: float) -> Iterator[HTTPResponse]:
    """Open a response to a request; redirects may lead to HTTP addresses only."""
    opener = OpenerDirector()
    opener.addheaders = [("User-Agent", f"jetkit/{__version__}")]
    for handler in (ProxyHandler, UnknownHandler, HTTPHandler, HTTPSHandler, HTTPDefaultErrorHandler):
        opener.add_handler(handler())
    for processor in (HTTPRedirectHandler, HTTPErrorProcessor):
        opener.add_handler(processor())
    try:
        answer = opener.open(Request(url, headers={"Accept-Encoding": "identity", **headers}), timeout=timeout)
    except HTTPError as error:
        error.close()
        if error.code == 416:
            _forget(partial)
        if 300 <= error.code < 400:
            raise _Lost("it leads in a circle or to an address that is not of HTTP") from error
        again = error.code in PASSING or error.code == 416
        raise _Lost(f"the server answers {error.code} {error.reason}", again) from error
    except (OSError, HTTPException) as error:
        unknown = isinstance(error, URLError) and "unknown url type" in str(error.reason)
        raise _Lost(f"no connection ({_reason(error)})", again=not unknown) from error
    with answer:
        yield answer


def _start(answer: HTTPResponse, asked: int, part: _Part, partial: Path) -> int:
    """Return the offset at which the response begins: the requested one, or 0 if the server sends the whole file."""
    if answer.status != 206:
        return 0
    given = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    if given is None or int(given[1]) != asked or _validator(answer) not in ("", part.validator):
        _forget(partial)
        raise _Lost("the file changed while it was fetched", again=True)
    return asked


def _validator(answer: HTTPResponse) -> str:
    """Return the strong ETag or the date, which identify this version of the file; RFC 9110 §13.1.5."""
    tag = str(answer.headers.get("ETag", ""))
    return tag if tag.startswith('"') else str(answer.headers.get("Last-Modified", ""))


def _blocks(answer: HTTPResponse) -> Iterator[bytes]:
    """Yield the body; errors here come from the network, not from the disk."""
    try:
        while block := answer.read1(BLOCK):
            yield block
    except (OSError, HTTPException) as error:
        raise _Lost(f"the connection broke ({_reason(error)})", again=True) from error


def _refuse_page(answer: HTTPResponse, head: bytes, file: PublicFile) -> None:
    """Raise if the response is a web page, by which servers report errors with status 200."""
    page = answer.headers.get_content_type() == "text/html" or head.lstrip()[:9].lower().startswith(
        (b"<!doctype", b"<html")
    )
    if page and not file.name.endswith((".html", ".htm")):
        raise _Lost("it gives a web page in place of the file")


def _difference(path: Path, file: PublicFile, progress: Progress) -> str:
    """Describe the difference between a file and the published one; empty if there is none."""
    if file.bytes is not None and _size(path) != file.bytes:
        return f"it has {_size(path)} bytes, {file.bytes} are published"
    if file.checksum is None:
        return ""
    kind, expected = file.checksum
    found = _checksum(path, kind, progress)
    return "" if found == expected else f"its {kind} is {found}, not {expected}"


def _checksum(path: Path, kind: str, progress: Progress) -> str:
    digest, done, total = hashlib.new(kind, usedforsecurity=False), 0, _size(path)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            done += len(block)
            progress(f"{kind} of {path.name.removesuffix('.partial')}", done, total)
    return digest.hexdigest()


def _beside(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def _recall(partial: Path) -> _Part:
    """Read the state of a partial download; empty if it cannot be read."""
    try:
        return build(_Part, json.loads(_beside(partial).read_text("utf-8")), "notes")
    except (OSError, ValueError, JetkitError):
        return _Part()


def _forget(partial: Path) -> None:
    partial.unlink(missing_ok=True)
    _beside(partial).unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _reason(error: OSError | HTTPException) -> str:
    return str(getattr(error, "reason", "") or getattr(error, "strerror", "") or error or type(error).__name__)


def _full(folder: Path, why: str) -> JetkitError:
    return JetkitError(
        f"the disk of {folder} is full{why}: make room, then the same command goes on; or choose another folder"
    )
