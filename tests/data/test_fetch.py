"""Fetching from servers that break off, lie, change their mind or send something else."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from jetkit.config import build
from jetkit.data import fetch as module
from jetkit.data.fetch import Patience, fetch
from jetkit.data.public import PublicDataset
from jetkit.errors import JetkitError

BODY = bytes(range(256)) * 1000
OTHER = BODY[::-1]
RIGHT, WRONG = hashlib.sha256(BODY).hexdigest(), hashlib.sha256(OTHER).hexdigest()
PAGE = b"<!DOCTYPE html><title>Sorry</title>" * 100


@dataclass
class Site:
    """A server of one file, and what it does to the next requests."""

    address: str = ""
    body: bytes = BODY
    tag: str = '"one"'
    behaviour: list[str] = field(default_factory=list)
    """One word a request; after the last: serve."""
    ranges: list[tuple[str | None, str | None]] = field(default_factory=list)
    """Range and If-Range of each request."""
    paths: list[str] = field(default_factory=list)
    released: Event = field(default_factory=Event)

    def url(self, path: str = "a/{name}") -> str:
        return f"{self.address}/{path}"


def handler_of(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.ranges.append((wanted := self.headers["Range"], condition := self.headers["If-Range"]))
            site.paths.append(self.path)
            word = site.behaviour.pop(0) if site.behaviour else "serve"
            word = "404" if self.path.startswith("/gone") else word
            if word == "sleep":
                site.released.wait(10)
            elif word.isdigit():
                self.reply(int(word), {}, b"no")
            elif word.startswith("to "):
                self.reply(302, {"Location": word[3:]}, b"")
            elif word.startswith("page"):
                self.reply(200, {"Content-Type": "text/html; charset=utf-8"} if word == "page" else {}, PAGE)
            elif word == "without length":
                self.reply(200, {"Content-Length": None}, site.body)
            elif wanted and word != "ignore range" and (condition == site.tag or word == "ignore if-range"):
                self.serve(word, int(wanted.removeprefix("bytes=").removesuffix("-")))
            else:
                self.serve(word, 0)

        def serve(self, word: str, start: int) -> None:
            size = len(site.body)
            if start >= size:
                self.reply(416, {}, b"")
                return
            kept = {"half": (size - start) // 2, "stall": (size - start) // 2, "little": 20_000}.get(word, size)
            headers = {"Content-Length": str(size - start + 1000 * (word == "promise more"))}
            if start:
                headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
            self.reply(206 if start else 200, headers, site.body[start : start + kept])
            if word == "stall":
                site.released.wait(10)

        def reply(self, status: int, headers: dict[str, Any], body: bytes) -> None:
            self.send_response(status)
            every = {"Content-Length": str(len(body)), "Content-Type": "application/octet-stream", "ETag": site.tag}
            for name, value in (every | headers).items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    found = Site()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(found)) as server:
        found.address = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.released.set()
        server.shutdown()
        thread.join()


def dataset(*mirrors: str, **known: Any) -> PublicDataset:
    """A dataset of one file; its SHA-256 is known unless `known` says otherwise."""
    file = {"name": "jets.h5", "mirrors": mirrors} | (known or {"sha256": RIGHT})
    values = {"name": "test", "description": "jets", "citation": ["A paper"], "homepage": "http://x.org", "reader": "r"}
    return build(PublicDataset, values | {"files": [file]}, "test")


def patient(tries: int = 3, naps: list[float] | None = None) -> Patience:
    return Patience(tries=tries, wait=1.0, timeout=5.0, sleep=(naps if naps is not None else []).append)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_file_gets_its_name_and_nothing_else_is_left(site: Site, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    paths = fetch(dataset(site.url()), tmp_path / "new" / "raw", progress=lambda *step: told.append(step))
    assert paths == [tmp_path / "new" / "raw" / "jets.h5"]
    assert contents(paths[0].parent) == {"jets.h5": BODY}
    assert ("jets.h5", len(BODY), len(BODY)) in told
    assert told[-1] == ("sha256 of jets.h5", len(BODY), len(BODY))


def test_the_terms_come_before_the_first_byte(site: Site, tmp_path: Path) -> None:
    said: list[tuple[str, int]] = []
    fetch(dataset(site.url()), tmp_path, say=lambda line: said.append((line, len(site.ranges))))
    assert said == [
        ("test: jets", 0),
        ("licence: not recorded here, read it at http://x.org", 0),
        ("please cite: A paper", 0),
        ("homepage: http://x.org", 0),
    ]


def test_a_broken_connection_is_taken_up_where_it_broke(site: Site, tmp_path: Path) -> None:
    site.behaviour = ["half"]
    naps: list[float] = []
    fetch(dataset(site.url()), tmp_path, patience=patient(naps=naps))
    assert contents(tmp_path) == {"jets.h5": BODY}
    assert site.ranges == [(None, None), (f"bytes={len(BODY) // 2}-", '"one"')]
    assert naps == [1.0]


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(site: Site, tmp_path: Path) -> None:
    site.behaviour = ["half"]
    with pytest.raises(JetkitError, match=r"ended after 128000 of 256000 bytes.*the same command goes on"):
        fetch(dataset(site.url()), tmp_path, patience=patient(tries=1))
    assert set(contents(tmp_path)) == {"jets.h5.partial", "jets.h5.partial.json"}
    fetch(dataset(site.url()), tmp_path, patience=patient())
    assert contents(tmp_path) == {"jets.h5": BODY}
    assert site.ranges[-1][0] == "bytes=128000-"


def test_an_interrupted_call_is_taken_up(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 10_000)

    def interrupt(what: str, done: int, total: int | None) -> None:
        if done >= 50_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(dataset(site.url()), tmp_path, progress=interrupt)
    fetch(dataset(site.url()), tmp_path)
    assert contents(tmp_path) == {"jets.h5": BODY}
    assert int(str(site.ranges[1][0]).strip("bytes=-")) >= 50_000


def test_tries_are_counted_only_while_no_byte_is_won(site: Site, tmp_path: Path) -> None:
    site.behaviour = ["little"] * 12
    fetch(dataset(site.url()), tmp_path, patience=patient(tries=2))
    assert contents(tmp_path) == {"jets.h5": BODY}
    assert len(site.ranges) == 13


def test_a_server_without_ranges_starts_over(site: Site, tmp_path: Path) -> None:
    site.behaviour = ["half", "ignore range"]
    fetch(dataset(site.url()), tmp_path, patience=patient())
    assert contents(tmp_path) == {"jets.h5": BODY}


@pytest.mark.parametrize("word", ["serve", "ignore if-range"])
def test_a_file_that_changed_between_two_tries_is_fetched_anew(site: Site, tmp_path: Path, word: str) -> None:
    site.behaviour = ["half"]
    asked = dataset(site.url(), sha256=WRONG)
    with pytest.raises(JetkitError, match="ended after"):
        fetch(asked, tmp_path, patience=patient(tries=1))
    site.body, site.tag, site.behaviour = OTHER, '"two"', [word]
    fetch(asked, tmp_path, patience=patient())
    assert contents(tmp_path) == {"jets.h5": OTHER}


def test_a_weak_tag_is_no_reason_to_go_on(site: Site, tmp_path: Path) -> None:
    site.tag, site.behaviour = 'W/"one"', ["half"]
    fetch(dataset(site.url()), tmp_path, patience=patient())
    assert [wanted for wanted, _ in site.ranges] == [None, None]


@pytest.mark.parametrize("notes", [b"no JSON", b"[]", b'{"url": 3}', b""])
def test_spoilt_notes_only_cost_time(site: Site, tmp_path: Path, notes: bytes) -> None:
    (tmp_path / "jets.h5.partial").write_bytes(OTHER[:1000])
    (tmp_path / "jets.h5.partial.json").write_bytes(notes)
    fetch(dataset(site.url()), tmp_path)
    assert contents(tmp_path) == {"jets.h5": BODY}


def test_a_whole_partial_file_needs_no_server(site: Site, tmp_path: Path) -> None:
    site.behaviour = ["half"]
    with pytest.raises(JetkitError):
        fetch(dataset(site.url()), tmp_path, patience=patient(tries=1))
    (tmp_path / "jets.h5.partial").write_bytes(BODY)
    fetch(dataset(site.url()), tmp_path)
    assert contents(tmp_path) == {"jets.h5": BODY}
    assert len(site.ranges) == 1


def test_a_range_that_is_not_there_starts_over(site: Site, tmp_path: Path) -> None:
    url = site.url("a/jets.h5")
    (tmp_path / "jets.h5.partial").write_bytes(BODY + OTHER)
    (tmp_path / "jets.h5.partial.json").write_text(f'{{"url": "{url}", "validator": "\\"one\\"", "bytes": null}}')
    site.tag = '"one"'
    fetch(dataset(url), tmp_path, patience=patient())
    assert contents(tmp_path) == {"jets.h5": BODY}
    assert [wanted for wanted, _ in site.ranges] == ["bytes=512000-", None]


def test_a_promise_of_more_bytes_is_not_believed(site: Site, tmp_path: Path) -> None:
    site.behaviour = ["promise more"] * 9
    with pytest.raises(JetkitError, match="ended after 256000 of 257000 bytes"):
        fetch(dataset(site.url()), tmp_path, patience=patient(tries=1))
    with pytest.raises(JetkitError, match="the server answers 416"):
        fetch(dataset(site.url()), tmp_path, patience=patient(tries=1))
    assert contents(tmp_path) == {}
    site.behaviour.clear()
    fetch(dataset(site.url()), tmp_path)
    assert contents(tmp_path) == {"jets.h5": BODY}


def test_another_size_than_the_published_one_is_refused_at_once(site: Site, tmp_path: Path) -> None:
    with pytest.raises(JetkitError, match="it has 256000 bytes, 255999 are published"):
        fetch(dataset(site.url(), bytes=255_999), tmp_path, patience=patient())
    assert contents(tmp_path) == {}
    assert len(site.ranges) == 1


def test_an_answer_without_length_is_believed_only_with_a_checksum(site: Site, tmp_path: Path) -> None:
    site.behaviour = ["without length", "without length"]
    fetch(dataset(site.url()), tmp_path / "known")
    assert contents(tmp_path / "known") == {"jets.h5": BODY}
    with pytest.raises(JetkitError, match="does not say where the file ends"):
        fetch(dataset(site.url(), bytes=None), tmp_path / "unknown")


@pytest.mark.parametrize("word", ["page", "page in disguise"])
def test_a_web_page_sends_us_to_the_next_mirror(site: Site, tmp_path: Path, word: str) -> None:
    site.behaviour = [word]
    fetch(dataset(site.url(), site.url("b/{name}"), bytes=len(BODY)), tmp_path)
    assert contents(tmp_path)["jets.h5"] == BODY
    site.behaviour = [word]
    with pytest.raises(JetkitError, match="it gives a web page in place of the file"):
        fetch(dataset(site.url(), bytes=None), tmp_path / "alone", patience=patient())
    assert contents(tmp_path / "alone") == {}


def test_a_missing_file_is_not_asked_for_twice(site: Site, tmp_path: Path) -> None:
    naps: list[float] = []
    fetch(dataset(site.url("gone/{name}"), site.url()), tmp_path, patience=patient(naps=naps))
    assert contents(tmp_path) == {"jets.h5": BODY}
    assert (len(site.ranges), naps) == (2, [])
    with pytest.raises(JetkitError, match=r"jets.h5 could not be fetched \(.*/gone/jets.h5: the server answers 404"):
        fetch(dataset(site.url("gone/{name}")), tmp_path / "alone", patience=patient())


def test_a_busy_server_is_asked_again_after_growing_pauses(site: Site, tmp_path: Path) -> None:
    site.behaviour = ["503", "429", "500"]
    naps: list[float] = []
    fetch(dataset(site.url()), tmp_path, patience=patient(tries=4, naps=naps))
    assert contents(tmp_path) == {"jets.h5": BODY}
    assert naps == [1.0, 2.0, 4.0]


def test_a_silent_server_is_left_after_the_timeout(site: Site, tmp_path: Path) -> None:
    site.behaviour = ["sleep"]
    with pytest.raises(JetkitError, match="timed out"):
        fetch(dataset(site.url()), tmp_path, patience=replace(patient(tries=1), timeout=0.1))


def test_a_server_that_falls_silent_half_way_is_asked_again(site: Site, tmp_path: Path) -> None:
    site.behaviour = ["stall"]
    fetch(dataset(site.url()), tmp_path, patience=replace(patient(), timeout=0.2))
    assert contents(tmp_path) == {"jets.h5": BODY}
    assert site.ranges[1:] == [("bytes=128000-", '"one"')]


def test_the_mirror_that_gave_the_beginning_is_asked_first(site: Site, tmp_path: Path) -> None:
    asked = dataset(site.url("gone/{name}"), site.url("b/{name}"))
    site.behaviour = ["serve", "half"]
    with pytest.raises(JetkitError, match=r"404.*; .*ended after"):
        fetch(asked, tmp_path, patience=patient(tries=1))
    fetch(asked, tmp_path)
    assert contents(tmp_path) == {"jets.h5": BODY}
    assert site.paths == ["/gone/jets.h5", "/b/jets.h5", "/b/jets.h5"]
    assert site.ranges[-1][0] == "bytes=128000-"


def test_no_server_at_all_is_a_sentence(site: Site, tmp_path: Path) -> None:
    with pytest.raises(JetkitError, match="no connection"):
        fetch(dataset("http://127.0.0.1:9/{name}"), tmp_path, patience=patient(tries=1))


def test_redirections_within_http_are_followed(site: Site, tmp_path: Path) -> None:
    site.behaviour = [f"to {site.url('b/jets.h5')}"]
    fetch(dataset(site.url()), tmp_path)
    assert contents(tmp_path) == {"jets.h5": BODY}


@pytest.mark.parametrize("place", ["file://{}", "ftp://127.0.0.1{}", "data:,jets"])
def test_redirections_to_anything_else_are_refused(site: Site, tmp_path: Path, place: str) -> None:
    (tmp_path / "secret").write_bytes(BODY)
    site.behaviour = [f"to {place.format(tmp_path / 'secret')}"] * 3
    with pytest.raises(JetkitError, match=r"not of HTTP|unknown url type"):
        fetch(dataset(site.url()), tmp_path / "raw", patience=patient())
    assert contents(tmp_path / "raw") == {}
    assert len(site.ranges) == 1


def test_a_wrong_checksum_sends_us_to_the_next_mirror(site: Site, tmp_path: Path) -> None:
    site.body = OTHER
    asked = dataset(site.url(), site.url("b/{name}"))
    with pytest.raises(JetkitError, match=f"its sha256 is {WRONG}, not {RIGHT}"):
        fetch(asked, tmp_path, patience=patient())
    assert contents(tmp_path) == {}
    assert len(site.ranges) == 2


def test_md5_is_checked_where_nothing_better_is_published(site: Site, tmp_path: Path) -> None:
    fetch(dataset(site.url(), md5=hashlib.md5(BODY).hexdigest()), tmp_path)
    with pytest.raises(JetkitError, match="its md5 is"):
        fetch(dataset(site.url(), md5=hashlib.md5(OTHER).hexdigest()), tmp_path / "other")


def test_the_right_file_is_left_alone_and_a_wrong_one_is_not_overwritten(site: Site, tmp_path: Path) -> None:
    (tmp_path / "jets.h5").write_bytes(BODY)
    assert fetch(dataset(site.url()), tmp_path) == [tmp_path / "jets.h5"]
    (tmp_path / "jets.h5").write_bytes(OTHER)
    with pytest.raises(JetkitError, match=r"is there already and is another file .* move it away"):
        fetch(dataset(site.url()), tmp_path)
    assert contents(tmp_path) == {"jets.h5": OTHER}
    assert site.ranges == []


def test_a_file_without_checksum_is_noted_and_held_to_it(site: Site, tmp_path: Path) -> None:
    asked = dataset(site.url(), bytes=len(BODY))
    said: list[str] = []
    fetch(asked, tmp_path, say=said.append)
    assert said[-1].startswith(f"no checksum is known for jets.h5: its SHA-256 is {RIGHT}, write it down")
    assert contents(tmp_path) == {"jets.h5": BODY, "jets.h5.sha256": f"{RIGHT}  jets.h5\n".encode()}
    said.clear()
    fetch(asked, tmp_path, say=said.append)
    assert not any("SHA-256" in line for line in said)
    (tmp_path / "jets.h5").write_bytes(OTHER)
    with pytest.raises(JetkitError, match="is there already and is another file"):
        fetch(asked, tmp_path)
    (tmp_path / "jets.h5").unlink()
    site.body = OTHER
    with pytest.raises(JetkitError, match=r"could not be fetched .*its sha256 is"):
        fetch(asked, tmp_path, patience=patient())


def test_too_little_room_is_said_before_a_byte_is_written(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(JetkitError, match=r"is full \(jets.h5 needs 256000 bytes, 1000 are free\)"):
        fetch(dataset(site.url()), tmp_path, patience=patient())
    assert contents(tmp_path) == {}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_disk_that_fills_up_is_a_sentence(site: Site, tmp_path: Path) -> None:
    (tmp_path / "jets.h5.partial").symlink_to("/dev/full")
    with pytest.raises(JetkitError, match="is full: make room"):
        fetch(dataset(site.url()), tmp_path, patience=patient())
    assert len(site.ranges) == 1


def test_a_folder_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("")
    with pytest.raises(JetkitError, match="raw cannot be written"):
        fetch("lhco", tmp_path / "raw")
