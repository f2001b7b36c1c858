"""What models, trainings and the simulator gave before the contract of batches, tasks and options was made.

``golden.json`` was made at 1f2aa66 by the script of that name in the history of this file; this one computes the same
with today's names: ``python tests/golden/make_golden.py > new.json``. Weights are functions of their names of that
time, and not of the random numbers with which a model begins, so that the numbers stay the same where layers are made
in another order. The fit of ``lda`` is that of scikit-learn, which begins with other random topics.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import runpy
import sys
import zlib
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import nn

import jetkit.models  # noqa: F401 - registers the models
from jetkit.config import names
from jetkit.data.features import feature_names
from jetkit.data.spec import Spec
from jetkit.models.lda import LDA
from jetkit.models.model import MODELS
from jetkit.registry import create, entry
from jetkit.simulation import simulate
from jetkit.simulation.options import Options
from jetkit.store.run_folder import read_log
from jetkit.tasks.classify import Classify
from jetkit.testing import random_batch
from jetkit.training.assembly import assemble
from jetkit.training.loop import rehearse
from jetkit.training.machine import make_fabric
from jetkit.training.recipes import train_options
from jetkit.training.run import train
from jetkit.training.seeds import set_random_state

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).with_name("golden.json")
SPEC = Spec.of(feature_names("full"), classes=("QCD", "W", "top"))
PART = ["model.width=16", "model.depth=2", "model.heads=2", "model.pair_widths=[8]", "model.dropout=0.1"]
SMALL = {
    "pfn": ["model.phi=[16,16]", "model.f=[16]"],
    "particle-net": ["model.widths=[16,32]", "model.k=4", "model.f=32"],
    "part": PART,
    "p-jepa": ["method.width=8", "method.depth=1", "method.heads=2", *PART],
    "mpm": ["method.width=8", "method.depth=1", "method.heads=2", "method.clusters=4", *PART],
    "omni-learn": ["model.width=16", "model.depth=2", "model.heads=2", "model.neighbours=4"],
}
"""Supervised models and pretraining methods whose first losses are kept → options of a small version."""
SUPERVISED = ("pfn", "particle-net", "part")
FITS = {
    "observables-bdt": ["model.trees=20", "model.leaves=8"],
    "lda": ["model.bins=[4,4,3,3,4]", "epochs=2"],
    "bip": ["model.order=2", "model.levels=4", "model.f=[8]", "epochs=2"],
}
"""What is trained to the end → options."""
COMMON = ["features=kin", "batch=32", "epochs=2", "threads=1", "accelerator=cpu", "lr=1e-3"]
OLD_NAMES = (
    (r"^(head|last|model\.last)\.", "heads.label."),
    (r"^model\.", ""),
    (r"(members\.taggers\.\d+)\.model\.", r"\1."),
)
"""Names of today → those of the time of the golden file."""
OF_TASKS = {"head": "heads.label", "jet_head": "jet_head"}
"""Heads of omni-learn → the names that they had in the model."""


def old_name(name: str) -> str:
    """The name that a parameter had."""
    for new, old in OLD_NAMES:
        name = re.sub(new, old, name)
    return name


@torch.no_grad()
def fill(module: nn.Module, prefix: str = "") -> None:
    """Give each parameter values that its old name decides."""
    for name, weight in module.named_parameters():
        old = old_name(prefix + name)
        noise = torch.randn(
            weight.shape, generator=torch.Generator().manual_seed(zlib.crc32(old.encode())), dtype=torch.float64
        )
        if weight.ndim >= 2:
            weight.copy_(noise / (weight.numel() / weight.shape[0]) ** 0.5)
        else:
            weight.copy_(0.1 * noise + (1.0 if old.endswith(("weight", "scale")) else 0.0))


def answer(name: str) -> list[Any]:
    """Logits of a tiny model for six jets; of trees the observables, of topics the words, which need no training."""
    batch = random_batch(SPEC, jets=6, particles=(2, 25), seed=11)
    known = entry(name, MODELS)
    torch.manual_seed(0)
    model = create(name, SPEC, known.tiny, MODELS)
    task = Classify(model, SPEC).double().eval()
    fill(task)
    with torch.no_grad():
        if isinstance(model, LDA):
            found: list[Any] = model.words(batch)[0].tolist()
        else:
            found = (model.observables(batch) if known.kind == "estimator" else task(batch)).tolist()
    return found


def losses(name: str, data: Path, precision: str) -> list[float]:
    """The first twenty losses of a training."""
    words = [f"data={data}", *COMMON, f"precision={precision}", *SMALL[name]]
    options = train_options(name, words) if name in SUPERVISED else train_options(task=name, words=words)
    training, _ = assemble(options, make_fabric(options.machine), lambda done, total, what: None)
    task = training.task
    fill(task.model)
    for head, part in task.named_children():
        if head != "model":
            fill(part, f"{OF_TASKS.get(head, head) if name == 'omni-learn' else head}.")
    own = [(head, weight) for head, weight in task.named_parameters(recurse=False)]
    for head, weight in own:
        fill(nn.ParameterDict({head: weight}))
    if name in SUPERVISED:
        fill(training.task.head, "head.")
    if name == "p-jepa":
        task.target.load_state_dict(task.model.state_dict())
    training.door.train()
    found = []
    for step, batch in enumerate(islice((batch for _ in range(9) for batch in training.train), 20)):
        set_random_state(1, 0, step)
        found.append(rehearse(training, batch, 1e-3).item())
        task.after_step((step + 1) / 20)
    return found


def fitted(name: str, data: Path, out: Path) -> list[dict[str, float]]:
    """The log of a whole training."""
    words = [f"data={data}", f"out={out}", "features=kin", "threads=1", *FITS[name]]
    (run,) = train(name, words=words)
    return [line["validation"] for line in read_log(run)]


def simulated(recipe: str, out: Path) -> list[str]:
    """Hashes of the shards of a small simulated dataset."""
    folder = simulate(recipe, Options(jets=40, out=str(out), seed=1, workers=1), lambda done, total: None)
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(Path(folder).glob("*.parquet"))]


def toy_jets(folder: Path) -> Path:
    """The jets of all trainings."""
    made: Path = runpy.run_path(str(ROOT / "benchmarks" / "toy_jets.py"))["write_toy_jets"](folder, 900)
    return made


if __name__ == "__main__":
    torch.set_num_threads(1)
    known = json.loads(GOLDEN.read_text())
    with TemporaryDirectory() as folder:
        place = Path(folder)
        data = toy_jets(place / "toy")
        content = {
            "logits": {name: answer(name) for name in known["logits"]},
            "losses": {name: losses(name, data, "64-true") for name in SMALL},
            "losses32": {name: losses(name, data, "32-true") for name in SMALL},
            "fits": {name: fitted(name, data, place / name) for name in FITS},
            "datasets": {recipe: simulated(recipe, place / "data" / recipe) for recipe in names("datasets")},
        }
    json.dump(content, sys.stdout, indent=1)
