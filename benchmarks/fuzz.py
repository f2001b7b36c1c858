"""Mutated model files: each must be refused by one sentence, or be the model that it was, within a second.

``python -m benchmarks fuzz files=10000 [seed=1]``. Two kinds in turn: bytes changed anywhere, which the checksum should
catch, and headers edited with the checksum made right again, which only the checks of their content can catch.
"""

import random
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.words import Words
from jetkit.data.spec import Spec
from jetkit.errors import JetkitError
from jetkit.registry import create, hyperparameters
from jetkit.store.model_file import ModelCard, load_model, save_model
from jetkit.store.tensor_file import read_tensors, write_tensors
from jetkit.tasks.classify import Classify
from jetkit.tasks.task import TASK

SPEC = Spec.of(("part_deta", "part_dphi"), classes=("QCD", "top"), units={"part_deta": "1"})
SMALL = {
    "pfn": {"phi": [4, 4], "f": [4]},
    "part": {"width": 8, "depth": 1, "class_depth": 1, "heads": 2, "pair_widths": [4]},
}
VALUES = (
    None, True, False, -1, 0, 1, 3, 1000, 65536, 2**31, 2**63, 10**300, 1e308, -0.0, 0.5, "", "pfn", "part", "\ud800",
    "a\nb", "x" * 100_000, [], {}, [[]], [None], ["a"], [3], [3] * 2000, {"": 0}, {"a": {"b": [{}]}},
)  # fmt: skip


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Bytes with one to three places flipped, left out, doubled or filled with noise."""
    for _ in range(chance.randint(1, 3)):
        end = len(content) if chance.random() < 0.5 else min(len(content), 2000)
        place, size = chance.randrange(max(end, 1)), chance.choice((1, 1, 2, 8, 64, 1000))
        piece = content[place : place + size]
        new = chance.choice(
            (b"", piece + piece, chance.randbytes(len(piece)), chance.randbytes(size) + piece, b"\0" * size)
        )
        content = content[:place] + new + (content[place + size :] if chance.random() < 0.9 else b"")
    return content


def edited(value: Any, chance: random.Random) -> Any:
    """A copy of plain values with something in it changed, renamed, left out or nested deeply."""
    if isinstance(value, dict | list) and value and chance.random() < 0.9:
        copy = dict(value) if isinstance(value, dict) else list(value)
        key = chance.choice(list(copy)) if isinstance(copy, dict) else chance.randrange(len(copy))
        part = copy.pop(key) if chance.random() < 0.15 else copy[key]
        if isinstance(copy, dict) and key not in copy and chance.random() < 0.5:
            copy[chance.choice(("", "colour", "width", str(key).upper()))] = part
        elif key in copy or (isinstance(copy, list) and len(copy) > int(key)):
            copy[key] = edited(part, chance)
        return copy
    if chance.random() < 0.03:
        for _ in range(chance.choice((10, 300, 900))):
            value = [value]
        return value
    return chance.choice(VALUES)


def judged(path: Path, weights: dict[str, torch.Tensor]) -> tuple[str, float]:
    """What became of a file, and the seconds of CPU that it took."""
    start = time.process_time()
    try:
        model = load_model(path)
    except JetkitError as error:
        kind = "refused" if "\n" not in str(error) and len(str(error)) < 1000 else "refused by more than one sentence"
    else:
        found = model.state_dict()
        same = found.keys() == weights.keys() and all(torch.equal(found[name], weights[name]) for name in weights)
        kind = "accepted, same weights" if same else "accepted, OTHER weights"
    return kind, time.process_time() - start


def trial(name: str, files: int, chance: random.Random, folder: Path) -> tuple[Counter[tuple[str, str]], float]:
    """(kind of mutation, outcome) → files, and the longest time."""
    path, task = folder / name, Classify(create(name, SPEC, SMALL[name]), SPEC)
    sizes, options = hyperparameters(name, SMALL[name]), hyperparameters("classify", {}, TASK)
    card = ModelCard(name, SPEC.to_dict(), sizes, kind="encoder", task="classify", task_options=options)
    save_model(path, task, card)
    content, (tensors, header) = path.read_bytes(), read_tensors(path)
    counts: Counter[tuple[str, str]] = Counter()
    longest = 0.0
    for number in range(files):
        what = ("bytes", "header, checksum made right")[number % 2]
        if number % 2 == 0:
            path.write_bytes(mutated(content, chance))
        else:
            new = edited(header, chance)
            try:
                write_tensors(path, tensors, new)
            except ValueError:  # a lone surrogate or NaN, which no header of ours can have
                counts[what, "cannot be written"] += 1
                continue
        outcome, seconds = judged(path, dict(task.state_dict()))
        counts[what, outcome] += 1
        longest = max(longest, seconds)
    return counts, longest


def main(arguments: list[str]) -> None:
    words = Words(arguments, ("files", "seed"))
    files, seed = words.number("files", 10_000), words.number("seed", 1)
    torch.set_num_threads(1)
    wrong = False
    with TemporaryDirectory() as folder:
        for name in SMALL:
            counts, longest = trial(name, files // len(SMALL), random.Random(seed), Path(folder))
            for (what, outcome), number in sorted(counts.items()):
                print(f"{name:6s} {what:28s} {outcome:36s} {number:6d}")
            print(f"{name:6s} longest: {longest:.2f} s of CPU", flush=True)
            wrong |= longest > 1 or any(w[1].startswith(("accepted, OTHER", "refused by")) for w in counts)
    sys.exit(int(wrong))
