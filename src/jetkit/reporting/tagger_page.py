"""Taggers compared on one page: numbers with errors, paired tests, pictures, and how to make it all again."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from jetkit.data.atomic import write_bytes
from jetkit.reporting.figure import image
from jetkit.reporting.page import Picture, render
from jetkit.reporting.paired_verdicts import neighbours
from jetkit.reporting.published import benchmark, published_numbers
from jetkit.reporting.tagger_picture_set import picture_set
from jetkit.reporting.tagger_result import TaggerResult, ranked
from jetkit.reporting.tagger_tables import (
    all_rejections,
    amount,
    calibration_table,
    confusion_table,
    ranking_table,
    rejection_table,
    training_table,
)

METHODS = (
    "Error of an AUC and test of two: DeLong, DeLong, Clarke-Pearson, Comparing the Areas under Two or More "
    "Correlated ROC Curves, 1988, doi:10.2307/2531595",
    "Test of two accuracies: McNemar, Note on the Sampling Error of the Difference between Correlated Proportions or "
    "Percentages, 1947, doi:10.1007/BF02295996",
    "Error of a rejection: Efron, Bootstrap Methods: Another Look at the Jackknife, 1979, doi:10.1214/aos/1176344552",
    "Calibration and temperature: On Calibration of Modern Neural Networks, 2017, arXiv:1706.04599",
)
SECTIONS = {
    "roc": ("ROC curves", "So few background jets pass that there is no curve to draw: use more test jets."),
    "scores": ("Scores", ""),
    "confusion": ("Confusion", ""),
    "calibration": ("Calibration", ""),
    "jets": ("A working point against the jet", "The test jets carry no kinematic columns."),
    "training": ("Training", "No training left a log of its epochs."),
}
"""Section of pictures → its title, and what stands there where there is no picture."""


@dataclass(frozen=True)
class Section:
    """Pictures under one heading, each with its PNG in base64.

    Attributes:
        missing: what stands there where there is no picture.
        layout: class of the style sheet: half, beside, even or nothing.
    """

    heading: str
    missing: str
    layout: str
    pictures: list[tuple[Picture, str]]


@dataclass(frozen=True)
class Origin:
    """How a tagger came about: facts in short lines, its recipe as YAML, the command that makes it again."""

    name: str
    facts: tuple[tuple[str, str], ...]
    recipe: str
    command: str


def write_page(results: Sequence[TaggerResult], out: Path) -> Path:
    """Write each figure as a PNG and, last, ``index.html``, which holds them all and needs no other file or network.

    Returns the path of the page.

    Raises:
        JetkitError: there is no tagger, one has no training, they do not have the same classes, jinja2, matplotlib or
            mplhep is absent, or the folder cannot be written.
    """
    ranking = ranked(results)
    pictures = picture_set(ranking)
    pngs = {picture.name: image(picture.figure) for picture in pictures}
    for name, png in pngs.items():
        write_bytes(out / f"{name}.png", png)
    write_bytes(out / "index.html", page(ranking, pictures, pngs).encode())
    return out / "index.html"


def page(results: Sequence[TaggerResult], pictures: Sequence[Picture], pngs: Mapping[str, bytes]) -> str:
    """The page of ranked taggers as HTML; `pngs` holds the PNG file of each picture.

    Raises:
        JetkitError: jinja2 is absent.
    """
    datasets = list(dict.fromkeys(str(result.dataset.get("name", "jets")) for result in results))
    subject = results[0].name if len(results) == 1 else f"{len(results)} taggers"
    return render(
        "taggers.html.j2",
        title=f"{subject} on {', '.join(datasets)}",
        summary=summary(results),
        best=results[0],
        count=len(results),
        several=any(len(result.trainings) > 1 for result in results),
        weighted=any(training.evaluation.weighted for result in results for training in result.trainings),
        ranking=ranking_table(results),
        rejections=rejection_table(results),
        every_rejection=all_rejections(results),
        benchmarks=[found for name in datasets if (found := benchmark(name))],
        pairs=neighbours(results),
        sections=sections(pictures, pngs),
        confusion=confusion_table(results[0]),
        calibration=calibration_table(results),
        training=training_table(results),
        origins=[origin(result) for result in results],
        citations=citations(results),
    )


def sections(pictures: Sequence[Picture], pngs: Mapping[str, bytes]) -> dict[str, Section]:
    """The sections of pictures: two single pictures share the width of a desk, a table stands beside its picture."""
    of = {key: [picture for picture in pictures if picture.section == key] for key in SECTIONS}
    layout = {"roc": "half", "scores": "half", "confusion": "half", "calibration": "half", "training": "beside"}
    if len(of["roc"]) != 1:
        layout |= {"roc": "even", "calibration": "beside"}
    return {
        key: Section(
            heading, missing, layout.get(key, ""), [(one, b64encode(pngs[one.name]).decode()) for one in of[key]]
        )
        for key, (heading, missing) in SECTIONS.items()
    }


def summary(results: Sequence[TaggerResult]) -> str:
    """One sentence: how many jets of which classes the best tagger was tested on.

    The other taggers may have seen other jets; the paired tests say so.
    """
    evaluation = results[0].typical.evaluation
    counts = [f"{count:,} {name}" for name, count in zip(evaluation.classes, evaluation.jets, strict=True)]
    listed = f"{', '.join(counts[:-1])} and {counts[-1]}"
    return f"Tested on {sum(evaluation.jets):,} jets: {listed}."


def origin(result: TaggerResult) -> Origin:
    """Paper, size, hashes, recipe and command of a tagger."""
    data = result.dataset
    split = ", ".join(f"{amount(int(count))} {part}" for part, count in data.get("jets", {}).items())
    models = [
        (f"model, seed {training.seed}", f"{training.model_sha256} in {training.folder}")
        for training in result.trainings
    ]
    facts = (
        ("tagger", result.model),
        ("paper", result.paper),
        ("parameters", f"{result.parameters:,}"),
        ("data", " · ".join(text for text in (str(data.get("name", "")), split) if text)),
        ("made by", str(data.get("command") or data.get("path") or "")),
        ("data SHA-256", str(data.get("sha256", ""))),
        *models,
    )
    options = json.loads(json.dumps(dict(result.options), default=str))
    recipe = yaml.safe_dump(options, sort_keys=False, allow_unicode=True) if options else ""
    return Origin(result.name, tuple((name, text) for name, text in facts if text), recipe, result.command)


def citations(results: Sequence[TaggerResult]) -> list[str]:
    """What to cite: the taggers, the data, the published numbers and the methods, each once."""
    lines = [result.paper for result in results]
    for result in results:
        lines += [str(line) for line in result.dataset.get("citation", ())]
        lines += [entry.source for entry in published_numbers(str(result.dataset.get("name", "")), result.model)]
    return [line for line in dict.fromkeys([*lines, *METHODS]) if line]
