"""Checkpoints of others as models: their formulas, written out with their names of tensors, give the same logits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from typer.testing import CliRunner

from jetkit import cli
from jetkit.data.batch import Batch
from jetkit.data.features import FEATURE_SETS
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.interchange.foreign import import_model
from jetkit.nn.recursion import TreeLevels
from jetkit.observables.jet_trees import kt_trees
from jetkit.observables.lund_splittings import lund_splittings
from jetkit.store.model_file import load_model
from jetkit.testing import random_batch

State = dict[str, torch.Tensor]
Shapes = dict[str, tuple[int, ...]]
SPEC = Spec.of(tuple(feature.name for feature in FEATURE_SETS["kin"]), classes=("QCD", "top"))
CLASSES = ("QCD", "W", "top")
NORM = ("weight", "bias", "running_mean", "running_var")


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    """Models are made in double precision, so that no rounding of a weight hides a wrong one."""
    torch.manual_seed(5)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def imported(folder: Path, state: State, format: str, **options: Any) -> Any:
    torch.save(state, folder / "published.pt")
    return import_model(folder / "published.pt", format, **options)


def random_state(shapes: Shapes) -> State:
    """Random numbers, positive where they are variances."""
    state = {name: torch.randn(shape) / shape[-1] ** 0.5 for name, shape in shapes.items()}
    return {name: value.abs() + 0.5 if name.endswith("running_var") else value for name, value in state.items()}


def norm_shapes(name: str, width: int) -> Shapes:
    return {f"{name}.{part}": (width,) for part in NORM}


def layer_shapes(name: str, features: int, width: int) -> Shapes:
    return {f"{name}.weight": (width, features), f"{name}.bias": (width,)}


def normalised(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    weight, bias, mean, variance = (state[f"{name}.{part}"] for part in NORM)
    return (x - mean) / (variance + 1e-5).sqrt() * weight + bias


def linear(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def assert_equal(model: torch.nn.Module, batch: Batch, expected: torch.Tensor) -> None:
    assert expected.std(0).min() > 1e-3
    with torch.no_grad():
        torch.testing.assert_close(model(batch), expected, rtol=1e-9, atol=1e-9)


def lund_net_state(inputs: int) -> State:
    shapes = norm_shapes("bn_fts", inputs)
    features = inputs
    for block, width in enumerate((8, 8, 12)):
        name = f"edge_convs.{block}"
        shapes |= {f"{name}.theta.weight": (width, features), f"{name}.phi.weight": (width, features)}
        shapes |= {f"{name}.fcs.0.weight": (width, width)}
        shapes |= norm_shapes(f"{name}.bns.0", width) | norm_shapes(f"{name}.bns.1", width)
        if width != features:
            shapes |= {f"{name}.sc.weight": (width, features)} | norm_shapes(f"{name}.sc_bn", width)
        features = width
    shapes |= layer_shapes("fusion_block.0", 28, 16) | norm_shapes("fusion_block.2", 16)
    return random_state(shapes | layer_shapes("fc.0.0", 16, 10) | layer_shapes("fc.1", 10, 3))


def lund_net(state: State, x: torch.Tensor, edges: list[list[int]]) -> torch.Tensor:
    """Logits of one jet from the coordinates of its splittings and the edges (from, to) between them."""
    x, outputs = normalised(state, "bn_fts", x), []
    for name in (f"edge_convs.{block}." for block in range(3)):
        received = [[torch.zeros(len(state[name + "theta.weight"]))] for _ in x]
        for begin, end in edges:
            message = state[name + "theta.weight"] @ (x[end] - x[begin]) + state[name + "phi.weight"] @ x[begin]
            message = state[name + "fcs.0.weight"] @ F.relu(normalised(state, name + "bns.0", message))
            received[end].append(F.relu(normalised(state, name + "bns.1", message)))
        has_shortcut = name + "sc.weight" in state
        kept = normalised(state, name + "sc_bn", x @ state[name + "sc.weight"].T) if has_shortcut else x
        x = F.relu(kept + torch.stack([sum(messages) / max(len(messages) - 1, 1) for messages in received]))
        outputs.append(x)
    fused = normalised(state, "fusion_block.2", F.relu(linear(state, "fusion_block.0", torch.cat(outputs, 1))))
    return linear(state, "fc.1", F.relu(linear(state, "fc.0.0", fused.mean(0))))


@pytest.mark.parametrize("names", [("ln_delta", "ln_kt"), ("ln_z", "ln_delta", "ln_kt")])
def test_logits_equal_those_of_lundnets_formula(tmp_path, names) -> None:
    state = lund_net_state(len(names))
    model, card = imported(tmp_path, state, "lundnet", classes=CLASSES)
    assert card.hyperparameters["coordinates"] == names
    batch, expected = random_batch(SPEC, jets=6, particles=(1, 20), seed=1), []
    for jet in range(6):
        splittings = lund_splittings(batch.select(slice(jet, jet + 1)), names)
        expected.append(lund_net(state, splittings.x, splittings.edges.T.tolist()))
    assert_equal(model, batch, torch.stack(expected))


def test_a_lundnet_can_have_a_least_transverse_momentum(tmp_path) -> None:
    model, card = imported(tmp_path, lund_net_state(3), "lundnet", classes=CLASSES, values={"kt_min": 1.0})
    assert model.model.kt_min == 1.0
    assert "kt_min is 0" in card.training["note"]


def pelican_state(depth: int, spurions: bool) -> State:
    width, channels = 10, 6
    encoded = width - 4 * spurions
    shapes = layer_shapes("linear", 1, encoded) | {"input_encoder.rank2_alphas": (encoded,)}
    if spurions:
        shapes |= {"eq1to2.coefs": (3, 4, 5), "eq1to2.bias": (4,), "eq1to2.alphas.0": (1, 3, 5, 1, 1)}
    for name in (*(f"net2to2.message_layers.{block}" for block in range(depth)), "msg_2to0"):
        shapes |= layer_shapes(f"{name}.linear.0", width, channels) | norm_shapes(f"{name}.normlayer", channels)
    for name in (f"net2to2.eq_layers.{block}." for block in range(depth)):
        shapes |= {name + "coefs00": (channels, 15), name + "coefs01": (width, 15), name + "bias": (width,)}
        shapes |= {name + "coefs10": (channels, width), name + "coefs11": (channels, width)}
        shapes |= {name + "diag_bias": (width,), name + "alphas.0": (1, channels, 10, 1, 1)}
    shapes |= {"agg_2to0.coefs": (channels, width, 2), "agg_2to0.bias": (1, width)}
    return random_state(shapes | {"agg_2to0.alphas.0": (1, channels, 2)} | layer_shapes("mlp_out.linear.0", width, 2))


def message(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    return normalised(state, f"{name}.normlayer", F.leaky_relu(linear(state, f"{name}.linear.0", x), 0.01))


def encoded_products(state: State, p4: torch.Tensor) -> torch.Tensor:
    products = (p4[:, None] * p4 * torch.tensor([1.0, -1.0, -1.0, -1.0])).sum(-1, keepdim=True)
    u, a = linear(state, "linear", products), state["input_encoder.rank2_alphas"] ** 2 + 1e-6
    return u.sign() * ((1 + u.abs()) ** a - 1) / a


def expansion(state: State, s: torch.Tensor, ratio: float) -> torch.Tensor:
    """The five maps of labels s to tables, in the authors' order."""
    n = len(s)
    diagonal, j, i, mean = torch.eye(n)[..., None] * s, s[None].expand(n, n, -1), s[:, None].expand(n, n, -1), s.mean(0)
    maps = torch.stack([diagonal, j, i, torch.eye(n)[..., None] * mean, mean.expand(n, n, -1)], -1)
    maps = maps * ratio ** state["eq1to2.alphas.0"][0, :, :, 0, 0]
    return F.leaky_relu(torch.einsum("ijdb,dsb->ijs", maps, state["eq1to2.coefs"]) + state["eq1to2.bias"], 0.01)


def aggregation(state: State, name: str, x: torch.Tensor, ratio: float) -> torch.Tensor:
    """The 15 maps of a table, in the authors' order."""
    own, rows, columns = x.diagonal().T, x.mean(1), x.mean(0)
    trace, total, one = own.mean(0).expand_as(own), x.mean((0, 1)).expand_as(own), torch.eye(len(x))[..., None]
    maps = [x, x.transpose(0, 1), one * own, own[None].expand_as(x), own[:, None].expand_as(x)]
    for sums in (columns, rows):
        maps += [one * sums, sums[None].expand_as(x), sums[:, None].expand_as(x)]
    maps += [trace.expand_as(x), one * trace, total.expand_as(x), one * total]
    powers = torch.cat([torch.zeros(x.shape[-1], 5), state[name + "alphas.0"][0, :, :, 0, 0]], 1)
    inner, outer = state[name + "coefs00"][:, None], state[name + "coefs01"]
    coefficients = inner * state[name + "coefs10"][..., None] + outer * state[name + "coefs11"][..., None]
    y = torch.einsum("ijdb,dsb->ijs", torch.stack(maps, -1) * ratio**powers, coefficients)
    return F.leaky_relu(y + state[name + "bias"] + one * state[name + "diag_bias"], 0.01)


def pelican(state: State, p4: torch.Tensor, depth: int, mean_multiplicity: float = 49.0) -> torch.Tensor:
    """Logits of one jet; the spurions, if there are any, are the first two objects, at rest and along the beam."""
    spurions = "eq1to2.coefs" in state
    p4 = torch.cat([torch.eye(4)[[0, 3]][: 2 * spurions], p4])
    ratio, x = len(p4) / mean_multiplicity, encoded_products(state, p4)
    if spurions:
        x = torch.cat([x, expansion(state, F.one_hot(torch.tensor([1, 2] + [0] * (len(p4) - 2))).double(), ratio)], -1)
    for block in range(depth):
        x = message(state, f"net2to2.message_layers.{block}", x)
        x = aggregation(state, f"net2to2.eq_layers.{block}.", x, ratio)
    x = message(state, "msg_2to0", x)
    sums = torch.stack([x.mean((0, 1)), x.diagonal().mean(1)], -1) * ratio ** state["agg_2to0.alphas.0"][0]
    pooled = torch.einsum("db,dsb->s", F.leaky_relu(sums, 0.01), state["agg_2to0.coefs"]) + state["agg_2to0.bias"][0]
    return F.leaky_relu(linear(state, "mlp_out.linear.0", pooled), 0.01)


@pytest.mark.parametrize(("spurions", "depth", "mean"), [(False, 2, 49.0), (True, 2, 49.0), (True, 3, 30.0)])
def test_logits_equal_those_of_pelicans_formula(tmp_path, spurions: bool, depth: int, mean: float) -> None:
    state = pelican_state(depth, spurions)
    state["mlp_out.linear.0.bias"] = torch.tensor([-3.0, 0.0])
    model, card = imported(tmp_path, state, "pelican", values={"mean_multiplicity": mean})
    assert card.model == ("pelican-so2" if spurions else "pelican")
    assert card.classes == ["QCD", "top"]
    batch = random_batch(SPEC, jets=6, particles=(1, 20), seed=2)
    expected = [pelican(state, p4[mask], depth, mean) for p4, mask in zip(batch.p4, batch.mask, strict=True)]
    assert (torch.stack(expected) < 0).any()  # the authors' last LeakyReLU has something to do
    assert_equal(model, batch, torch.stack(expected))


def tree_nin_state(width: int = 6) -> State:
    """All that a file of the authors has, most of it twice."""
    layers = {f"fc_{name}": (7, width) for name in ("u", "u_inner", "u_outer", "u_inner1", "u_outer1")}
    layers |= {f"fc_N{number}": (width, width) for number in range(10)} | {"fc_h": (3 * width, width)}
    layers |= {f"transform.{name}": sizes for name, sizes in layers.items()}
    layers |= {"fc1": (width, width), "fc2": (width, width), "fc3": (width, 1)}
    shapes: Shapes = {}
    for name, sizes in layers.items():
        shapes |= layer_shapes(name, *sizes)
    return random_state(shapes)


def tree_nin(state: State, trees: TreeLevels, centre: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Logit of top of one jet, from the features of the nodes of its tree."""
    levels = torch.arange(len(trees.x)).split(list(trees.sizes))

    def layer(name: str, h: torch.Tensor) -> torch.Tensor:
        return F.relu(linear(state, f"transform.fc_{name}", h))

    def embedding(node: int, depth: int, is_left: bool) -> torch.Tensor:
        is_leaf, o = bool(trees.leaf[node]), (trees.x[node] - centre) / scale
        h = layer("u_outer" if is_leaf else "u_inner", o)
        if not is_leaf:
            inner = [int(other) for other in levels[depth] if not trees.leaf[other]]
            left = int(levels[depth + 1][inner.index(node)])
            children = [embedding(left, depth + 1, True), embedding(left + len(inner), depth + 1, False)]
            h = layer("h", torch.cat([*children, h]))
        if depth == 0:
            return h
        first, second = (
            (("N5", "N9") if is_leaf else ("N2", "N6")) if depth > 1 else (("N4", "N8"), ("N3", "N7"))[is_left]
        )
        return layer(second, layer(first, h))

    hidden = F.relu(linear(state, "fc1", embedding(0, 0, True)))
    return linear(state, "fc3", F.relu(linear(state, "fc2", hidden)))


SCALING = {"centre": (80.0, 0.1, 0.0, 85.0, 0.2, 75.0, 1.5), "scale": (150.0, 0.4, 0.5, 160.0, 0.3, 140.0, 0.6)}


def test_logits_equal_those_of_treenins_formula(tmp_path) -> None:
    state = tree_nin_state()
    assert len(state) == 70
    checkpoint = {
        "epoch": 3,
        "state_dict": state,
        "optim_dict": {"state": {0: {"step": 7}}, "param_groups": [{"lr": 0.1}]},
    }
    model, card = imported(tmp_path, checkpoint, "treenin", **SCALING)
    assert card.classes == ["QCD", "top"]
    assert "moved to y = φ = 0" in card.training["note"]
    batch, expected = random_batch(SPEC, jets=8, particles=(1, 15), seed=4), []
    for jet in range(8):
        trees = kt_trees(batch.select(slice(jet, jet + 1)))
        expected.append(tree_nin(state, trees, *map(torch.tensor, SCALING.values())))
    logits = torch.stack(expected)
    assert logits.std() > 1e-3
    with torch.no_grad():
        torch.testing.assert_close(model(batch), F.pad(logits, (1, 0)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("scaling", "message"),
    [
        ({}, "give them as centre=.* and scale="),
        ({"centre": SCALING["centre"]}, "give them as centre=.* and scale="),
        (SCALING | {"scale": (0.0,) * 7}, "scale should hold positive numbers"),
        (SCALING | {"centre": (1.0,)}, "needs norm.running_mean of shape"),
    ],
)
def test_a_treenin_needs_the_scaling_of_its_features(tmp_path, scaling, message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        imported(tmp_path, tree_nin_state(), "treenin", **scaling)


def test_other_models_have_no_scaling(tmp_path) -> None:
    with pytest.raises(JetkitError, match="nothing like the tensor centre"):
        imported(tmp_path, lund_net_state(3), "lundnet", classes=CLASSES, centre=(0.0,))


@pytest.mark.parametrize(("node", "inputs"), [(12, 7), (8, 17)])  # with a layer on the particles, and without
def test_logits_equal_those_of_weavers_particlenext(tmp_path, node: int, inputs: int) -> None:
    pytest.importorskip("weaver", reason="weaver-core is not installed")
    logging.getLogger("weaver").setLevel(logging.ERROR)
    from weaver.nn.model.ParticleNeXt import ParticleNeXt

    layers = [(8, 32, [(4, 1), (2, 1), (1, 1)], 16)] * 2
    options = {"edge_dim": 4, "layer_params": layers, "fc_params": [(32, 0.1)], "edge_aggregation": "attn4"}
    network = ParticleNeXt(inputs, num_classes=3, node_dim=node, trim=False, **options).eval()
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2.0)
        elif value.is_floating_point():
            value.add_(0.3 * torch.randn_like(value))
    names = {len(features): tuple(feature.name for feature in features) for features in FEATURE_SETS.values()}[inputs]
    state = {"mod." + name: value for name, value in network.state_dict().items()}
    model, card = imported(tmp_path, state, "weaver", classes=CLASSES, values={"scales": (2, 4, 8)})
    assert card.model == "particle-next"
    batch = random_batch(Spec.of(names, classes=CLASSES), jets=6, particles=(20, 20), seed=3)
    energy, *momentum = batch.p4.unbind(-1)
    x, vectors = batch.x.mT, torch.stack([*momentum, energy], 1)
    with torch.no_grad():
        expected = network(x[:, -2:].clone(), x, vectors, batch.mask[:, None])
    assert_equal(model, batch, expected)


def test_the_scales_of_a_particlenext_are_halves_unless_given(tmp_path) -> None:
    pytest.importorskip("weaver", reason="weaver-core is not installed")
    logging.getLogger("weaver").setLevel(logging.ERROR)
    from weaver.nn.model.ParticleNeXt import ParticleNeXt

    _, card = imported(tmp_path, ParticleNeXt(7, num_classes=2, trim=False).state_dict(), "weaver")
    assert tuple(card.hyperparameters["scales"]) == (4, 8, 16, 32)
    assert "sizes of the neighbourhoods" in card.training["note"]


def changed(state: State, **shapes: tuple[int, ...] | None) -> State:
    """Tensors of other shapes, or none."""
    new = {name.replace("__", "."): shape for name, shape in shapes.items()}
    return {
        name: torch.ones(new.get(name, value.shape)) for name, value in state.items() if new.get(name, ()) is not None
    }


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"bn_fts__weight": (5,)}, "has 5 coordinates, only those of 2 or 3 can be imported"),
        ({"edge_convs__1__phi__weight": None}, "lacks the tensor edge_convs.1.phi.weight of the architecture"),
        ({"edge_convs__1__phi__weight": (8, 5)}, "tensors do not go together as those of lund-net do"),
        ({"edge_convs__1__fcs__0__weight": (7, 8)}, "needs edge_convs.1.fcs.0.weight of shape"),
    ],
)
def test_other_lundnets_are_refused(tmp_path, shapes, message: str) -> None:
    with pytest.raises(JetkitError, match=message):
        imported(tmp_path, changed(lund_net_state(3), **shapes), "lundnet", classes=CLASSES)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"eq1to2__coefs": (14, 4, 5)}, "has 14 labels of a particle: jetkit's has 3"),
        ({"net2to2__eq_layers__0__alphas__0": None}, "lacks the tensor net2to2.eq_layers.0.alphas.0"),
        ({"net2to2__eq_layers__0__coefs00": (6, 25)}, "needs aggregations.0.map_in of shape"),
        ({"net2to2__eq_layers__0__coefs00": (6, 16)}, "tensors do not go together as those of pelican-so2 do"),
        ({"mlp_out__linear__0__weight": (11, 10), "mlp_out__linear__0__bias": (11,)}, "pooling.linear.weight of shape"),
        ({"linear__weight": (6, 3)}, "needs linear.weight of shape"),
        ({"agg_2to0__coefs": ()}, "lacks the tensor agg_2to0.coefs"),
    ],
)
def test_other_pelicans_are_refused(tmp_path, shapes, message: str) -> None:
    classes = [f"class {number}" for number in range(shapes.get("mlp_out__linear__0__bias", (2,))[0])]
    with pytest.raises(JetkitError, match=message):
        imported(tmp_path, changed(pelican_state(2, spurions=True), **shapes), "pelican", classes=classes)


@pytest.mark.parametrize(
    ("format", "state", "words"),
    [
        ("lundnet", lambda: lund_net_state(3), ["classes=[QCD,W,top]", "kt_min=1.5"]),
        ("pelican", lambda: pelican_state(2, spurions=True), ["mean_multiplicity=30"]),
        ("treenin", tree_nin_state, [f"{name}={list(numbers)}" for name, numbers in SCALING.items()]),
    ],
)
def test_the_command_writes_a_model_file(tmp_path, format: str, state: Callable[[], State], words: list[str]) -> None:
    torch.set_default_dtype(torch.float32)
    torch.save(state(), tmp_path / "published.pt")
    result = CliRunner().invoke(cli.app, ["import", str(tmp_path / "published.pt"), f"format={format}", *words])
    assert result.exit_code == 0, result.output
    model = load_model(tmp_path / "published.safetensors")
    batch = random_batch(model.spec, jets=3).to(dtype=torch.float32)
    assert model(batch).isfinite().all()
