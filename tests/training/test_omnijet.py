"""OmniJet from tokens to drawn jets, by the command line."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from jetkit.cli import app
from jetkit.store.model_file import read_model
from jetkit.store.tensor_file import weights_hash

SIZES = {"width": 16, "depth": 1, "heads": 2, "latent": 4, "codes": 8}


def test_it_is_pretrained_and_draws_jets_by_the_command_line(toy: Path, tmp_path: Path) -> None:
    def jetkit(*words: str, code: int = 0) -> str:
        ran = CliRunner(env={"COLUMNS": "200"}).invoke(app, list(words))
        assert ran.exit_code == code, (ran.output, ran.exception)
        return " ".join((ran.output + str(ran.exception)).split())

    common = [f"data={toy}", "features=kin", "epochs=1", "batch=64", "length=20", "threads=1", "accelerator=cpu"]
    tiny = [f"model.{name}={value}" for name, value in SIZES.items()]
    jetkit("pretrain", "vq-vae", *common, *tiny, f"out={tmp_path}/tokens")
    own = ["model.width=16", "model.depth=1", "model.heads=2", f"out={tmp_path}/omnijet"]
    assert "omnijet needs a tokeniser" in jetkit("pretrain", "omnijet", *common, *own, code=1)
    jetkit("pretrain", "omnijet", *common, *own, f"tokeniser={tmp_path}/tokens")
    jetkit("generate", f"{tmp_path}/omnijet", "jets=20", "longest=9", "judge=false", f"out={tmp_path}/drawn")
    model, card = read_model(tmp_path / "omnijet" / "model.safetensors")
    assert model.words == 8
    assert card.parents == [weights_hash(tmp_path / "tokens" / "model.safetensors")]
