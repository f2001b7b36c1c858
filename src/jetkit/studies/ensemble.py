"""An ensemble made of trained runs, as a run of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from jetkit.data.features import FEATURE_SETS
from jetkit.errors import JetkitError
from jetkit.evaluation.result import Predicted
from jetkit.models.ensemble import Stack
from jetkit.models.model import MODELS
from jetkit.models.stacking import fit_stack
from jetkit.progress import Report, silent
from jetkit.registry import create, hyperparameters
from jetkit.store.model_file import MODEL, ModelCard, read_card, read_model, save_model
from jetkit.store.options import RunOptions, flat, option
from jetkit.store.predictions import save_predictions
from jetkit.store.run_folder import read_log, run_folders, run_options, write_log
from jetkit.store.tensor_file import weights_hash
from jetkit.tasks.classify import Classify
from jetkit.training.data_parts import split_data
from jetkit.training.run import write_run
from jetkit.verbs.evaluation import PREDICTIONS, EvaluateOptions, predict_run
from jetkit.verbs.results import word

SAME = ("data", "fractions", "labels")
"""Options in which all trainings of an ensemble agree."""


@dataclass(frozen=True)
class EnsembleOptions:
    """How taggers are combined."""

    method: Annotated[
        Literal["mean", "median", "stack"],
        option("of the probabilities; stack: a perceptron trained on the validation jets"),
    ] = "mean"
    f: Annotated[tuple[int, ...], option("widths of the stack's perceptron; []: a linear stack")] = (32, 32)
    out: Annotated[str, option("run folder to write; default: runs/METHOD")] = ""
    batch: Annotated[int, option("jets scored at once", ge=1)] = 128
    seed: Annotated[int, option("of the stack", ge=0)] = 1


def ensemble(
    runs: Sequence[str | Path],
    options: EnsembleOptions | None = None,
    report: Report = silent,
) -> Path:
    """Combine trained runs into one model file in a run folder of its own; returns the folder.

    The test jets are scored by combining the scores of the members, which are those of the model file.

    Raises:
        JetkitError: fewer than two runs, or they were trained on other jets, so that one's test jets are another's
            training jets; or a run cannot be evaluated.
    """
    options = options or EnsembleOptions()
    folders = [folder for run in runs for folder in run_folders(run)]
    trained = [run_options(folder) for folder in folders]
    _refuse_strangers(folders, trained)
    out = Path(options.out or f"runs/{options.method}")
    members = [read_model(folder / MODEL) for folder in folders]
    values: dict[str, Any] = {"members": [_member(card) for _, card in members]}
    values |= {"f": options.f} if options.method == "stack" else {"combine": options.method}
    name = "stack" if options.method == "stack" else "ensemble"
    preprocessing = _preprocessing([card for _, card in members])
    spec = split_data(trained[0]).train.spec(preprocessing["features"])
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        model = create(name, spec, values, MODELS)
    for own, (member, _) in zip(model.members.taggers, members, strict=True):
        own.model.load_state_dict(member.model.state_dict())
        own.head.load_state_dict(member.head.state_dict())
    numbers = _fit(model, folders, options, report) if isinstance(model, Stack) else {}
    card = ModelCard(
        model=name,
        spec=spec.to_dict(),
        hyperparameters=hyperparameters(name, values, MODELS),
        kind="ensemble",
        task="classify",
        preprocessing=preprocessing,
        training={"command": _command(runs, options, out)},
        data=members[0][1].data,
        parents=[weights_hash(folder / MODEL) for folder in folders],
    )
    save_model(out / MODEL, Classify(model.eval(), spec), card)
    own_options = trained[0].changed(
        model=name, hyperparameters=values, out=str(out), seed=options.seed, **preprocessing
    )
    write_run(own_options, card, "")
    write_log(out, [_line(folders, numbers)])
    _score(model, out, folders, options, report)
    return out


def _refuse_strangers(folders: Sequence[Path], trained: Sequence[RunOptions]) -> None:
    if len(folders) < 2:
        raise JetkitError("an ensemble needs two trained runs or more: jetkit ensemble RUN RUN …")
    for folder, options in zip(folders, trained, strict=True):
        for name in SAME:
            mine, first = flat(options)[name], flat(trained[0])[name]
            if mine != first:
                raise JetkitError(
                    f"{folder} was trained with {name}={mine}, {folders[0]} with {first}: "
                    "combine trainings on the same jets, lest one's test jets be another's training jets"
                )


def _member(card: ModelCard) -> dict[str, Any]:
    return {
        "model": card.model,
        "features": list(card.spec_of.features),
        "length": card.preprocessing["length"],
        "hyperparameters": card.hyperparameters,
    }


def _preprocessing(cards: Sequence[ModelCard]) -> dict[str, Any]:
    """The features and the length that serve all members, and the weight of the jets that they share."""
    wanted = {name for card in cards for name in card.spec_of.features}
    fitting = [name for name, known in FEATURE_SETS.items() if wanted <= {feature.name for feature in known}]
    if not fitting:
        raise JetkitError(f"no feature set has all of {', '.join(sorted(wanted))}: combine taggers on a set of jetkit")
    weights = {str(card.preprocessing.get("weight", "none")): card.preprocessing.get("weight") for card in cards}
    if len(weights) > 1:
        raise JetkitError(f"the members were trained with weight={' and weight='.join(weights)}: combine alike ones")
    weight = next(iter(weights.values()))
    found = {"features": fitting[0], "length": max(card.preprocessing["length"] for card in cards)}
    return found | ({"weight": weight} if weight else {})


def _fit(model: Stack, folders: Sequence[Path], options: EnsembleOptions, report: Report) -> dict[str, float]:
    members, logits = _of_members(folders, EvaluateOptions(part="val", batch=options.batch), report)
    weight = torch.from_numpy(members[0].weight) if members[0].weighted else None
    return fit_stack(model, logits, torch.from_numpy(members[0].label), options.seed, weight)


def _of_members(folders: Sequence[Path], options: EvaluateOptions, report: Report) -> tuple[list[Predicted], Tensor]:
    """Return the predictions of each member, and their logits (B, M, C)."""
    found = [predict_run(folder, options, report) for folder in folders]
    if any(not np.array_equal(one.row, found[0].row) for one in found):
        raise JetkitError("the members could not score the same jets: train them with the same length")
    return found, torch.from_numpy(np.stack([one.logits for one in found], 1))


@torch.no_grad()
def _score(model: Any, out: Path, folders: Sequence[Path], options: EnsembleOptions, report: Report) -> None:
    """Write the predictions for the test jets, from those of the members."""
    members, logits = _of_members(folders, EvaluateOptions(batch=options.batch), report)
    card = {
        **members[0].card,
        "model": read_card(out / MODEL).model,
        "weights_sha256": weights_hash(out / MODEL),
        "seconds": sum(one.card["seconds"] for one in members),
    }
    values = {"logits": model.combined(logits).numpy()}
    save_predictions(out / PREDICTIONS, replace(members[0], values=values, card=card))


def _line(folders: Sequence[Path], numbers: dict[str, float]) -> dict[str, Any]:
    """The log of an ensemble has one line: the time that all its members took."""
    seconds = sum(read_log(folder)[-1]["seconds"] for folder in folders)
    return {"epoch": 1, "step": 1, "lr": 0.0, "seconds": seconds, "train": {}, "validation": numbers}


def _command(runs: Sequence[str | Path], options: EnsembleOptions, out: Path) -> str:
    widths = f" f={word(options.f)} seed={options.seed}" if options.method == "stack" else ""
    return f"jetkit ensemble {' '.join(map(str, runs))} method={options.method}{widths} out={out}"
