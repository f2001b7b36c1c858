"""How a training is built: in few files, downwards, and without asking options what kind they are."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import jetkit
from jetkit.store.options import GROUPS, RunOptions
from jetkit.training.assembly import assemble
from jetkit.training.machine import make_fabric
from jetkit.training.recipes import train_options

SOURCE = Path(jetkit.__file__).parent
ROOMS = ("training", "store", "tasks", "models", "nn", "data", "physics")
"""From the top down."""
PART = {"width": 16, "depth": 1, "heads": 2, "pair_widths": [8]}
TRAININGS = {
    "pfn": {"hyperparameters": {"phi": [8], "f": [8]}},
    "part": {"hyperparameters": PART},
    "bip": {"hyperparameters": {"order": 2, "levels": 4}},
    "mpm": {"task": "mpm", "hyperparameters": PART, "method": {"width": 8, "depth": 1, "heads": 2}},
}


def calls_of(options: RunOptions) -> set[tuple[str, str]]:
    """Files of jetkit that call each other while a training is built: caller and called."""
    fabric, found = make_fabric(options.machine), set()

    def inside(frame: FrameType | None) -> str:
        name = frame.f_code.co_filename if frame is not None else ""
        return str(Path(name).relative_to(SOURCE)) if name.startswith(str(SOURCE)) else ""

    def watch(frame: FrameType, event: str, argument: Any) -> None:
        if event != "call" or frame.f_code.co_name == "<genexpr>" or not (called := inside(frame)):
            return
        caller = frame.f_back
        while caller is not None and not inside(caller):
            caller = caller.f_back
        found.add((inside(caller), called))

    sys.setprofile(watch)
    try:
        assemble(options, fabric, lambda done, total, what: None)
    finally:
        sys.setprofile(None)
    return {(caller, called) for caller, called in found if caller}


@pytest.mark.parametrize("name", TRAININGS)
def test_options_pass_through_few_files_and_only_downwards(toy: Path, name: str) -> None:
    values: dict[str, Any] = TRAININGS[name]
    model = "" if "task" in values else name
    calls = calls_of(train_options(model, data=str(toy), features="kin", threads=1, accelerator="cpu", **values))
    through = {file for call in calls for file in call if file.split("/")[0] in ("training", "store")}
    assert 3 < len(through) <= 10, sorted(through)
    for caller, called in calls:
        rooms = [file.split("/")[0] for file in (caller, called)]
        if set(rooms) <= set(ROOMS):
            assert ROOMS.index(rooms[0]) <= ROOMS.index(rooms[1]), f"{caller} calls {called}"


def test_nobody_asks_options_what_kind_they_are() -> None:
    kinds = {"RunOptions", "FlatOptions", *(cls.__name__ for cls in GROUPS.values())}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("isinstance", "issubclass"):
                asked = {getattr(one, "id", "") for one in ast.walk(node.args[1])}
                told = ast.unparse(node)
                if path.name == "run.py" and "isinstance(what, str)" in told:
                    continue
                assert not asked & kinds, f"{path}: {told}"


def test_no_word_names_a_way_of_training() -> None:
    for path in SOURCE.rglob("*.py"):
        names = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        assert not names & {"learns_by", "pretrained_only", "truths"}, path
