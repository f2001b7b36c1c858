"""L-GATr: equality with the package written out jet by jet, its invariance, and what the package keeps to itself."""

from __future__ import annotations

import sys

import pytest
import torch
from torch.nn import functional as F

from jetkit.data.batch import Batch
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.models.l_gatr import LGATr, Tokens
from jetkit.physics.four_vectors import boost
from jetkit.registry import hyperparameters
from jetkit.store.model_file import ModelCard, load_model, save_model
from jetkit.tasks.classify import Classify
from jetkit.testing import assert_invariant, random_batch

lgatr = pytest.importorskip("lgatr", reason="lgatr is not installed")

SPEC = Spec.of(("part_isPhoton", "part_isMuon", "part_deta", "part_dphi"), classes=("QCD", "W", "top"))
TINY = {"multivectors": 4, "width": 8, "depth": 2, "heads": 2}
NAMES = ("part_isMuon", "part_deta")


def built(**hyperparameters) -> LGATr:
    torch.manual_seed(3)
    return LGATr(SPEC, **(TINY | hyperparameters)).double().eval()


def tagger(**hyperparameters) -> Classify:
    """The network with a head."""
    return Classify(built(**hyperparameters), SPEC).double().eval()


@pytest.fixture(scope="module")
def batch() -> Batch:
    return random_batch(SPEC, jets=6, particles=(1, 20), seed=8)


def package(multivectors: int, width: int, depth: int, heads: int, scalars: int = 1, outputs: int = 1):
    return lgatr.LGATr(
        in_mv_channels=1,
        out_mv_channels=outputs,
        hidden_mv_channels=multivectors,
        in_s_channels=scalars,
        out_s_channels=0,
        hidden_s_channels=width,
        num_blocks=depth,
        attention={"num_heads": heads, "attn_ratio": 2, "head_scale": True},
        mlp={"mlp_ratio": 2},
    )


def test_parameters_are_those_of_the_paper_but_for_the_first_and_last_layer() -> None:
    with torch.device("meta"):
        networks = package(16, 32, 12, 8), Classify(LGATr(SPEC), SPEC)
        counts = [sum(p.numel() for p in network.parameters()) for network in networks]
    assert counts == [1_077_026, 1_077_026 - 64 - 226 + 3 * 65]


@pytest.mark.parametrize("options", [{}, {"scalars": NAMES}, {"spurions": False}, {"heads": 4, "multivectors": 6}])
def test_logits_are_the_scalars_of_the_packages_global_token(batch, options) -> None:
    """The whole network of the package on each jet by itself; our head is what its last layer does to scalars."""
    task, classes = tagger(**options), len(SPEC.classes)
    model = task.model
    sizes = {name: value for name, value in (TINY | options).items() if name in TINY}
    net = package(**sizes, scalars=1 + len(options.get("scalars", ())), outputs=classes).double()
    own = {"linear_in": model.embed, "blocks": model.blocks}
    kept = {f"{part}.{key}": value for part, module in own.items() for key, value in module.state_dict().items()}
    kept |= {"linear_in.s2s.weight": model.embed_scalars.weight, "linear_in.mvs2s.bias": model.embed_scalars.bias}
    missing = net.load_state_dict(kept, strict=False).missing_keys
    assert {name for name in missing if not name.startswith("linear_out")} == {"linear_in.mvs2s.weight"}
    scalar, pseudoscalar, s = task.head.weight.split([sizes["multivectors"]] * 2 + [sizes["width"]], 1)
    with torch.no_grad():
        net.linear_out.weight[..., 0], net.linear_out.weight[..., 9] = scalar, -pseudoscalar  # of (e0123)² = −1
        net.linear_out.s2mvs.weight[::2], net.linear_out.s2mvs.bias[::2] = s, task.head.bias
        for row, logits in enumerate(task(batch)):
            p4, x = batch.p4[row][batch.mask[row]], batch.x[row][batch.mask[row]]
            spurions = lgatr.get_spurions(dtype=torch.float64)[: 2 * options.get("spurions", True)]
            tokens = torch.cat([torch.zeros(1, 16), spurions, lgatr.embed_vector(p4 / 20)])[:, None]
            marks = torch.zeros(len(tokens), 1 + len(options.get("scalars", ())), dtype=torch.float64)
            marks[0, -1] = 1
            if "scalars" in options:
                marks[3:, :-1] = x[:, 1:3]
            expected = lgatr.extract_scalar(net(tokens, scalars=marks)[0])[0, :, 0]
            torch.testing.assert_close(logits, expected, rtol=0, atol=1e-9)


def transformed(tokens: Tokens, seed: int) -> Tokens:
    """Vectors and bivectors of each jet rotated, then boosted with |β| up to 0.66: p → Λp, B → ΛBΛᵀ."""
    random = torch.Generator().manual_seed(seed)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=random, dtype=torch.float64)).Q
    turn = turn * torch.linalg.det(turn).sign()
    direction = F.normalize(torch.randn(3, generator=random, dtype=torch.float64), dim=0)
    columns = torch.block_diag(torch.ones(1, 1, dtype=torch.float64), turn).T
    change = boost(columns, 0.66 * direction).T
    mv = tokens.multivectors.clone()
    mv[..., 1:5] = mv[..., 1:5] @ change.T
    i, j = torch.triu_indices(4, 4, 1)
    planes = mv.new_zeros(*mv.shape[:-1], 4, 4)
    planes[..., i, j], planes[..., j, i] = mv[..., 5:11], -mv[..., 5:11]
    mv[..., 5:11] = (change @ planes @ change.T)[..., i, j]
    return tokens._replace(multivectors=mv)


@pytest.mark.parametrize("seed", range(3))
def test_lorentz_transformations_of_particles_and_spurions_are_not_noticed(batch, seed) -> None:
    model = built()
    tokens = model.tokens(batch)
    moved = transformed(tokens, seed)
    assert all((moved.multivectors - tokens.multivectors)[:, place].abs().max() > 0.1 for place in (1, 2, 3))
    with torch.no_grad():
        expected = model(batch)
        model.tokens = lambda batch: moved
        torch.testing.assert_close(model(batch), expected, rtol=0, atol=1e-9)


def test_without_spurions_the_network_is_lorentz_invariant(batch) -> None:
    assert_invariant(built(spurions=False), batch, "lorentz", 1e-9)


def test_what_stands_in_padded_places_is_never_read(batch) -> None:
    model = built(scalars=NAMES)
    noise = batch.with_cloud(
        x=batch.x.masked_fill(~batch.mask[..., None], torch.nan),
        p4=batch.p4.masked_fill(~batch.mask[..., None], torch.nan),
    )
    with torch.no_grad():
        assert torch.equal(model(noise), model(batch))


def test_a_feature_that_the_data_lack_is_refused() -> None:
    with pytest.raises(JetkitError, match="needs the features part_isTau"):
        LGATr(SPEC, scalars=("part_isTau",))


def test_models_of_different_settings_do_not_disturb_each_other(batch) -> None:
    def logits(models: list[LGATr]) -> list[torch.Tensor]:
        return [model(batch.to(dtype=next(model.parameters()).dtype)).detach() for model in models]

    models = [built(), built(spurions=False, multivectors=6), built().float()]
    alone = [logits([model])[0] for model in models]
    together = logits(models[::-1])[::-1]
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


def test_a_training_can_follow_an_inference(batch) -> None:
    """The package keeps the tables of its first use; those made within an inference could not be trained with."""
    from lgatr.primitives import bilinear, invariants, linear

    for module in (bilinear, invariants, linear):
        for function in vars(module).values():
            getattr(function, "cache_clear", lambda: None)()
    task = tagger()
    with torch.inference_mode():
        task(batch)
    F.cross_entropy(task(batch), batch.label).backward()
    assert task.head.weight.grad.any()


def test_a_model_file_is_read_where_the_package_was_never_imported(tmp_path, batch, monkeypatch) -> None:
    torch.manual_seed(3)
    task, single = Classify(LGATr(SPEC, **TINY), SPEC), batch.to(dtype=torch.float32)
    card = ModelCard("l-gatr", SPEC.to_dict(), hyperparameters("l-gatr", TINY), task="classify")
    save_model(tmp_path / "model.safetensors", task, card)
    for name in [name for name in sys.modules if name.split(".")[0] == "lgatr"]:
        monkeypatch.delitem(sys.modules, name)
    with torch.no_grad():
        assert torch.equal(load_model(tmp_path / "model.safetensors")(single), task.eval()(single))


def test_an_absent_package_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "lgatr", None)
    with pytest.raises(JetkitError, match=r"pip install 'jetkit\[lgatr\]'"):
        LGATr(SPEC)


def test_half_precision_gives_nearly_the_same_logits(batch) -> None:
    task, single = tagger().float(), batch.to(dtype=torch.float32)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        half = task(single).float()
    torch.testing.assert_close(half, task(single).detach(), rtol=0, atol=0.05)
