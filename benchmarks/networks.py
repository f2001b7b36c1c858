"""Training steps and inference beside other code for the same networks, with the same weights on the same jets.

    python -m benchmarks part-train|part-infer|particle-net-train|particle-net-infer|lorentz-net-train [FOLDER]
        [batch=128] [batches=4] [threads=2] [pairs=5] [out=FILE.json]

FOLDER is a dataset with the features ``full``, such as one of `jetkit simulate jetclass`; without one the jets are
synthetic, with the multiplicities of JetClass. Networks and sizes are those of the JetClass trainings (10 classes).
weaver-core gets its own layout: padded to 128 particles, as its loader gives them, of which its networks cut what no
jet of a batch needs. Before the clock runs, the logits of both are compared in evaluation mode. A training step is
loss, gradient and AdamW, in float32. The peer of LorentzNet is `benchmarks.edge_list`.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.edge_list import EdgeListLorentzNet
from benchmarks.interleaved import Comparison, in_turns
from benchmarks.loading import write_sample
from jetkit.data.cloud import Cloud, CloudSpec
from jetkit.data.dataset import Dataset, open_dataset
from jetkit.data.features import feature_names
from jetkit.models.lorentz_net import LorentzNet
from jetkit.train.foreign import import_model
from jetkit.train.memory import keep_freed_memory

LENGTH = 128
CLASSES = tuple(f"class {number}" for number in range(10))
TOLERANCE = 1e-4
Inputs = tuple[Tensor, ...]


def main(arguments: list[str]) -> None:
    name, *rest = arguments
    options = dict(argument.split("=") for argument in rest if "=" in argument)
    folders = [argument for argument in rest if "=" not in argument]
    torch.set_num_threads(int(options.get("threads", 2)))
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(folders[0]) if folders else write_sample(Path(scratch) / "jets", 5000)
        clouds = batches(open_dataset(folder), int(options.get("batch", 128)), int(options.get("batches", 4)))
        found = compare(name, clouds, Path(scratch), int(options.get("pairs", 5)))
    if "out" in options:
        found.write(Path(options["out"]))
    found.print()


def batches(dataset: Dataset, size: int, count: int) -> list[Cloud]:
    loader = dataset.batches(features="full", batch=size, length=LENGTH, seed=1)
    return [cloud.replace(label=cloud.label.clamp(0, len(CLASSES) - 1)) for cloud in islice(loader, count)]


def compare(name: str, clouds: list[Cloud], scratch: Path, pairs: int) -> Comparison:
    """Their time over ours."""
    network, _, what = name.rpartition("-")
    torch.manual_seed(1)
    given: list[tuple[Any, ...]] = [(cloud,) for cloud in clouds]
    if network == "lorentz-net":
        ours: Any = LorentzNet(CloudSpec(feature_names("full"), classes=CLASSES))
        theirs, peer = EdgeListLorentzNet(ours), "lists of edges"
    else:
        theirs, peer = weaver_network(network, clouds[0].x.shape[2]), "weaver-core"
        torch.save({f"mod.{key}": value for key, value in theirs.state_dict().items()}, scratch / "weaver.pt")
        ours, _ = import_model(scratch / "weaver.pt", "weaver", classes=CLASSES)
        given = [weaver_inputs(network, cloud) for cloud in clouds]
    equality = equal_logits(ours, theirs, clouds, given)
    if what == "train":
        mine, other = training(ours, [(cloud,) for cloud in clouds], clouds), training(theirs, given, clouds)
    else:
        mine, other = inference(ours, [(cloud,) for cloud in clouds]), inference(theirs, given)
    jets = sum(len(cloud) for cloud in clouds)
    return in_turns(
        name,
        mine,
        other,
        peer=peer,
        amount=jets,
        unit="jets",
        equality=equality,
        pairs=pairs,
        packages=("weaver-core",),
    )


def weaver_network(name: str, features: int) -> Any:
    logging.getLogger("weaver").setLevel(logging.ERROR)
    if name == "part":
        from weaver.nn.model.ParticleTransformer import ParticleTransformer

        return ParticleTransformer(features, len(CLASSES), use_pre_activation_pair=False)
    from weaver.nn.model.ParticleNet import ParticleNet

    blocks = [(16, (width,) * 3) for width in (64, 128, 256)]
    return ParticleNet(features, len(CLASSES), blocks, [(256, 0.1)], use_fusion=False)


def weaver_inputs(name: str, cloud: Cloud) -> Inputs:
    """Features, momenta and mask as (B, C, 128)."""
    assert cloud.p4 is not None
    more = (0, LENGTH - cloud.mask.shape[1])
    x, p4 = (F.pad(table.mT, more).contiguous() for table in (cloud.x, cloud.p4.roll(-1, 2)))
    mask = F.pad(cloud.mask, more)[:, None]
    return (x, p4, mask) if name == "part" else (x[:, -2:].contiguous(), x, mask)


def equal_logits(ours: nn.Module, theirs: nn.Module, clouds: list[Cloud], given: list[Inputs]) -> str:
    """How far the logits are apart.

    Raises:
        SystemExit: they are not the same.
    """
    with torch.inference_mode():
        mine = torch.cat([ours.eval()(cloud) for cloud in clouds])
        other = torch.cat([theirs.eval()(*one) for one in given])
    apart, spread = (mine - other).abs().max().item(), other.std(0).mean().item()
    if not apart < TOLERANCE:
        raise SystemExit(f"the logits differ by {apart:.2g}, more than {TOLERANCE:g}: nothing was timed")
    return f"logits equal to {apart:.1g}, their spread is {spread:.2g}"


def training(model: nn.Module, given: list[tuple[Any, ...]], clouds: list[Cloud]) -> Callable[[], None]:
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def steps() -> None:
        model.train()
        for one, cloud in zip(given, clouds, strict=True):
            optimiser.zero_grad()
            F.cross_entropy(model(*one), cloud.label).backward()
            optimiser.step()

    return steps


def inference(model: nn.Module, given: list[tuple[Any, ...]]) -> Callable[[], None]:
    def scores() -> None:
        model.eval()
        with torch.inference_mode():
            for one in given:
                model(*one)

    return scores
