"""Measurements beside peers: ``python -m benchmarks NAME [FOLDER] [key=value …]``."""

from __future__ import annotations

import sys
import tempfile
from importlib import import_module
from pathlib import Path

from benchmarks.words import Words

NETWORKS = ("part", "particle-net", "particle-next", "lorentz-net", "l-gatr")
COMPARISONS = {
    "simulate": ("simulate", "the whole simulator beside the bare generator, on the same events"),
    "loading": ("loading", "our loader beside weaver-core's, from the same files"),
    **{f"{name}-train": ("networks", f"training step of {name} beside the peer, same weights") for name in NETWORKS},
    **{f"{name}-infer": ("networks", f"inference of {name} beside the peer, same weights") for name in NETWORKS},
    "epoch": ("epoch", "an epoch of the Particle Transformer from disk beside weaver-core's"),
    "attention": ("passes", "attention of particles with its gradient beside the same in operations of PyTorch"),
    "gelu": ("passes", "GELU and dropout with their gradient beside the same in operations of PyTorch"),
    "efp": ("observables", "energy flow polynomials beside EnergyFlow"),
    "converting": ("converting", "JetClass ROOT files into a dataset, beside weaver-core reading them"),
    "growth": ("growth", "time and memory of a training on ten times the jets"),
    "processes": ("processes", "two processes of a thread each beside one of two threads"),
    "pelican-maps": ("pelican_maps", "the maps between tables of pairs beside pelican-lite's, same coefficients"),
    "substructure": ("observables", "N-subjettiness, soft drop and Lund plane beside FastJet"),
}
"""Ours and a peer's in turns: name → (file, what it compares)."""
MEASUREMENTS = {
    "window": "what the parton window of the simulator saves and what it loses",
    "workers": "two workers of the simulator beside one",
    "memory": "resident memory while simulating and while streaming",
    "detector": "our detector on the generated particles of two published Delphes files",
    "moments": "moments of simulated jets beside published ones",
    "pretraining": "a step of each pretraining method over a supervised one",
    "resume": "trainings killed at random moments and resumed, beside the same ones left alone",
    "versions": "this version beside another checkout, the same work in turns",
    "fuzz": "mutated model files: how many are refused, and how fast",
}
"""Numbers of other kinds: name of the file → what it measures."""
EVERY = [
    "loading",
    "part-train",
    "part-infer",
    "part-infer batch=1",
    "part-infer peer=onnxruntime",
    "part-infer batch=1 peer=onnxruntime",
    "part-infer batch=1 exported=true pairs=15",
    "part-infer batch=1 exported=true peer=onnxruntime pairs=15",
    "particle-net-train",
    "particle-net-infer",
    "particle-next-train batch=32 batches=1",
    "particle-next-infer batch=32 batches=1",
    "lorentz-net-train",
    "l-gatr-train batch=32 batches=1",
    "l-gatr-infer batch=32 batches=1",
    "pelican-maps",
    "epoch",
    "epoch statistics=shared",
    "attention",
    "gelu",
    "efp",
    "substructure",
    "simulate",
    "processes",
    "growth",
]
"""What ``all`` compares."""


def main() -> None:
    name, *words = sys.argv[1:] or ["--help"]
    if name in COMPARISONS:
        compare(name, words)
    elif name == "all":
        for line in EVERY:
            compare(*_split(line), words)
    elif name in (*MEASUREMENTS, "page"):
        import_module(f"benchmarks.{name}").main(words)
    else:
        table = {**{key: text for key, (_, text) in COMPARISONS.items()}, **MEASUREMENTS}
        table |= {"all": "these comparisons: " + "; ".join(EVERY), "page": "the table and the picture of their results"}
        print("usage: python -m benchmarks NAME [FOLDER] [key=value …]")
        print("\n".join(f"  {key:20s} {text}" for key, text in table.items()))
        sys.exit(0 if name == "--help" else 2)


def compare(name: str, words: list[str], more: list[str] | None = None) -> None:
    """Run a comparison, print what it found, and write it into the folder ``out=``."""
    module = import_module(f"benchmarks.{COMPARISONS[name][0]}")
    given = Words([*words, *(more or [])], (*module.OPTIONS, "out"))
    with tempfile.TemporaryDirectory() as scratch:
        for found in module.compare(name, given, Path(scratch)):
            if "out" in given.options:
                found.write(Path(given.options["out"]) / f"{found.slug}.json")
            found.print()


def _split(line: str) -> tuple[str, list[str]]:
    name, *words = line.split()
    return name, words


if __name__ == "__main__":
    main()
