"""Measurements against peers: ``python -m benchmarks NAME [options]``."""

import sys
from importlib import import_module

NAMES = {
    "simulate": "time of the bare generator over time of the whole chain, and two workers over one",
    "memory": "resident memory while simulating and while streaming",
    "detector": "our detector on the generated particles of two published Delphes files",
    "moments": "moments of simulated jets beside published ones",
    "converting": "JetClass ROOT files into a dataset, beside weaver-core reading them",
    "loading": "our loader beside weaver-core's on the same jets",
    "observables": "our observables beside the bare fastjet calls",
    **{
        f"{network}-{what}": f"{words} of {network} beside weaver-core's, same weights"
        for network in ("part", "particle-net")
        for what, words in (("train", "training step"), ("infer", "inference"))
    },
    "lorentz-net-train": "training step of LorentzNet beside the published formulation with lists of edges",
    "pretraining": "a step of each pretraining method over a supervised one",
    "resume": "trainings killed at random moments and resumed, beside the same ones left alone",
    "fuzz": "mutated model files: how many are refused, and how fast",
}


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        print("usage: python -m benchmarks NAME [options]\n" + "\n".join(f"  {k:20s} {v}" for k, v in NAMES.items()))
        sys.exit(0 if len(sys.argv) < 2 else 2)
    if sys.argv[1].endswith(("-train", "-infer")):
        import_module("benchmarks.networks").main(sys.argv[1:])
    else:
        import_module(f"benchmarks.{sys.argv[1]}").main(sys.argv[2:])


if __name__ == "__main__":
    main()
