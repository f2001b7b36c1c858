"""Jets drawn from a model: written, the same again, and judged beside real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jetkit.data.dataset import open_dataset
from jetkit.verbs.generation import GenerateOptions, Jets, compared, real_jets

Verb = Callable[..., str]
TINY = ("model.bins=[6,6,6]", "model.width=16", "model.depth=1", "model.heads=2", "model.dropout=0")
WORDS = ("epochs=1", "batch=64", "length=12", "lr=5e-3", "threads=1", "accelerator=cpu", "fractions=[0.5,0.1,0.4]")


@pytest.fixture(scope="module")
def trained(toy: Path, jetkit: Verb, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("gpt") / "run"
    name = open_dataset(toy).classes[0]
    jetkit("pretrain", "jet-gpt", f"data={toy}", f"only=[{name}]", f"out={out}", *TINY, *WORDS)
    return out


def toys(jets: int, width: float, seed: int) -> Jets:
    random = np.random.default_rng(seed)
    pt = 500 * random.dirichlet(np.ones(6), jets)
    return Jets(
        np.concatenate([pt[..., None], random.normal(scale=width, size=(jets, 6, 2))], 2), np.ones((jets, 6), bool)
    )


def test_drawn_jets_are_a_dataset_of_massless_particles_about_the_origin(
    trained: Path, tmp_path: Path, jetkit: Verb
) -> None:
    said = jetkit("generate", str(trained), "jets=70", "batch=32", "longest=9", "judge=false", f"out={tmp_path}/drawn")
    assert f"the jets are in {tmp_path}/drawn" in said.replace("\n", "")
    jets = open_dataset(tmp_path / "drawn")
    assert len(jets) == 70
    assert jets.card.complete
    found = jets.read(["part_px", "part_py", "part_pz", "part_energy", "part_deta", "jet_pt", "jet_nparticles"])
    px, py, pz, energy, deta = (found[f"part_{name}"].values for name in ("px", "py", "pz", "energy", "deta"))  # type: ignore[union-attr]
    np.testing.assert_allclose(energy, np.sqrt(px**2 + py**2 + pz**2), rtol=1e-5)
    np.testing.assert_allclose(np.arcsinh(pz / np.hypot(px, py)), deta, rtol=1e-4, atol=1e-5)
    assert np.min(found["jet_nparticles"]) >= 1  # type: ignore[arg-type]
    assert np.max(found["jet_nparticles"]) <= 9  # type: ignore[arg-type]


def test_the_same_seed_draws_the_same_bytes(trained: Path, tmp_path: Path, jetkit: Verb) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        jetkit(
            "generate", str(trained), "jets=40", "longest=6", "judge=false", f"seed={seed}", f"out={tmp_path}/{name}"
        )
    a, b, c = ((tmp_path / name / "00000.parquet").read_bytes() for name in "abc")
    assert a == b != c


def test_a_denoiser_draws_jets_too(toy: Path, tmp_path: Path, jetkit: Verb) -> None:
    sizes = ("model.width=16", "model.depth=1", "model.heads=2", "model.neighbours=3")
    jetkit("pretrain", "omni-learn", f"data={toy}", "features=kin", f"out={tmp_path}/run", *sizes, *WORDS)
    words = ("jets=30", "steps=2", "longest=9", "judge=false")
    jetkit("generate", str(tmp_path / "run"), *words, f"out={tmp_path}/drawn")
    drawn = open_dataset(tmp_path / "drawn")
    assert len(drawn) == 30
    assert drawn.classes == open_dataset(toy).classes
    assert set(drawn.read(["jet_label"])["jet_label"].tolist()) == set(range(len(drawn.classes)))  # type: ignore[union-attr]


def test_jets_of_another_distribution_are_told_from_real_ones() -> None:
    real, like, wide = toys(2400, 0.1, 1), toys(1200, 0.1, 2), toys(1200, 0.13, 3)
    options = GenerateOptions(threads=1)
    same, jets = compared(real, like, options)
    other, _ = compared(real, wide, options)
    assert jets == 1200
    for name, factor in (("w1_mass", 3), ("w1_eta", 3), ("fpd", 10)):
        assert other[name].generated.value > factor * same[name].generated.value, name
        assert other[name].real == same[name].real
    error = same["classifier_auc"].generated.error
    assert error is not None
    assert abs(same["classifier_auc"].generated.value - 0.5) < 5 * error
    assert abs(same["classifier_auc"].real.value - 0.5) < 5 * error
    assert other["classifier_auc"].generated.value > 0.7


def test_real_jets_keep_their_momenta(toy: Path) -> None:
    dataset = open_dataset(toy).take(50)
    jets = real_jets(dataset, 200)
    found = dataset.read(["part_px", "part_py"])
    pt = np.hypot(found["part_px"].values, found["part_py"].values)  # type: ignore[union-attr]
    np.testing.assert_allclose(jets.particles[jets.mask][:, 0], pt, rtol=1e-5)


@pytest.mark.parametrize("words", [("jets=100",), ("jets=5000",)])
def test_too_few_jets_for_a_comparison_are_named_before_any_is_drawn(
    trained: Path, tmp_path: Path, jetkit: Verb, words: tuple[str, ...]
) -> None:
    said = " ".join(jetkit("generate", str(trained), *words, f"out={tmp_path}/drawn", code=1).split())
    assert "too few to be compared" in said
    assert not (tmp_path / "drawn").exists()


def test_a_model_that_draws_no_jets_is_refused(runs: Path, jetkit: Verb) -> None:
    assert "draws no jets" in jetkit("generate", f"{runs}/pfn", "judge=false", code=1)


def test_the_language_is_trained_by_its_own_method_alone(toy: Path, tmp_path: Path, jetkit: Verb) -> None:
    said = jetkit("pretrain", "jet-gpt", f"data={toy}", "model=pfn", f"out={tmp_path}/run", *WORDS, code=1)
    assert "leave model= out" in " ".join(said.split())
