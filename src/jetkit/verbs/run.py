"""A trained model as Python meets it: its folder, its numbers, its pictures."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jetkit.evaluation.classification import CLASSIFICATION
from jetkit.evaluation.number import Number
from jetkit.evaluation.result import Predicted, Result
from jetkit.evaluation.summary import Evaluation
from jetkit.notebook import html_table
from jetkit.reporting.tagger_picture_set import picture_set
from jetkit.reporting.tagger_result import TaggerResult, Training
from jetkit.reporting.training_pictures import training_curves
from jetkit.store.model_file import ModelCard, load_model, model_path, read_card
from jetkit.store.options import RunOptions
from jetkit.store.run_folder import read_log, run_folders, run_options

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class Run:
    """A training, or several that differ by their seed, in a folder. It stands wherever the path of a run does.

    Attributes:
        path: the folder; with several seeds it holds a folder a seed.
    """

    path: Path

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    @cached_property
    def seeds(self) -> list[Run]:
        """The single trainings."""
        return [Run(folder) for folder in run_folders(self.path)]

    @property
    def options(self) -> RunOptions:
        """The options of the first training."""
        return run_options(self.seeds[0].path)

    @property
    def log(self) -> list[dict[str, Any]]:
        """The log of the first training: a mapping an epoch."""
        return read_log(self.seeds[0].path)

    @property
    def card(self) -> ModelCard:
        """The header of the first model file."""
        return read_card(model_path(self.seeds[0].path))

    @property
    def numbers(self) -> dict[str, Number]:
        """The numbers on the test rows, where the run was evaluated."""
        return {name: Number.from_dict(one) for name, one in self.card.metrics.items() if isinstance(one, dict)}

    @property
    def model(self) -> Any:
        """The trained task of the first seed, ready to predict batches."""
        return load_model(model_path(self.seeds[0].path))

    @property
    def figures(self) -> dict[str, Figure]:
        """Losses and accuracies against the epoch, a line a training."""
        return {"training": training_curves([(self.path.name, [read_log(one.path) for one in self.seeds])])}

    def __repr__(self) -> str:
        last = self.log[-1]
        shown = {name: f"{value:.4g}" for name, value in last.get("validation", {}).items()}
        numbers = ", ".join(f"{name} {value}" for name, value in list(shown.items())[:3])
        seeds = f", {len(self.seeds)} seeds" if len(self.seeds) > 1 else ""
        return f"Run({self.path}: {self.card.model}{seeds}, {last['epoch']} epochs, validation {numbers})"

    def _repr_html_(self) -> str:
        measured = [(name, str(number)) for name, number in self.numbers.items()]
        watched = [(name, f"{value:.4g}") for name, value in self.log[-1].get("validation", {}).items()]
        return html_table(repr(self), ("quantity", "value"), measured or watched)


@dataclass(frozen=True, eq=False, repr=False)
class RunResult:
    """The result of a run on data that its model has not seen.

    Attributes:
        run: run folder, or model file.
        out: folder where result and predictions are.
        options: of the training; None for a model file alone.
    """

    run: Path
    out: Path
    options: RunOptions | None
    predicted: Predicted
    result: Result

    @property
    def numbers(self) -> Mapping[str, Number]:
        """The numbers with their errors."""
        return self.result.numbers

    @property
    def evaluation(self) -> Evaluation:
        """The full record of a classification."""
        return Evaluation.from_dict(self.result.details)

    @property
    def training(self) -> Training:
        """The training with its scores, as pages of taggers compare it."""
        log = [] if self.options is None else read_log(self.run)
        return Training(
            seed=self.options.seed if self.options else 0,
            folder=str(self.run),
            log=log,
            evaluation=self.evaluation,
            logits=self.predicted.logits,
            label=self.predicted.label,
            jets=self.predicted.columns,
            model_sha256=self.predicted.card["weights_sha256"],
            seconds=log[-1]["seconds"] if log else 0.0,
            score_seconds=self.predicted.card.get("seconds"),
            weight=self.predicted.weight_or_none,
        )

    @property
    def figures(self) -> dict[str, Figure]:
        """The pictures of a classification by name, as its page has them; other results have none.

        Raises:
            JetkitError: matplotlib or mplhep is absent.
        """
        if self.result.kind != CLASSIFICATION:
            return {}
        card = read_card(model_path(self.run))
        tagger = TaggerResult(self.run.stem, card.model, "", 0, (self.training,), {}, "", card.data)
        return {picture.name: picture.figure for picture in picture_set([tagger])}

    def __repr__(self) -> str:
        shown = ", ".join(f"{name} {number}" for name, number in list(self.numbers.items())[:3])
        return f"RunResult({self.run}: {len(self.predicted):,} rows; {shown})"

    def _repr_html_(self) -> str:
        rows = [(name, str(number)) for name, number in self.numbers.items()]
        return html_table(f"{self.run}: {len(self.predicted):,} rows", ("quantity", "value"), rows)


@dataclass(frozen=True, repr=False)
class Page:
    """A page that was written, with its pictures beside it.

    Attributes:
        path: of ``index.html``, which needs no other file.
    """

    path: Path

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    @property
    def pictures(self) -> dict[str, Path]:
        """The pictures of the page as files, by name."""
        return {path.stem: path for path in sorted(self.path.parent.glob("*.png"))}

    def __repr__(self) -> str:
        return f"Page({self.path}: {', '.join(self.pictures) or 'no pictures'})"

    def _repr_html_(self) -> str:
        source = html.escape(self.path.read_text(encoding="utf-8"), quote=True)
        return f'<iframe srcdoc="{source}" width="100%" height="700"></iframe>'
