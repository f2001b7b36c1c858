"""The command line: exit codes, one line for what a user can mend, and nothing heavy before it is needed."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from typer.testing import CliRunner

import jetkit.simulation
from jetkit import __version__, cli
from jetkit.cli import catalogue, doctor
from jetkit.config import describe, names
from jetkit.errors import DISTRIBUTIONS, EXTRAS, JetkitError
from jetkit.simulation.options import Options, Twin

Progress = Callable[[int, int], None]
run = CliRunner(env={"COLUMNS": "200", "TERM": "dumb", "JETKIT_DEBUG": ""}).invoke


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, Options]]:
    """What was asked of a simulation that makes nothing."""
    calls: list[tuple[str, Options]] = []

    def simulate(recipe: str, options: Options, progress: Progress) -> Path:
        progress(1, 2)
        calls.append((recipe, options))
        return tmp_path / "made"

    monkeypatch.setattr(jetkit.simulation, "simulate", simulate)
    return calls


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def simulate(recipe: str, options: Options, progress: Progress) -> None:
        raise error

    monkeypatch.setattr(jetkit.simulation, "simulate", simulate)


def test_heavy_packages_are_not_imported_before_they_are_needed() -> None:
    heavy = "torch lightning_fabric sklearn matplotlib numba pyarrow pandas awkward pythia8mc fastjet dask jinja2"
    code = f"import sys, jetkit.cli; print([name for name in '{heavy}'.split() if name in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_version_is_printed() -> None:
    assert run(cli.app, ["--version"]).output.strip() == f"jetkit {__version__}"


def test_help_names_every_verb_in_the_order_of_use() -> None:
    result = run(cli.app, ["--help"])
    assert result.exit_code == 0
    places = [result.output.find(f" {verb} ") for verb in ("simulate", "show", "demo", "list", "doctor")]
    assert -1 not in places
    assert places == sorted(places)


def test_help_of_simulate_lists_recipes_and_options_with_defaults() -> None:
    result = run(cli.app, ["simulate", "--help"])
    assert result.exit_code == 0
    assert all(f" {name} " in result.output for name in names("datasets"))
    for option in describe(Options):
        assert f" {option.name} " in result.output
        assert option.help in result.output
    assert " 20000 " in result.output


def test_words_become_options(asked: list[tuple[str, Options]], tmp_path: Path) -> None:
    result = run(cli.app, ["simulate", "top-landscape", "jets=1e3", "seed=5", "out=here"])
    assert result.exit_code == 0, result.output
    assert asked == [("top-landscape", Options(jets=1000, seed=5, out="here"))]
    assert f"jetkit show {tmp_path / 'made'}" in result.output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["simulate", "top-landscape", "jets=ten"], "option jets should be int, got 'ten'"),
        (
            ["simulate", "top-landscape", "jetz=10"],
            "unknown option 'jetz' in jetkit simulate top-landscape; did you mean jets?",
        ),
        (
            ["simulate", "top-landscape", "10"],
            "cannot read '10': options of jetkit simulate top-landscape are written key=value",
        ),
        (["simulate", "top-landscape", "jets=1", "jets=2"], "option jets is given twice"),
        (["simulate", "top-landscape", "jets=0"], "option jets should be greater than 0, got 0"),
        (["simulate", "jets=10"], "jetkit simulate needs RECIPE before jets=10; see jetkit simulate --help"),
        (["show", "out=x"], "jetkit show needs DIR before out=x; see jetkit show --help"),
        (["show", "data", "verify=yes"], "option verify should be true or false, got 'yes'"),
        (["show", "no/such/folder"], "no/such/folder holds no Parquet files"),
        (["show", "no/such/folder", "verify=true"], "no/such/folder is not a dataset made by jetkit"),
        (["demo", "jetz=10"], "unknown option 'jetz' in jetkit demo; did you mean jets?"),
    ],
)
def test_wrong_input_is_one_line_on_stderr(words: list[str], sentence: str, asked: list[Any]) -> None:
    result = run(cli.app, words)
    assert result.exit_code == 1
    assert sentence in result.stderr
    assert result.stderr.startswith("jetkit: ")
    assert result.stderr.count("\n") == 1
    assert asked == []


@pytest.mark.parametrize("words", [["simulat"], ["simulate"], ["show"], ["doctor", "now"], ["--no-such-option"]])
def test_wrong_grammar_has_exit_code_two(words: list[str]) -> None:
    result = run(cli.app, words)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_failure_of_the_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, JetkitError("the disk is full: choose another folder with out="))
    result = run(cli.app, ["simulate", "top-landscape"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "jetkit: the disk is full: choose another folder with out=\n"


def test_debugging_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, JetkitError("broken"))
    result = run(cli.app, ["simulate", "top-landscape"], env={"JETKIT_DEBUG": "1"})
    assert isinstance(result.exception, JetkitError)


def test_interruption_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, KeyboardInterrupt())
    result = run(cli.app, ["simulate", "top-landscape"])
    assert result.exit_code == 130
    assert result.stderr == "jetkit: interrupted; the same command goes on where it stopped\n"


def test_list_names_what_there_is() -> None:
    result = run(cli.app, ["list"])
    assert result.exit_code == 0
    for kind in ("datasets", "detectors", "variations"):
        assert all(f" {name} " in result.output for name in names(kind))
    assert all(f" {name} " in result.output for name in (*get_args(Twin), "momentum", "kin", "kinpid", "full"))


def test_every_twin_is_described() -> None:
    assert tuple(catalogue.TWINS) == get_args(Twin)


def test_doctor_names_every_package(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(cli.app, ["doctor"])
    assert result.exit_code == 0
    names = [DISTRIBUTIONS.get(name, name) for name in EXTRAS]
    assert all(f" {name} " in result.output for name in ("python", "jetkit", *doctor.REQUIRED, *names))
    assert "cores" in result.output


def test_doctor_says_how_to_install_what_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda name: "" if name == "uproot" else "1.0")
    result = run(cli.app, ["doctor"])
    assert result.exit_code == 0
    assert result.output.count("absent") == 1
    assert "pip install 'jetkit[readers]'" in result.output


def test_doctor_knows_the_dependencies_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    required = {re.split(r"[\[>=<]", line)[0] for line in project["dependencies"]}
    assert set(doctor.REQUIRED) == required


@pytest.mark.parametrize(
    "words", ["train pfn epoch=3", "evaluate runs/pfn replica=3", "simulate lhco jest=3", "report r ot=x"]
)
def test_a_misspelt_option_is_told_before_torch_is_imported(words: str) -> None:
    code = (
        "import sys, jetkit.cli\n"
        "try:\n    jetkit.cli.main()\nexcept SystemExit:\n"
        "    print({'torch', 'numba', 'pyarrow'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code, *words.split()], capture_output=True, text=True)
    assert "did you mean" in ran.stderr
    assert ran.stdout.strip() == "set()"
