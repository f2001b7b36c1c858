"""Training steps and inference beside other code for the same networks, with the same weights on the same jets.

    python -m benchmarks NAME-train|NAME-infer [FOLDER] [batch=128] [batches=4] [threads=2] [pairs=5]
    python -m benchmarks part-infer batch=1 [peer=onnxruntime] [exported=true]

FOLDER is a dataset with the features ``full``, such as one of `jetkit simulate jetclass`; without one the jets are
synthetic, with the multiplicities of JetClass. Networks and sizes are those of the JetClass trainings (10 classes).
weaver-core gets its own layout: padded to 128 particles, as its loader gives them, of which its networks cut what no
jet of a batch needs. The peer of LorentzNet is `benchmarks.edge_list`, that of L-GATr are the blocks of the package
lgatr as they come. With ``peer=onnxruntime`` ParT's inference stands beside that runtime on weaver-core's export
(`benchmarks.exported`); with ``exported=true`` ours is what `jetkit export` makes of the tagger, run by onnxruntime as
well. Before the clock runs, the logits of both are compared in evaluation mode, up to a constant of each jet. A
training step is loss, gradient and AdamW, in float32. Each side has a process of its own: ours asks the allocator to
keep freed memory (`jetkit.training.memory`), as a training does, and theirs does not; and ours scores a batch in each
thread, as `jetkit evaluate` does (`jetkit.training.side_by_side`), where theirs has all threads work on one.

The limit is matrix products of 1024 × 1024 with as many operations as ours has, in the same threads.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.edge_list import EdgeListLorentzNet
from benchmarks.exported import Exported, OurGraph
from benchmarks.interleaved import PAIRS, Comparison, Work, apart, in_turns, machine
from benchmarks.jets import write_sample
from benchmarks.padded import PaddedLGATr
from benchmarks.words import Words
from jetkit.cli.process import keep_freed_memory
from jetkit.data.batch import Batch
from jetkit.data.dataset import open_dataset
from jetkit.data.features import feature_names
from jetkit.data.spec import Spec
from jetkit.interchange.foreign import import_model
from jetkit.models.l_gatr import LGATr
from jetkit.models.lorentz_net import LorentzNet
from jetkit.tasks.classify import Classify
from jetkit.training.side_by_side import side_by_side

OPTIONS = ("batch", "batches", "threads", "pairs", "peer", "exported")
LENGTH = 128
CLASSES = tuple(f"class {number}" for number in range(10))
TOLERANCE = 1e-4
SIDE = 1024
"""Rows and columns of the matrices of the limit."""
PEERS = {"lorentz-net": "lists of edges", "l-gatr": "lgatr"}
RUNTIME = "onnxruntime"
EXPORTED = ("part-infer", "particle-net-infer")


class Pair(NamedTuple):
    """A network in both codes, with the same weights, and what each is called with, batch by batch."""

    ours: nn.Module
    theirs: nn.Module
    batches: list[Batch]
    given: list[tuple[Any, ...]]


def compare(name: str, words: Words, scratch: Path) -> Iterator[Comparison]:
    """Their time over ours."""
    network, _, what = name.rpartition("-")
    batch, threads = words.number("batch", 128), words.number("threads", 2)
    torch.set_num_threads(threads)
    folder = words.folders[0] if words.folders else write_sample(scratch / "jets", 5000)
    peer = words.options.get("peer", PEERS.get(network, "weaver-core"))
    if "peer" in words.options and (name, peer) != ("part-infer", RUNTIME):
        raise SystemExit(
            f"the only peer to choose is {RUNTIME}, for part-infer: python -m benchmarks part-infer peer={RUNTIME}"
        )
    exported = "exported" in words.options
    if exported and (name not in EXPORTED or words.options["exported"] != "true"):
        raise SystemExit(f"exported=true is for {' and '.join(EXPORTED)}: leave it out otherwise")
    setting = (network, peer, folder, scratch, batch, words.number("batches", 4 if batch > 1 else 100))
    flops = operations(both(*setting), what)
    setting = (*setting, exported)
    equality, jets = equal_logits(pair := both(*setting)), sum(len(batch) for batch in pair.batches)
    work = {side: (prepare, side == "jetkit", what, *setting) for side in ("jetkit", peer)}
    limit = f"{flops / 1e9:.0f} GFLOP of matrix products"
    with apart(work, threads) as sides:
        seconds = in_turns({**sides, limit: lambda: multiply(flops)}, words.number("pairs", PAIRS))
    limits = {limit: seconds.pop(limit)}
    yield Comparison(
        name,
        seconds,
        jets,
        "jets",
        equality,
        machine("weaver-core", "lgatr", RUNTIME),
        words.said("batch", "peer", "exported"),
        limits,
    )


def prepare(ours: bool, what: str, *setting: Any) -> Work:
    """A turn of one side."""
    if ours:
        keep_freed_memory()
    pair = both(*setting)
    model = pair.ours if ours else pair.theirs
    given = [(batch,) for batch in pair.batches] if ours else pair.given
    if what == "train":
        return training(model, given, pair.batches)
    shares = ours and not isinstance(model, OurGraph)
    return lambda: list(side_by_side(inference(model), given)) if shares else [*map(inference(model), given)]


def both(
    network: str, peer: str, folder: Path, scratch: Path, batch: int, batches: int, exported: bool = False
) -> Pair:
    """The same in every process."""
    torch.manual_seed(1)
    loader = open_dataset(folder).batches(features="full", batch=batch, length=LENGTH, seed=1)
    taken = [batch.with_targets(label=batch.label.clamp(0, len(CLASSES) - 1)) for batch in islice(loader, batches)]
    spec = Spec.of(feature_names("full"), classes=CLASSES)
    given: list[tuple[Any, ...]] = [(one,) for one in taken]
    if network == "lorentz-net":
        lorentz = Classify(LorentzNet(spec), spec)
        return Pair(lorentz, EdgeListLorentzNet(lorentz), taken, given)
    if network == "l-gatr":
        l_gatr = Classify(LGATr(spec), spec)
        return Pair(l_gatr, PaddedLGATr(l_gatr), taken, given)
    theirs = weaver_network(network, taken[0].x.shape[2])
    file = scratch / f"weaver-{os.getpid()}.pt"
    torch.save({f"mod.{key}": value for key, value in theirs.state_dict().items()}, file)
    ours, _ = import_model(file, "weaver", classes=CLASSES)
    inputs = [weaver_inputs(network, one) for one in taken]
    ours = OurGraph(ours, network, scratch) if exported else ours
    return Pair(ours, Exported(theirs, inputs[0], scratch) if peer == RUNTIME else theirs, taken, inputs)


def weaver_network(name: str, features: int, classes: int = len(CLASSES)) -> Any:
    """A network of weaver-core with the sizes of the JetClass trainings."""
    logging.getLogger("weaver").setLevel(logging.ERROR)
    if name == "part":
        from weaver.nn.model.ParticleTransformer import ParticleTransformer

        return ParticleTransformer(features, classes, use_pre_activation_pair=False)
    if name == "particle-next":
        from weaver.nn.model.ParticleNeXt import ParticleNeXt

        network = ParticleNeXt(features, num_classes=classes)
        for key, value in network.named_parameters():
            if key.endswith("gamma"):  # with 1e-5, where they begin, layers hardly count in the logits
                nn.init.normal_(value, std=0.5)
        return network
    from weaver.nn.model.ParticleNet import ParticleNet

    blocks = [(16, (width,) * 3) for width in (64, 128, 256)]
    return ParticleNet(features, classes, blocks, [(256, 0.1)], use_fusion=False)


def weaver_inputs(name: str, batch: Batch) -> tuple[Tensor, ...]:
    """Features, momenta and mask as (B, C, 128)."""
    assert batch.p4 is not None
    more = (0, LENGTH - batch.mask.shape[1])
    x, p4 = (F.pad(table.mT, more).contiguous() for table in (batch.x, batch.p4.roll(-1, 2)))
    mask = F.pad(batch.mask, more)[:, None]
    points = x[:, -2:].contiguous()
    return {"part": (x, p4, mask), "particle-net": (points, x, mask), "particle-next": (points, x, p4, mask)}[name]


def equal_logits(pair: Pair) -> str:
    """How far the logits are apart.

    Raises:
        SystemExit: they are not the same.
    """
    with torch.inference_mode():
        mine = torch.cat([pair.ours.eval()(batch) for batch in pair.batches]).log_softmax(1)
        other = torch.cat([pair.theirs.eval()(*one) for one in pair.given]).log_softmax(1)
    apart, spread = (mine - other).abs().max().item(), other.std(0).mean().item()
    if not apart < TOLERANCE:
        raise SystemExit(f"the logits differ by {apart:.2g}, more than {TOLERANCE:g}: nothing was timed")
    return f"logits equal to {apart:.1g}, their spread is {spread:.2g}"


def operations(pair: Pair, what: str) -> float:
    """Floating-point operations of a turn of ours, in matrix products."""
    with FlopCounterMode(display=False) as counter:
        if what == "train":
            training(pair.ours, [(batch,) for batch in pair.batches], pair.batches)()
        else:
            with torch.no_grad():
                for batch in pair.batches:
                    pair.ours.eval().requires_grad_(False)(batch)
    return float(counter.get_total_flops())


def multiply(flops: float) -> None:
    """Matrix products with so many operations."""
    a, b = torch.ones(2, SIDE, SIDE)
    for _ in range(max(1, round(flops / (2 * SIDE**3)))):
        a @ b


def training(model: nn.Module, given: list[tuple[Any, ...]], batches: list[Batch]) -> Callable[[], None]:
    """A step on each batch."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def steps() -> None:
        model.train()
        for one, batch in zip(given, batches, strict=True):
            optimiser.zero_grad()
            F.cross_entropy(model(*one), batch.label).backward()
            optimiser.step()

    return steps


def inference(model: nn.Module) -> Callable[[tuple[Any, ...]], None]:
    """Scores of a batch."""

    @torch.inference_mode()
    def scores(given: tuple[Any, ...]) -> None:
        model.eval()(*given)

    return scores
