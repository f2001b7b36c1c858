"""Every fast way gives the values and the gradients of the plain one, and each is taken where it should be."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

import jetkit.nn.fast
from jetkit.nn.attention import Attention, padding_bias
from jetkit.nn.dropout import Dropout
from jetkit.nn.edge_convolution import EdgeConvolution, nearest_neighbours
from jetkit.nn.gelu import GELU
from jetkit.nn.graph_convolution import GraphConvolution
from jetkit.nn.minkowski import LorentzBlock
from jetkit.nn.packing import Packing
from jetkit.nn.pair_bias import PairEmbedding, unordered_pairs
from jetkit.nn.pair_tables import PairTables, aggregate, combine
from jetkit.nn.radial_filters import RadialFilters

pytestmark = pytest.mark.usefixtures("one_thread")
MASK = torch.arange(9) < torch.tensor([[9], [4], [1], [6], [9]])
M = int(MASK.sum())


class Case(NamedTuple):
    """A layer, or none, and a calculation on it."""

    layer: nn.Module
    work: Callable[..., Tensor | Iterable[Tensor]]
    inputs: list[Tensor]


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape).requires_grad_()


def momenta() -> Tensor:
    momentum = 20 * torch.randn(*MASK.shape, 3)
    return torch.cat([momentum.norm(dim=-1, keepdim=True) + 1, momentum], -1) * MASK[..., None]


def run_in(layer: nn.Module) -> None:
    """Let batch normalisations remember and learn something."""
    for norm in layer.modules():
        if isinstance(norm, nn.BatchNorm1d):
            nn.init.uniform_(norm.running_var, 0.5, 2)
            for weight in (norm.running_mean, norm.weight, norm.bias):
                nn.init.normal_(weight)


def self_attention(p: float, packed: bool) -> Case:
    layer, bias = Attention(16, 4, p), drawn(5, 4, 9, 9)
    packing = Packing.of(MASK) if packed else None

    def work(x: Tensor, bias: Tensor) -> Tensor:
        seen = layer(x, x, bias + padding_bias(MASK, x.dtype), packing)
        return seen if packed else seen[MASK]

    return Case(layer, work, [drawn(M, 16) if packed else drawn(5, 9, 16), bias])


def attention_of(queries: int) -> Case:
    layer, bias = Attention(16, 4, 0.2), padding_bias(MASK, torch.float32)
    return Case(layer, lambda query, key: layer(query, key, bias), [drawn(5, queries, 16), drawn(5, 9, 16)])


def frozen_attention() -> Case:
    layer, x, packing = Attention(16, 4, 0.0).requires_grad_(False), torch.randn(M, 16), Packing.of(MASK)
    return Case(layer, lambda x: layer(x, x, padding_bias(MASK, torch.float32), packing), [x])


def pair_embedding(training: bool) -> Case:
    layer, p4, pairs = PairEmbedding((8, 8, 4)).train(training), momenta(), unordered_pairs(MASK)
    run_in(layer)
    return Case(layer, lambda: layer(p4, pairs), [])


def edges() -> Case:
    layer, neighbours = EdgeConvolution(6, (8, 8)), nearest_neighbours(torch.randn(M, 2), MASK, 4)
    return Case(layer, lambda x: layer(x, neighbours), [drawn(M, 6)])


def links() -> Case:
    layer, edges = GraphConvolution(6, (8, 8)), torch.randint(M, (2, 40))
    return Case(layer, lambda x: layer(x, edges), [drawn(M, 6)])


def messages(moves: bool, training: bool) -> Case:
    layer, s = LorentzBlock(8, 2, 0.01, moves=moves).train(training), torch.randn(5, 9, 2)
    run_in(layer)
    if moves:
        nn.init.normal_(layer.move_out.weight)

    def work(h: Tensor, x: Tensor) -> list[Tensor]:
        h, x = layer(h, x, s, MASK)
        return [h[MASK], x[MASK]]

    return Case(layer, work, [drawn(5, 9, 8), momenta().requires_grad_()])


def sums() -> Case:
    tables, weight = PairTables.of(MASK, 3), torch.rand(M, 1)
    return Case(nn.Identity(), lambda x: aggregate(x, weight, tables), [drawn(tables.size, 3)])


def combined(diagonal: bool) -> Case:
    tables = PairTables.of(MASK, 3)
    inputs = [drawn(tables.size, 3), drawn(2, 3, 5), drawn(M, 5), drawn(M, 5), *[drawn(M, 5)] * diagonal]
    return Case(nn.Identity(), lambda *values: combine(*values, *[None] * (not diagonal), tables), inputs)


def filtered() -> Case:
    tables = PairTables.of(MASK, 6)
    layer = RadialFilters(6, 2, 2)
    parts = [drawn(size, 2, M, 2) for size in (3, 7)]

    def work(place: Tensor, *parts: Tensor) -> list[Tensor]:
        differences = [x.unsqueeze(1) - x.unsqueeze(2) for x in tables.particles(place)]
        squares = torch.cat([x.square().sum(-1).flatten() for x in differences])
        found = layer(squares, [torch.view_as_complex(part) for part in parts], tables)
        return [torch.view_as_real(part) for part in found]

    return Case(layer, work, [drawn(M, 3), *parts])


def dropped(layer: nn.Module) -> Case:
    return Case(layer, layer, [drawn(700, 30)])


WAYS: dict[str, tuple[str, Callable[[], Case]]] = {
    "packed attention": ("attention.packed_attention", lambda: self_attention(0.0, True)),
    "packed attention with dropout": ("attention.packed_attention", lambda: self_attention(0.3, True)),
    "padded attention with dropout": ("attention.packed_attention", lambda: self_attention(0.3, False)),
    "attention of one query": ("attention.one_query", lambda: attention_of(1)),
    "attention of some queries": ("attention.attended", lambda: attention_of(3)),
    "attention without gradient": ("attention.attended", frozen_attention),
    "GELU": ("gelu.dropped_gelu", lambda: dropped(GELU())),
    "GELU with dropout": ("gelu.dropped_gelu", lambda: dropped(GELU(0.3))),
    "dropout": ("masks.factors", lambda: dropped(Dropout(0.3))),
    "pair embedding in training": ("linear.normalised_linear", lambda: pair_embedding(True)),
    "pair embedding": ("linear.folded", lambda: pair_embedding(False)),
    "edges": ("linear.linear_on_edges", edges),
    "links": ("linear.linear_on_links", links),
    **{
        f"messages, {moves=}, {training=}": ("messages.lorentz_messages", lambda m=moves, t=training: messages(m, t))
        for moves in (True, False)
        for training in (True, False)
    },
    "sums of tables": ("pair_tables.aggregate", sums),
    "combination of tables": ("pair_tables.combine", lambda: combined(True)),
    "combination without a diagonal": ("pair_tables.combine", lambda: combined(False)),
    "radial filters": ("radial_filters.radial_sums", filtered),
}
"""Fast way → its function, and what takes it."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the fast ways that are taken, wherever they are known by their name."""
    taken: list[str] = []
    for name in {name for name, _ in WAYS.values()}:
        file, function = name.split(".")
        fast = getattr(importlib.import_module(f"jetkit.nn.fast.{file}"), function)

        def counting(*given, fast=fast, name=name):
            taken.append(name)
            return fast(*given)

        for module in modules(jetkit.nn):
            if vars(module).get(function) is fast:
                monkeypatch.setattr(module, function, counting)
    return taken


def modules(package) -> list:
    """Modules of a package and of those below it."""
    return [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if not found.ispkg
    ]


def results(make: Callable[[], Case]) -> dict[str, Tensor]:
    """Values, gradients, and what the layer remembers."""
    torch.manual_seed(3)
    layer, work, inputs = make()
    torch.manual_seed(4)
    values = work(*inputs)
    values = [values] if isinstance(values, Tensor) else list(values)
    found = {f"value {number}": value for number, value in enumerate(values)}
    leaves = {f"input {number}": x for number, x in enumerate(inputs)} | dict(layer.named_parameters())
    leaves = {name: leaf for name, leaf in leaves.items() if leaf.requires_grad}
    if leaves:
        loss = sum((value * torch.randn(value.shape)).sum() for value in values)
        gradients = torch.autograd.grad(loss, [*leaves.values()], materialize_grads=True)
        found |= dict(zip(leaves, gradients, strict=True))
    found |= {f"after {name}": buffer for name, buffer in layer.named_buffers()}
    return {name: value.detach().double() for name, value in found.items()}


@pytest.mark.parametrize(("name", "make"), WAYS.values(), ids=[*WAYS])
def test_a_fast_way_is_the_plain_one(name: str, make: Callable[[], Case], calls, monkeypatch) -> None:
    fast = results(make)
    assert name in calls
    calls.clear()
    monkeypatch.setenv("JETKIT_BACKEND", "plain")
    plain = results(make)
    assert not calls
    assert fast.keys() == plain.keys()
    for what, value in plain.items():
        size = max(float(value.abs().max()), 1.0)
        torch.testing.assert_close(
            fast[what], value, rtol=1e-5, atol=3e-5 * size, msg=lambda text, what=what: f"{what}: {text}"
        )


LAYERED = {way: case for way, case in WAYS.items() if not case[0].startswith(("pair_tables", "masks"))}


@pytest.mark.parametrize(("name", "make"), LAYERED.values(), ids=[*LAYERED])
def test_a_layer_that_is_watched_is_called(name: str, make: Callable[[], Case], calls) -> None:
    """Each alone, and all together, with which no fast way is left."""
    places = range(len(watched_layers(make().layer)))
    for some in (*([place] for place in places), places):
        layer, work, inputs = make()
        layers, called = [watched_layers(layer)[place] for place in some], set()
        for part in layers:
            part.register_forward_hook(lambda part, *_, called=called: called.add(part))
        calls.clear()
        work(*inputs)
        assert called == set(layers)
    assert name not in calls


def watched_layers(layer: nn.Module) -> list[nn.Module]:
    kinds = nn.Linear | nn.BatchNorm1d | nn.Dropout | nn.Sequential
    return [part for part in layer.modules() if isinstance(part, kinds)]


def test_every_file_of_fast_ways_is_among_them() -> None:
    files = {module.__name__.rpartition(".")[2] for module in modules(jetkit.nn.fast)}
    assert files == {name.split(".")[0] for name, _ in WAYS.values()}
