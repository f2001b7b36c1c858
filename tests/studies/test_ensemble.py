"""Trained runs combined, by the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jetkit.errors import JetkitError
from jetkit.store.model_file import read_model
from jetkit.store.predictions import load_predictions
from jetkit.store.run_folder import run_options
from jetkit.store.tensor_file import weights_hash
from jetkit.studies.ensemble import EnsembleOptions, ensemble
from jetkit.training.data_parts import split_data
from jetkit.verbs.evaluation import evaluate_run

Verb = Callable[..., str]


@pytest.mark.parametrize("method", ["mean", "median", "stack"])
def test_scores_from_the_members_are_those_of_the_model_file(
    runs: Path, tmp_path: Path, jetkit: Verb, method: str
) -> None:
    out = tmp_path / "together"
    jetkit("ensemble", *(str(runs / name) for name in ("pfn", "efn", "bdt")), f"method={method}", f"out={out}")
    stored = load_predictions(out / "predictions.safetensors")
    (out / "predictions.safetensors").unlink()
    alone = evaluate_run(out).predicted
    assert np.array_equal(alone.row, stored.row)
    np.testing.assert_allclose(alone.logits, stored.logits, rtol=0, atol=1e-5)
    assert evaluate_run(out).evaluation.auc.value > 0.5


def test_an_ensemble_says_what_it_was_made_of(runs: Path, tmp_path: Path, jetkit: Verb) -> None:
    out = tmp_path / "together"
    jetkit("ensemble", str(runs / "pfn"), str(runs / "efn"), f"out={out}")
    model, card = read_model(out / "model.safetensors")
    folders = [runs / "pfn", runs / "efn" / "seed-1", runs / "efn" / "seed-2"]
    assert card.parents == [weights_hash(folder / "model.safetensors") for folder in folders]
    assert [member["model"] for member in card.hyperparameters["members"]] == ["pfn", "efn", "efn"]
    assert model.size == sum(read_model(folder / "model.safetensors")[0].size for folder in folders)
    printed = jetkit("report", str(out), str(runs / "pfn"), f"out={tmp_path}/page", "replicas=20")
    page = (tmp_path / "page" / "index.html").read_text()
    assert "open" in printed
    assert f"jetkit ensemble {runs}/pfn {runs}/efn method=mean out={out}" in page


def test_a_stack_sees_jets_that_its_members_were_not_trained_on(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    from jetkit.studies import ensemble as room

    fit = room.fit_stack
    monkeypatch.setattr(
        room, "fit_stack", lambda stack, logits, *rest: seen.append(len(logits)) or fit(stack, logits, *rest)
    )
    ensemble([runs / "pfn", runs / "bdt"], EnsembleOptions(method="stack", out=str(tmp_path / "stack")))
    assert seen == [len(split_data(run_options(runs / "pfn")).validation)]


def test_making_it_again_gives_the_same_weights(runs: Path, tmp_path: Path) -> None:
    made = [
        ensemble([runs / "pfn", runs / "bdt"], EnsembleOptions(method="stack", out=str(tmp_path / name)))
        for name in ("a", "b")
    ]
    assert weights_hash(made[0] / "model.safetensors") == weights_hash(made[1] / "model.safetensors")


def test_trainings_on_other_jets_are_refused(
    runs: Path, toy: Path, tiny: tuple[str, ...], tmp_path: Path, jetkit: Verb
) -> None:
    other = tmp_path / "other"
    words = [word for word in tiny if not word.startswith("fractions")]
    jetkit("train", "pfn", f"data={toy}", f"out={other}", *words, "fractions=[0.2,0.4,0.4]")
    with pytest.raises(JetkitError, match="lest one's test jets be another's training jets"):
        ensemble([runs / "pfn", other])


@pytest.mark.parametrize("names", [[], ["pfn"]])
def test_one_run_is_not_enough(runs: Path, jetkit: Verb, names: list[str]) -> None:
    assert "two trained runs or more" in jetkit("ensemble", *(str(runs / name) for name in names), code=1)


def test_an_ensemble_cannot_be_trained_from_nothing(toy: Path, jetkit: Verb) -> None:
    assert "jetkit ensemble RUN RUN" in jetkit("train", "stack", f"data={toy}", code=1)
