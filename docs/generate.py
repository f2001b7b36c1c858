"""Write ``docs/reference.md``, the models, tasks, options, features and recipes of the package.

``python docs/generate.py``
"""

from __future__ import annotations

import runpy
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

import jetkit.models
import jetkit.simulation.foreign_events
import jetkit.tasks.registered  # noqa: F401 - registers models, readers and tasks
from jetkit.config import Option, describe, load, names
from jetkit.data.features import FEATURE_SETS, feature_names
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.model import MODELS, Encoder
from jetkit.registry import Entry, create, entries, schema
from jetkit.tasks.classify import Classify
from jetkit.tasks.task import TASK
from jetkit.testing import SYMMETRIES

PAGE = Path(__file__).with_name("reference.md")
SPEC = Spec.of(feature_names("full"), classes=("QCD", "top"))
OF_THE_MACHINE = ("Generate", "Leaderboard", "Transfer")
"""Verbs that compute on all cores unless told otherwise."""
RECIPES = {
    "datasets": "Datasets to simulate: `jetkit simulate NAME`",
    "runs": "Trainings: `jetkit train NAME`",
    "pretraining": "Pretrainings: `jetkit pretrain NAME`",
    "cards": "Published numbers: `jetkit reproduce NAME`",
    "detectors": "Detectors: `detector=NAME`",
    "variations": "Variations: `variation=NAME`",
}


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def parameters(one: Entry) -> str:
    """Return the number of parameters with all 17 features and two classes."""
    if one.kind == "ensemble":
        return "those of its members"
    if one.kind == "estimator":
        return "fitted without gradients"
    if not issubclass(one.cls, Encoder) or one.cls.needs.row:
        return "by the columns of the table"
    try:
        torch.manual_seed(0)
        return f"{Classify(create(one.name, SPEC, {}, MODELS), SPEC).size:,}"
    except JetkitError:
        return "by the data"


def models() -> str:
    """Return the table of models."""
    rows = [
        (f"`{one.name}`", one.summary, parameters(one), ", ".join(one.symmetries) or "–", one.paper or "–")
        for one in entries(MODELS)
    ]
    note = "Parameters of the default sizes, with the 17 features of `full` and two classes, the head included."
    return f"{note}\n\n{table(('model', 'summary', 'parameters', 'invariant under', 'paper'), rows)}"


def hyperparameters() -> str:
    """Return a table of hyperparameters for each model."""
    parts = []
    for one in entries(MODELS):
        options = describe(schema(one.cls))
        if options:
            rows = [(f"`model.{each.name}`", each.type, each.default or "required", each.help) for each in options]
            parts.append(f"### `{one.name}`\n\n{table(('hyperparameter', 'type', 'default', 'meaning'), rows)}")
    return "\n\n".join(parts)


def tasks() -> str:
    """Return the table of tasks and, for each, that of its options."""
    parts = [
        table(("task", "summary", "paper"), [(f"`{one.name}`", one.summary, one.paper or "–") for one in entries(TASK)])
    ]
    for one in entries(TASK):
        options = describe(schema(one.cls))
        if options:
            rows = [(f"`task.{each.name}`", each.type, each.default or "required", each.help) for each in options]
            parts.append(f"### `task={one.name}`\n\n{table(('option', 'type', 'default', 'meaning'), rows)}")
    return "\n\n".join(parts)


def options() -> str:
    """Return a table of options for each verb that has typed ones."""
    keywords = runpy.run_path(str(PAGE.parents[1] / "tests" / "keywords.py"))
    parts = []
    for name, cls in keywords["OPTIONS"].items():
        rows = [(f"`{one.name}`", one.type, _default(name, one), one.help) for one in describe(cls)]
        parts.append(f"### `jetkit {name.lower()}`\n\n{table(('option', 'type', 'default', 'meaning'), rows)}")
    return "\n\n".join(parts)


def _default(verb: str, one: Option) -> str:
    """Return the default of an option; those that depend on the machine in words."""
    if one.name == "workers" or (one.name == "threads" and verb in OF_THE_MACHINE):
        return "one a core"
    return one.default or "required"


def features() -> str:
    """Return the feature sets with the formula of each feature."""
    every = {feature.name: feature for chosen in FEATURE_SETS.values() for feature in chosen}
    rows = [
        (f"`{name}`", one.unit, ", ".join(f"`{known}`" for known, chosen in FEATURE_SETS.items() if one in chosen))
        for name, one in every.items()
    ]
    return table(("feature", "formula", "in the sets"), rows)


def recipes() -> str:
    """Return the packaged recipes of each kind with their descriptions."""
    parts = []
    for kind, title in RECIPES.items():
        rows = [(f"`{name}`", str(load(kind, name).get("description", ""))) for name in names(kind)]
        parts.append(f"### {title}\n\n{table(('name', 'description'), rows)}")
    return "\n\n".join(parts)


def formats() -> str:
    """Return the table of formats that jetkit reads."""
    rows = [(f"`{one.name}`", one.summary, one.paper or "–") for one in entries("reader")]
    return table(("format", "summary", "source"), rows)


def text() -> str:
    """Return the whole page."""
    sections = {
        "Models": models(),
        "Tasks": tasks(),
        "Options": options(),
        "Features": features(),
        "Formats": formats(),
        "Recipes": recipes(),
        "Hyperparameters": hyperparameters(),
    }
    known = ", ".join(f"`{name}`" for name in SYMMETRIES)
    head = "# Reference\n\nWritten by `python docs/generate.py` from the package; do not edit it by hand.\n"
    body = "".join(f"\n## {title}\n\n{content}\n" for title, content in sections.items())
    return f"{head}{body}\nSymmetries that tests check in double precision: {known}.\n"


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
