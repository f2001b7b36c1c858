"""The words of trainings in README and docs of before the contract was made are options still.

``commands.txt`` has each `jetkit train`, `pretrain` and `adapt` of these pages at 1f2aa66, without shell variables.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import torch

from jetkit.data.features import feature_names
from jetkit.data.spec import Spec
from jetkit.models.model import MODELS
from jetkit.registry import create, hyperparameters
from jetkit.store.model_file import ModelCard, save_model
from jetkit.store.options import RunOptions
from jetkit.training.recipes import train_options

COMMANDS = (Path(__file__).parent / "commands.txt").read_text().splitlines()
SIZES = {
    "part": {"width": 16, "depth": 1, "heads": 2, "pair_widths": [8]},
    "vq-vae": {"width": 16, "depth": 1, "heads": 2, "codes": 8},
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A pretrained backbone and a tokeniser."""
    folder, spec = tmp_path_factory.mktemp("files"), Spec.of(feature_names("kin"))
    for name, sizes in SIZES.items():
        torch.manual_seed(0)
        card = ModelCard(name, spec.to_dict(), hyperparameters(name, sizes, MODELS), preprocessing={"features": "kin"})
        save_model(folder / f"{name}.safetensors", create(name, spec, sizes, MODELS), card)
    return {name: str(folder / f"{name}.safetensors") for name in SIZES}


def parsed(command: str, files: dict[str, str]) -> RunOptions:
    _, verb, name, *words = shlex.split(command.removesuffix("\\"))
    words = [word for word in words if not word.startswith("$")]
    words = [f"tokeniser={files['vq-vae']}" if word.startswith("tokeniser=") else word for word in words]
    words += [] if any(word.startswith("data=") for word in words) else ["data=data/top"]
    if verb == "train":
        return train_options(name, words)
    return (
        train_options(words=words, task=name) if verb == "pretrain" else train_options(words=words, start=files["part"])
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_words_of_before_are_options_still(files: dict[str, str], command: str) -> None:
    options = parsed(command, files)
    _, verb, name, *words = shlex.split(command.removesuffix("\\"))
    told = dict(word.split("=", 1) for word in words if "=" in word)
    if verb == "adapt":
        assert options.start.file == files["part"]
        assert options.model.options == hyperparameters("part", SIZES["part"], MODELS) | {"pair_widths": [8]}
    elif verb == "pretrain":
        assert options.task.name in (name, "vq-vae")
    elif name != "sophon":
        assert options.model.name == name
    for key in ("epochs", "batch", "passes"):
        assert key not in told or getattr(options.optim, key) == int(told[key])
    if "out" in told:
        assert str(options.folder) == told["out"]
