"""What a user imports first."""

import runpy
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import jetkit
from jetkit.errors import JetkitError, require

CLI = Path(jetkit.__file__).parent / "cli"


def test_the_public_names_are_pinned() -> None:
    verbs = {path.stem for path in CLI.glob("*.py")}
    classes = {"Batch", "Cloud", "Dataset", "JetkitError", "Run", "Spec"}
    functions = {"load_model", "open_dataset", "save_model"}
    called = {
        "convert", "embed", "ensemble", "evaluate", "examine", "export", "generate", "leaderboard", "predict", "report",
        "reproduce", "scaling", "simulate", "train", "transfer",
    }  # fmt: skip
    assert set(jetkit.__all__) == classes | functions | called
    assert called <= verbs, "functions are verbs of the command line"
    for name in jetkit.__all__:
        assert getattr(jetkit, name)


def test_importing_jetkit_imports_nothing_heavy() -> None:
    heavy = {"torch", "numba", "pyarrow", "numpy", "scipy", "pydantic"}
    code = f"import sys, jetkit; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Jet'"):
        _ = jetkit.Jet


def test_a_missing_package_names_the_command_that_installs_it(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "fastjet", None)
    with pytest.raises(JetkitError, match=r"pip install 'jetkit\[simulate\]'"):
        require("fastjet")


def test_the_constraints_fit_every_requirement() -> None:
    root = Path(__file__).parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}
    for text in chain(project["dependencies"], *project["optional-dependencies"].values()):
        wanted = Requirement(text)
        assert wanted.name == "jetkit" or wanted.specifier.contains(pins[canonicalize_name(wanted.name)]), text


def test_keywords_are_those_of_the_options() -> None:
    made = runpy.run_path(str(Path(__file__).with_name("keywords.py")))
    assert made["FILE"].read_text(encoding="utf-8") == made["text"](), "write it anew: python tests/keywords.py"
