"""Typed keyword arguments of `jetkit.api`, for editors and type checkers, by ``python tests/keywords.py``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict


class Simulate(TypedDict, total=False):
    """Options of `jetkit.simulate`."""

    jets: int
    out: str | os.PathLike[str]
    seed: int
    workers: int
    scheduler: str
    shard: int
    twin: Literal["none", "reshower", "rehadronise", "redetect"]
    variation: str
    detector: str


class Convert(TypedDict, total=False):
    """Options of `jetkit.convert`."""

    out: str | os.PathLike[str]
    workers: int
    shard: int


class Train(TypedDict, total=False):
    """Options of `jetkit.train`."""

    data: str | os.PathLike[str]
    hyperparameters: Mapping[str, Any]
    task: str
    method: Mapping[str, Any]
    smoothing: float
    tokeniser: str | os.PathLike[str]
    parts: Mapping[str, Any]
    plugins: Sequence[str]
    out: str | os.PathLike[str]
    seed: int
    seeds: int
    features: Any
    row: Sequence[Any] | None
    length: int
    targets: Any
    arrays: Any
    links: Sequence[str]
    weight: str | None
    fractions: Sequence[float]
    only: Sequence[str]
    train_jets: int | None
    balanced: bool
    subset: int
    reweight: Literal["none", "classes", "kinematics"]
    labels: Literal["true", "shuffled"]
    start: str | os.PathLike[str]
    mode: Literal["finetune", "freeze", "scratch", "random-freeze"]
    backbone_rate: float
    layer_decay: float
    frozen_epochs: int
    lora: int
    aggregator: Literal["pretrained", "fresh"]
    epochs: int
    passes: int
    batch: int
    lr: float | Literal["auto"]
    optimiser: str
    weight_decay: float
    schedule: str
    clip: float | None
    ema: float | None
    patience: int | None
    select: str
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "64-true"]
    accelerator: str
    devices: int
    nodes: int
    threads: int | None
    checkpoint: float


class Evaluate(TypedDict, total=False):
    """Options of `jetkit.evaluate`."""

    data: str | os.PathLike[str]
    part: Literal["", "test", "val", "train", "all"]
    comparisons: Sequence[str] | None
    efficiencies: Sequence[float]
    batch: int
    replicas: int
    seed: int


class Predict(TypedDict, total=False):
    """Options of `jetkit.predict`."""

    data: str | os.PathLike[str]
    part: str
    columns: Sequence[str]
    out: str | os.PathLike[str]
    batch: int


class Report(TypedDict, total=False):
    """Options of `jetkit.report`."""

    data: str | os.PathLike[str]
    part: Literal["", "test", "val", "train", "all"]
    comparisons: Sequence[str] | None
    efficiencies: Sequence[float]
    batch: int
    replicas: int
    seed: int
    out: str | os.PathLike[str]


class Leaderboard(TypedDict, total=False):
    """Options of `jetkit.leaderboard`."""

    models: Sequence[str]
    budget: str
    data: str | os.PathLike[str]
    jets: int
    fractions: Sequence[float]
    features: str
    ensembles: bool
    out: str | os.PathLike[str]
    seed: int
    threads: int
    workers: int
    train: Mapping[str, Any]


class Scaling(TypedDict, total=False):
    """Options of `jetkit.scaling`."""

    data: str | os.PathLike[str]
    widths: Sequence[int | Sequence[int]]
    hyperparameter: Sequence[str]
    sizes: Sequence[int]
    seeds: int
    seed: int
    replicas: int
    out: str | os.PathLike[str]
    model: Mapping[str, Any]
    train: Mapping[str, Any]


class Transfer(TypedDict, total=False):
    """Options of `jetkit.transfer`."""

    labels: Sequence[int]
    modes: Sequence[Literal["finetune", "freeze", "scratch", "random-freeze"]]
    seeds: int
    rates: Sequence[float]
    head_rates: Sequence[float]
    steps: Sequence[int]
    batch: int
    data: str | os.PathLike[str]
    jets: int
    fractions: Sequence[float]
    out: str | os.PathLike[str]
    seed: int
    threads: int
    workers: int
    train: Mapping[str, Any]


class Reproduce(TypedDict, total=False):
    """Options of `jetkit.reproduce`."""

    budget: float
    data: str | os.PathLike[str]
    test_jets: int
    validation_jets: int
    out: str | os.PathLike[str]
    precision: Literal["32-true", "bf16-mixed", "16-mixed"]
    threads: int | None
    workers: int
    seed: int
    seeds: int


class Ensemble(TypedDict, total=False):
    """Options of `jetkit.ensemble`."""

    method: Literal["mean", "median", "stack"]
    f: Sequence[int]
    out: str | os.PathLike[str]
    batch: int
    seed: int


class Examine(TypedDict, total=False):
    """Options of `jetkit.examine`."""

    test: Sequence[str]
    data: str | os.PathLike[str]
    jets: int
    tolerance: float
    seed: int


class Embed(TypedDict, total=False):
    """Options of `jetkit.embed`."""

    data: str | os.PathLike[str]
    out: str | os.PathLike[str]
    batch: int


class Generate(TypedDict, total=False):
    """Options of `jetkit.generate`."""

    jets: int
    out: str | os.PathLike[str]
    longest: int
    batch: int
    steps: int
    judge: bool
    seed: int
    threads: int
