"""Run folders: the options, the log and the model file of a training, opened without training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jetkit.data.atomic import write_bytes
from jetkit.errors import JetkitError
from jetkit.store.options import RunOptions, rebuilt

LOG = "log.jsonl"


def run_folders(path: str | Path) -> list[Path]:
    """Return the run folders at a path: the path itself, or one per seed; a model file stands for itself.

    Raises:
        JetkitError: the path holds no run folder.
    """
    place = Path(path)
    if place.is_file():
        return [place]
    if (place / "run.json").is_file():
        return [place]
    found = sorted(place.glob("seed-*/run.json"), key=lambda file: (len(file.parent.name), file.parent.name))
    if not found:
        raise JetkitError(f"{path} is no run folder: make one with jetkit train MODEL data=… out={path}")
    return [file.parent for file in found]


def run_options(folder: Path) -> RunOptions:
    """Read the options of a training from its run folder.

    Raises:
        JetkitError: the folder is damaged.
    """
    try:
        content = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return rebuilt(content["options"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise JetkitError(f"{folder}/run.json cannot be read ({error}): train again") from error


def write_log(folder: Path, log: Sequence[Mapping[str, Any]]) -> None:
    """Write ``log.jsonl``, one line per epoch."""
    write_bytes(folder / LOG, "".join(json.dumps(line) + "\n" for line in log).encode())


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Read the lines of ``log.jsonl``, one per epoch."""
    return [json.loads(line) for line in (folder / LOG).read_text(encoding="utf-8").splitlines()]
