"""``jetkit list``: the names that other verbs and options take."""

from __future__ import annotations

from rich.console import Console

from jetkit.cli.console import recipes_table, two_columns
from jetkit.cli.grammar import Words, verb
from jetkit.errors import JetkitError

TWINS = {
    "none": "each event once",
    "reshower": "same hard process, another parton shower and all that follows",
    "rehadronise": "same parton shower, another hadronisation and detector response",
    "redetect": "same particles, another detector response",
}


@verb("list")
def list_(words: Words = None) -> None:
    """List recipes, formats, detectors, variations, twins, feature sets, models, tasks; yours too with plugins=FILE."""
    if words:
        raise JetkitError(f"jetkit list takes no {words[0]}: give plugins=FILE, or nothing")
    import jetkit.models
    import jetkit.simulation.foreign_events
    import jetkit.tasks.registered  # noqa: F401 - registers the tasks
    from jetkit.data.features import FEATURE_SETS
    from jetkit.models.model import MODELS
    from jetkit.registry import entries, load_announced
    from jetkit.tasks.task import TASK

    load_announced()
    console = Console()
    console.print(two_columns("models", ((entry.name, entry.paper) for entry in entries(MODELS))))
    supervised = [entry for entry in entries(TASK) if entry.cls.result != "pretraining"]
    methods = [entry for entry in entries(TASK) if entry.cls.result == "pretraining"]
    console.print(two_columns("tasks", ((entry.name, entry.summary) for entry in supervised)))
    console.print(two_columns("pretraining methods", ((entry.name, entry.paper) for entry in methods)))
    console.print(two_columns("formats", ((entry.name, entry.summary) for entry in entries("reader"))))
    for kind in ("datasets", "runs", "pretraining", "cards", "detectors", "variations"):
        console.print(recipes_table(kind))
    console.print(two_columns("twins", TWINS.items()))
    sets = {name: ", ".join(feature.name for feature in features) for name, features in FEATURE_SETS.items()}
    console.print(two_columns("feature sets", sets.items()))
