"""A dataset on one page: its card, its classes in numbers and pictures, its files, and how to make it again."""

from __future__ import annotations

import shlex
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from jetkit.config import load, names
from jetkit.data.atomic import write_bytes
from jetkit.data.card import Card
from jetkit.reporting.class_table import Table, class_table
from jetkit.reporting.figure import image
from jetkit.reporting.jet_sample import PER_CLASS, WEIGHT, JetSample
from jetkit.reporting.page import render
from jetkit.reporting.picture_set import captions

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Contents:
    """What a page tells of the rows of a dataset: a table with a note on it, title and caption of each picture."""

    title: str
    table: Table
    note: str
    captions: Mapping[str, tuple[str, str]]


def write_page(card: Card, contents: Contents, figures: Mapping[str, Figure], out: Path, folder: str) -> list[Path]:
    """Write each figure as a PNG and, last, ``index.html``, which holds them all and needs no other file or network.

    `out` is the folder to write, `folder` where the dataset lies. Returns the files written.

    Raises:
        JetkitError: jinja2 is absent, or the folder cannot be written.
    """
    pngs = {name: image(figure) for name, figure in figures.items()}
    written = {out / f"{name}.png": png for name, png in pngs.items()}
    written[out / "index.html"] = page(card, contents, pngs, folder).encode()
    for path, content in written.items():
        write_bytes(path, content)
    return list(written)


def of_classes(card: Card, jets: JetSample) -> Contents:
    """The classes of a dataset of jets, in numbers and pictures."""
    note = f"Mean ± statistical error of the mean, from at most {PER_CLASS:,} jets per class, evenly over the files."
    if len(jets.classes) < len(card.classes):
        note += f" The {len(jets.classes)} largest of {len(card.classes)} classes."
    if jets.weight is not None:
        note += f" The means are weighted with {WEIGHT}."
    return Contents("Classes", class_table(jets), note, captions(jets))


def page(card: Card, contents: Contents, pngs: Mapping[str, bytes], folder: str) -> str:
    """The page as HTML; `pngs` holds a PNG file for names of the contents' captions.

    Raises:
        JetkitError: jinja2 is absent.
    """
    description = str(_made_from(card).get("description", ""))
    notes = [note for note in card.notes if note != description]
    return render(
        "dataset.html.j2",
        card=card,
        description=description,
        contents=contents,
        pictures=[
            {
                "name": name,
                "title": contents.captions[name][0],
                "caption": contents.captions[name][1],
                "base64": b64encode(png).decode(),
            }
            for name, png in pngs.items()
        ],
        facts=facts(card),
        lists={"Cuts": card.cuts, "Notes": notes, "Known differences": card.differences, "Cite": card.citation},
        recipe_text=yaml.safe_dump(card.recipe, sort_keys=False, allow_unicode=True) if card.recipe else "",
        megabytes=sum(shard.bytes for shard in card.shards) / 1e6,
        command=command(card),
        folder=folder,
    )


def facts(card: Card) -> list[tuple[str, str]]:
    """Short entries of a card: what, text."""
    made = _made_from(card)
    entries = [
        ("recipe", str(made.get("name", ""))),
        ("detector", str(made.get("detector") or "none, particle level") if made else ""),
        *((str(name), str(version)) for name, version in card.generator.items()),
        ("seed", str(card.seed) if made else ""),
        *((reason, f"{count:,}") for reason, count in card.skipped.items()),
    ]
    return [(name, text) for name, text in entries if text]


def command(card: Card) -> str:
    """The command that makes the dataset again, or nothing where jetkit did not make it."""
    made, options = _made_from(card), card.recipe.get("options")
    if "name" not in made or not isinstance(options, dict):
        return ""
    words = [f"{name}={value}" for name, value in options.items() if value != "none"]
    packaged = made["name"] in names("datasets") and load("datasets", made["name"]).get("detector", "")
    if packaged != made.get("detector", ""):
        words.append(f"detector={made.get('detector') or 'none'}")
    return " ".join(["jetkit simulate", shlex.quote(str(made["name"])), *(shlex.quote(word) for word in words)])


def _made_from(card: Card) -> dict[str, Any]:
    """The dataset's recipe as its card tells it; empty where the card tells none."""
    made = card.recipe.get("dataset")
    return made if isinstance(made, dict) else {}
