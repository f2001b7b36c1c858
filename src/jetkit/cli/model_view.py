"""The header of a model file, as text."""

from __future__ import annotations

from typing import Any

from rich.console import Console


def show_model(path: str) -> None:
    """Print what a model file says of itself.

    Raises:
        JetkitError: it is no model file, or a damaged one.
    """
    from jetkit.registry import entry
    from jetkit.train.model_file import read_model

    model, card = read_model(path)
    console = Console(highlight=False, markup=False)
    console.print(f"{card.model}: {model.size:,} parameters, {len(card.classes)} classes")
    console.print(f"  paper: {entry(card.model, card.kind).paper}")
    sections: dict[str, dict[Any, Any]] = {
        "hyperparameters": card.hyperparameters,
        "preprocessing": card.preprocessing,
        "data": card.data,
        "metrics": {name: _number(value) for name, value in card.metrics.items()},
        "training": card.training,
        "parents": dict(enumerate(card.parents, start=1)),
    }
    console.print(f"  classes: {', '.join(card.classes)}")
    units = card.spec.get("units", {})
    console.print("  features:")
    for name in card.spec["features"]:
        console.print(f"    {name}: {units.get(name, '')}")
    for title, content in sections.items():
        if content:
            console.print(f"  {title}:")
        for name, value in content.items():
            console.print(f"    {name}: {_text(value)}", soft_wrap=True)
    console.print(f"  written by jetkit {card.jetkit}, format {card.version}")


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={_text(part)}" for name, part in value.items())
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def _number(value: Any) -> Any:
    from jetkit.evaluate.number import Number

    return str(Number.from_dict(value)) if isinstance(value, dict) and "error" in value else value
