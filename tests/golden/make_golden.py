"""Print what models, trainings and the simulator give: ``python tests/golden/make_golden.py > golden.json``.

Weights are functions of their names, not of the random numbers with which a model begins, so that the numbers stay the
same where layers are made in another order.
"""

import json
import os
import runpy
import sys
import zlib
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from jetkit.data.cloud import CloudSpec
from jetkit.data.features import FEATURE_SETS
from jetkit.registry import create, entries
from jetkit.testing import random_cloud

SPEC = CloudSpec(tuple(f.name for f in FEATURE_SETS["full"]), classes=("QCD", "W", "top"))
LOSSES = ("pfn", "particle-net", "part", "p-jepa", "mpm", "omni-learn")
SMALL = {
    "pfn": ["model.phi=[16,16]", "model.f=[16]"],
    "particle-net": ["model.widths=[16,32]", "model.k=4", "model.f=32"],
    "part": ["model.width=16", "model.depth=2", "model.heads=2", "model.pair_widths=[8]", "model.dropout=0.1"],
    "p-jepa": ["method.width=8", "method.depth=1", "method.heads=2"],
    "mpm": ["method.width=8", "method.depth=1", "method.heads=2", "method.clusters=4"],
    "omni-learn": ["model.width=16", "model.depth=2", "model.heads=2", "model.neighbours=4"],
}
FITS = {
    "observables-bdt": ["model.trees=20", "model.leaves=8"],
    "lda": ["model.bins=[4,4,3,3,4]", "epochs=2"],
    "bip": ["model.order=2", "model.levels=4", "model.f=[8]", "epochs=2"],
}
NAMES = {"head.": "heads.label."}


def shown(name):
    """The name of a parameter today."""
    for old, new in NAMES.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


@torch.no_grad()
def fill(module, prefix=""):
    for name, weight in module.named_parameters():
        name = shown(name)
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        noise = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
        if weight.ndim >= 2:
            value = noise / (weight.numel() / weight.shape[0]) ** 0.5
        else:
            value = 0.1 * noise + (1.0 if name.endswith(("weight", "scale")) else 0.0)
        weight.copy_(value)


def logits():
    cloud = random_cloud(SPEC, jets=6, particles=(2, 25), seed=11)
    found = {}
    for entry in entries("tagger"):
        torch.manual_seed(0)
        model = create(entry.name, SPEC, entry.tiny).double().eval()
        fill(model)
        with torch.no_grad():
            learned = model.learns_by
            found[entry.name] = (model.encode(cloud) if learned in ("boosting",) else model(cloud)).tolist()
            if learned == "counting":
                found[entry.name] = model.words(cloud)[0].tolist()
    return found


def losses(folder, precision):
    from jetkit.train.checkpoint import set_random_state
    from jetkit.train.loop import rehearse
    from jetkit.train.options import train_options
    from jetkit.train.pretraining import pretrain_options
    from jetkit.train.run import assemble, make_fabric

    found = {}
    for name in LOSSES:
        words = [
            f"data={folder}",
            "features=kin",
            "batch=32",
            "epochs=2",
            "threads=1",
            "accelerator=cpu",
            "lr=1e-3",
            f"precision={precision}",
            *SMALL[name],
        ]
        if name not in ("pfn", "particle-net", "part") and name != "omni-learn":
            words += SMALL["part"]
        options = (
            train_options(name, words) if name in ("pfn", "particle-net", "part") else pretrain_options(name, words)
        )
        fabric = make_fabric(options)
        training, _ = assemble(options, fabric, lambda *a: None)
        task = training.task.module
        fill(task.model)
        rest = [(n, p) for n, p in task.named_parameters() if not n.startswith("model.")]
        for n, p in rest:
            holder = torch.nn.ParameterDict({"x": p})
            generator = torch.Generator().manual_seed(zlib.crc32(n.encode()))
            with torch.no_grad():
                noise = torch.randn(p.shape, generator=generator, dtype=torch.float64)
                p.copy_(
                    noise / (p.numel() / p.shape[0]) ** 0.5
                    if p.ndim >= 2
                    else 0.1 * noise + (1.0 if n.endswith(("weight", "scale")) else 0.0)
                )
        if name == "p-jepa":
            task.target.load_state_dict(task.model.state_dict())
        training.task.train()
        found[name] = []
        for step, cloud in enumerate(islice((c for _ in range(9) for c in training.train), 20)):
            set_random_state(1, 0, step)
            found[name].append(rehearse(training, cloud, 1e-3).item())
            task.after_step((step + 1) / 20)
    return found


def fits(folder):
    from jetkit.train.loop import read_log
    from jetkit.train.options import train_options
    from jetkit.train.run import train

    found = {}
    for name, words in FITS.items():
        options = train_options(
            name, [f"data={folder}", f"out={folder.parent}/{name}", "features=kin", "threads=1", *words]
        )
        (run,) = train(options)
        found[name] = [line["validation"] for line in read_log(run)]
    return found


def simulated(folder):
    import hashlib

    from jetkit.config import names
    from jetkit.simulate import simulate
    from jetkit.simulate.options import Options

    found = {}
    for recipe in names("datasets"):
        out = simulate(recipe, Options(jets=40, out=str(folder / recipe), seed=1, workers=1), lambda *a: None)
        found[recipe] = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(Path(out).glob("*.parquet"))]
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    toys = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "toy_jets.py"))["write_toy_jets"]
    with TemporaryDirectory() as place:
        data = toys(Path(place) / "toy", 900)
        content = {
            "logits": logits(),
            "losses": losses(data, "64-true"),
            "losses32": losses(data, "32-true"),
            "fits": fits(data),
            "datasets": simulated(Path(place)),
        }
    json.dump(content, sys.stdout, indent=1)
