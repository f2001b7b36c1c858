"""Write ``src/jetkit/keywords.py``, the typed keyword arguments of ``jetkit.api``: ``python tests/keywords.py``."""

from __future__ import annotations

import types
import typing
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_origin

from jetkit.data.convert import ConvertOptions
from jetkit.simulation.options import Options
from jetkit.store.options import FlatOptions
from jetkit.studies.ensemble import EnsembleOptions
from jetkit.studies.leaderboard import LeaderboardOptions
from jetkit.studies.reproduce import ReproduceOptions
from jetkit.studies.scaling import ScalingOptions
from jetkit.studies.transfer import TransferOptions
from jetkit.verbs.embedding import EmbedOptions
from jetkit.verbs.evaluation import EvaluateOptions
from jetkit.verbs.examination import ExamineOptions
from jetkit.verbs.generation import GenerateOptions
from jetkit.verbs.prediction import PredictOptions
from jetkit.verbs.report import ReportOptions

FILE = Path(__file__).parents[1] / "src" / "jetkit" / "keywords.py"
OPTIONS = {
    "Simulate": Options, "Convert": ConvertOptions, "Train": FlatOptions, "Evaluate": EvaluateOptions,
    "Predict": PredictOptions, "Report": ReportOptions, "Leaderboard": LeaderboardOptions, "Scaling": ScalingOptions,
    "Transfer": TransferOptions, "Reproduce": ReproduceOptions, "Ensemble": EnsembleOptions,
    "Examine": ExamineOptions, "Embed": EmbedOptions, "Generate": GenerateOptions,
}  # fmt: skip
PATHS = ("data", "out", "tokeniser", "start")
"""Options that name a file or folder."""
HEAD = '''"""Typed keyword arguments of `jetkit.api`, for editors and type checkers, by ``python tests/keywords.py``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict
'''


def type_text(kind: Any) -> str:
    """Return a type as an annotation: a tuple is any sequence, and what is checked later is anything."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is typing.Annotated:
        return type_text(arguments[0])
    if origin is typing.Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]".replace("'", '"')
    if origin in (typing.Union, types.UnionType):
        return " | ".join(dict.fromkeys(type_text(one) for one in arguments))
    if origin is tuple:
        kinds = dict.fromkeys(type_text(one) for one in arguments if one is not Ellipsis)
        return f"Sequence[{' | '.join(kinds)}]"
    if origin is dict:
        return "Mapping[str, Any]"
    names = {int: "int", float: "float", bool: "bool", str: "str", type(None): "None"}
    return names.get(kind, "Any")


def text() -> str:
    """Return the whole file."""
    parts = [HEAD]
    for name, cls in OPTIONS.items():
        hints = typing.get_type_hints(cls, include_extras=True)
        own = [field.name for field in fields(cls) if (name, field.name) != ("Train", "model")]
        words = [f"    {one}: {'str | os.PathLike[str]' if one in PATHS else type_text(hints[one])}" for one in own]
        parts.append(f'\n\nclass {name}(TypedDict, total=False):\n    """Options of `jetkit.{name.lower()}`."""\n\n')
        parts.append("\n".join(words) + "\n")
    return "".join(parts)


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
