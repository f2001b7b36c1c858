"""An epoch of the Particle Transformer from disk, beside weaver-core's own training loop, on the same jets.

    python -m benchmarks epoch [FOLDER] [jets=640] [threads=2] [processes=threads] [statistics=shared] [pairs=5]

Files to weights: reading, features, batches of 128, loss, gradient, clipping, AdamW, in float32, with the sizes of the
JetClass training. Ours is the loader and the task of a training, in two processes that share the threads and each
batch, as ``jetkit train devices=2 threads=1`` has (``processes=1``: in one); a process normalises over its own half of
a batch, or with ``statistics=shared`` over the whole one, as in ``jetkit pretrain``. weaver-core's is its loader, whole
files at once (its fastest way) with no worker process, and its ``train_classification``. Each side has processes of its
own. Without a folder the jets are synthetic (`benchmarks.jets`).
"""

from __future__ import annotations

import contextlib
import os
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

import jetkit.models  # noqa: F401 - registers the models
from benchmarks.interleaved import PAIRS, Comparison, Work, apart, in_turns, machine
from benchmarks.jets import write_sample
from benchmarks.networks import weaver_network
from benchmarks.weaver_data import LENGTH, weaver_dataset
from benchmarks.words import Words
from jetkit.cli.process import keep_freed_memory
from jetkit.data.dataset import open_dataset
from jetkit.nn.processes import processes
from jetkit.nn.shared_batch_norm import share_statistics
from jetkit.registry import create
from jetkit.tasks.classify import Classify
from jetkit.tasks.task import Losses
from jetkit.training.machine import Door
from jetkit.training.optimisers import make_optimiser

OPTIONS = ("jets", "threads", "processes", "statistics", "pairs")
BATCH = 128


def compare(name: str, words: Words, scratch: Path) -> Iterator[Comparison]:
    """Their time over ours."""
    threads = words.number("threads", 2)
    torch.set_num_threads(threads)
    folder = words.folders[0] if words.folders else write_sample(scratch / "jets", words.number("jets", 640))
    if words.options.get("statistics", "shared") != "shared":
        raise SystemExit("statistics are shared, or else each process has its own: write statistics=shared or nothing")
    shared = "statistics" in words.options
    work = {"jetkit": (our_epoch, folder, shared), "weaver-core": (their_epoch, folder, scratch)}
    with apart(work, threads, jetkit=words.number("processes", threads)) as sides:
        seconds = in_turns(sides, words.number("pairs", PAIRS))
    jets = len(open_dataset(folder))
    ours, theirs = (sum(weight.numel() for weight in model.parameters()) for model in _networks(folder))
    equality = f"the same jets; {ours:,} and {theirs:,} parameters; part-train compares the logits"
    yield Comparison(name, seconds, jets, "jets", equality, machine("weaver-core"), words.said(*OPTIONS[:-1]))


def _networks(folder: Path) -> tuple[Classify, torch.nn.Module]:
    spec = open_dataset(folder).spec("full")
    return Classify(create("part", spec), spec), weaver_network("part", len(spec.features), len(spec.classes))


def our_epoch(folder: Path, shared: bool) -> Work:
    """Loader and task, as in a training; whether processes share the statistics of a batch."""
    keep_freed_memory()
    dataset, world = open_dataset(folder), processes()
    rank = torch.distributed.get_rank() if world > 1 else 0
    task = _networks(folder)[0].train()
    if shared:
        share_statistics(task)
    door: torch.nn.Module = Door(task)
    door = DistributedDataParallel(door) if world > 1 else door
    optimiser = make_optimiser("adamw", [{"params": list(task.parameters())}], lr=1e-4, fused=True)

    def epoch() -> None:
        options = {"features": "full", "batch": BATCH // world, "length": LENGTH, "rank": rank, "world_size": world}
        for batch in dataset.batches(**options):
            optimiser.zero_grad()
            losses: Losses = door(lambda task, batch=batch: task.loss(batch))
            losses.total.backward()
            torch.nn.utils.clip_grad_norm_(task.parameters(), 1.0)
            optimiser.step()

    return epoch


class _Network(torch.nn.Module):
    """Called with points, features, momenta and mask, as weaver-core's network files have it."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, points: object, features: object, vectors: object, mask: object) -> torch.Tensor:
        return self.network(features, v=vectors, mask=mask)


def their_epoch(folder: Path, scratch: Path) -> Work:
    """The loop of its training command."""
    from torch.utils.data import DataLoader
    from weaver.utils.nn.tools import train_classification

    network = _Network(_networks(folder)[1])
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4)
    options = {"args": Namespace(use_amp=False, amp_dtype="none")}

    def epoch() -> None:
        loader = DataLoader(weaver_dataset(open_dataset(folder), scratch, 1.0), batch_size=BATCH)
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
            train_classification(network, F.cross_entropy, optimiser, None, loader, "cpu", 0, extra_args=options)

    return epoch
