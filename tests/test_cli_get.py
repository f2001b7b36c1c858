"""``jetkit get``: the list, the words, and how to go on."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import jetkit.cli.get
import jetkit.data.fetch
from jetkit import cli
from jetkit.config import describe, names
from jetkit.data.fetch import Progress, Say
from jetkit.data.public import PublicDataset

run = CliRunner(env={"COLUMNS": "240", "TERM": "dumb", "JETKIT_DEBUG": ""}).invoke


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*args: Any) -> None:
        raise AssertionError("nothing was to be fetched")

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path, str]]:
    """What was asked of a fetch that fetches nothing."""
    calls: list[tuple[str, Path, str]] = []

    def fetch(dataset: PublicDataset, folder: Path, pattern: str, progress: Progress, say: Say) -> list[Path]:
        calls.append((dataset.name, folder, pattern))
        progress("x", 1, None)
        progress("x", 2, 2)
        progress("sha256 of x", 2, 2)
        for line in dataset.terms():
            say(line)
        return [folder / file.name for file in dataset.selected(pattern)]

    monkeypatch.setattr(jetkit.data.fetch, "fetch", fetch)
    return calls


@pytest.mark.parametrize("words", [["get"], ["get", "--help"]])
def test_the_list_has_size_and_licence_and_needs_no_network(words: list[str]) -> None:
    result = run(cli.app, words)
    assert result.exit_code == 0
    assert all(f" {name} " in result.output for name in names("public"))
    row = next(line for line in result.output.splitlines() if " calochallenge-2 " in line)
    assert " 2.7 GB " in row
    assert " CC BY 4.0 " in row


def test_help_lists_the_options() -> None:
    output = run(cli.app, ["get", "--help"]).output
    assert all(f" {option.name} " in output and option.help in output for option in describe(jetkit.cli.get.GetOptions))


def test_terms_come_first_and_the_next_command_last(asked: list[Any], tmp_path: Path) -> None:
    result = run(cli.app, ["get", "top-tagging", f"out={tmp_path / 'my raw'}", "files=t*.h5"])
    assert result.exit_code == 0, result.output
    assert asked == [("top-tagging", tmp_path / "my raw", "t*.h5")]
    lines = result.stdout.splitlines()
    assert lines[1:3] == [
        "licence: CC BY 4.0",
        "please cite: The Machine Learning Landscape of Top Taggers, 2019, arXiv:1902.09914",
    ]
    command = f"jetkit convert top-tagging '{tmp_path / 'my raw'}' out=data/top-tagging"
    assert lines[-1] == f"make a dataset of them with: {command}"


def test_archives_are_to_be_unpacked_first(asked: list[Any]) -> None:
    result = run(cli.app, ["get", "jetclass", "files=*val*"])
    assert asked == [("jetclass", Path("downloads/jetclass"), "*val*")]
    place = "downloads/jetclass"
    assert f"unpack them with: for file in {place}/*.tar; do tar -xf $file -C {place}; done\n" in result.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["top-taging"], "unknown public dataset 'top-taging'; did you mean top-tagging? (see: jetkit get)"),
        (["out=x"], "jetkit get needs NAME before out=x; see jetkit get --help"),
        (["lhco", "fils=x"], "unknown option 'fils' in jetkit get lhco; did you mean files?"),
        (["lhco", "files=x"], "no file of lhco fits files=x: there are events_anomalydetection_v2.h5"),
        (
            ["jetclass2"],
            "jetclass2 has 2,010 files: name some, as in files=Res2P_0000.parquet, or files='*'",
        ),
        (["no/such.yaml"], "cannot read no/such.yaml: No such file or directory"),
    ],
)
def test_wrong_words_are_one_line_on_stderr(words: list[str], sentence: str) -> None:
    result = run(cli.app, ["get", *words])
    assert (result.exit_code, result.stderr) == (1, f"jetkit: {sentence}\n")
