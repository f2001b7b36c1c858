"""Write the files of the first format that lie here, with what the code of then gave for them.

It ran on the commit 1f2aa66, whose model files have the version 1, and does not run on a later one:

    git worktree add /tmp/base 1f2aa66
    PYTHONPATH=/tmp/base/src python tests/training/first_format/make.py

Only `inputs` is used by the tests.
"""

import json
import os
import runpy
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

HERE = Path(__file__).resolve().parent
SEED = 5
COMMON = ["data=toy", "features=kin", "batch=50", "lr=3e-3", "threads=1", "accelerator=cpu"]
SIZES = {
    "pfn": ["model.phi=[8,8]", "model.f=[8]", "epochs=2", "smoothing=0.1", "fractions=[0.7,0.2,0.1]"],
    "part": ["model.width=8", "model.depth=1", "model.class_depth=1", "model.heads=2", "model.pair_widths=[4]"],
    "p-jepa": ["method.width=8", "method.heads=2", "method.depth=1", "epochs=1"],
    "observables-bdt": ["model.trees=4", "model.leaves=4"],
    "lda": ["model.bins=[3,2,2,1,2]", "model.masses=[10,200]", "epochs=1"],
}


def inputs(seed, features=7, jets=6, longest=9):
    """Return x, mask and p4 of some jets as arrays in double precision; numpy's generators do not change."""
    random = np.random.default_rng(seed)
    mask = np.arange(longest) < random.integers(3, longest + 1, jets)[:, None]
    pt, y, phi = random.exponential(30, mask.shape) + 1, *random.normal(0, 0.2, (2, *mask.shape))
    p4 = np.stack([pt * np.cosh(y), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(y)], -1)
    x = random.normal(size=(*mask.shape, features))
    return x * mask[..., None], mask, p4 * mask[..., None]


def main():
    import torch
    from jetkit.training.adapting import adapt_options
    from jetkit.training.pretraining import pretrain_options

    from jetkit.data.cloud import Cloud
    from jetkit.store.model_file import load_model
    from jetkit.store.options import train_options
    from jetkit.training.run import train

    torch.set_num_threads(1)
    toy = runpy.run_path(str(HERE.parents[2] / "benchmarks" / "toy_jets.py"))
    arrays = [torch.from_numpy(array) for array in inputs(SEED)]
    cloud = Cloud(x=arrays[0].float(), mask=arrays[1], p4=arrays[2].float())
    expected = {}
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        toy["write_toy_jets"](Path("toy"), 300)
        runs = {name: train_options(name, [*COMMON, *SIZES[name]]) for name in ("pfn", "observables-bdt", "lda")}
        runs["part"] = pretrain_options("p-jepa", [*COMMON, *SIZES["part"], *SIZES["p-jepa"], "out=runs/part"])
        for name, options in runs.items():
            train(options)
            model = load_model(f"runs/{name}/model.safetensors")
            with torch.no_grad():
                found = model.encode(cloud) if name == "part" else model(cloud)
            expected[name] = found.double().tolist()
            if name != "pfn":
                keep(Path(f"runs/{name}/model.safetensors"), HERE / f"{name}.safetensors")
        train(adapt_options("runs/part", ["data=toy", "out=runs/adapted", "epochs=1", "mode=freeze", "threads=1"]))
        for name in ("run.json", "log.jsonl", "model.safetensors", "checkpoint.safetensors"):
            keep(Path("runs/pfn") / name, HERE / "run" / name)
        for name in ("part", "adapted"):
            keep(Path("runs") / name / "run.json", HERE / f"{name}-run.json")
    (HERE / "expected.json").write_text(json.dumps({"seed": SEED, "outputs": expected}, indent=1) + "\n")


def keep(source, target):
    """Copy a file that is small enough."""
    content = source.read_bytes()
    assert len(content) < 20_000, (source, len(content))
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(content)


if __name__ == "__main__":
    main()
