"""The exam of symmetries, by the library and by the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from jetkit import cli
from jetkit.data.batch import Batch
from jetkit.data.features import FEATURE_SETS
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.registry import create, hyperparameters
from jetkit.store.model_file import ModelCard, save_model
from jetkit.tasks.classify import Classify
from jetkit.testing import random_batch
from jetkit.verbs.examination import GROUPS, ExamineOptions, examine, examine_file

run = CliRunner(env={"COLUMNS": "120", "TERM": "dumb", "JETKIT_DEBUG": ""}).invoke
SPEC = Spec.of(tuple(feature.name for feature in FEATURE_SETS["kin"]), ("jet_sdmass",), classes=("QCD", "top"))


def model_file(folder: Path, name: str) -> Path:
    torch.manual_seed(1)
    task = Classify(create(name, SPEC), SPEC)
    preprocessing = {"features": "kin", "length": 128}
    card = ModelCard(name, SPEC.to_dict(), hyperparameters(name, {}), task="classify", preprocessing=preprocessing)
    save_model(folder / "model.safetensors", task, card)
    return folder / "model.safetensors"


class Mass(torch.nn.Module):
    """A user's own model: the invariant mass, and nothing."""

    spec = SPEC

    def forward(self, batch: Batch) -> torch.Tensor:
        assert batch.p4 is not None
        total = (batch.p4 * batch.mask[..., None]).sum(1)
        mass2 = total[:, 0] ** 2 - (total[:, 1:] ** 2).sum(1)
        return torch.stack([mass2.clamp(min=0).sqrt(), torch.zeros(len(batch))], 1)


@pytest.mark.parametrize(("name", "safe"), [("efn", True), ("pelican-irc", True), ("pfn", False), ("pelican", False)])
def test_infrared_and_collinear_safe_are_those_that_are(tmp_path: Path, name: str, safe: bool) -> None:
    _, found = examine_file(model_file(tmp_path, name), ExamineOptions(test=("irc",), jets=8))
    assert [finding.change for finding in found] == ["soft", "collinear"]
    assert [finding.passed for finding in found] == [safe, safe]
    assert [finding.claimed for finding in found] == [safe, safe]


def test_a_model_of_ones_own_can_be_examined() -> None:
    found = examine(Mass(), random_batch(SPEC), ["lorentz", "collinear", "padding", "permutation"])
    assert all(finding.passed for finding in found)


def test_jets_of_a_dataset_can_be_taken(runs: Path) -> None:
    data = json.loads((runs / "pfn" / "run.json").read_text())["options"]["data"]["path"]
    _, found = examine_file(runs / "pfn", ExamineOptions(test=("permutation", "collinear"), data=data, jets=16))
    assert [finding.passed for finding in found] == [True, False]


def test_the_command_prints_every_change_and_succeeds(tmp_path: Path) -> None:
    result = run(cli.app, ["examine", str(model_file(tmp_path, "efn")), "test=[irc, permutation,padding]"])
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [line[0] for line in lines if line[-1:] == ["yes"]] == ["soft", "collinear", "permutation", "padding"]
    assert all(line[2] == "pass" for line in lines if line[-1:] == ["yes"])


def test_a_claim_that_does_not_hold_is_an_error(tmp_path: Path) -> None:
    result = run(cli.app, ["examine", str(model_file(tmp_path, "efn")), "test=soft", "tolerance=1e-30"])
    assert result.exit_code == 1
    assert result.stderr == "efn claims not to notice soft, but does\n"


@pytest.mark.parametrize("value", ["irk", "irc,irk", "[]", "[5]"])
def test_unknown_tests_are_refused(tmp_path: Path, value: str) -> None:
    result = run(cli.app, ["examine", str(model_file(tmp_path, "efn")), f"test={value}"])
    assert result.exit_code == 1
    assert f"choose of {', '.join(GROUPS)}" in result.stderr


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(JetkitError, match=r"cannot read .*nothing: No such file"):
        examine_file(tmp_path / "nothing", ExamineOptions())
