"""jetkit: machine learning in collider physics, from first principles to a believable number."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jetkit.api import (
        convert,
        embed,
        ensemble,
        evaluate,
        examine,
        export,
        generate,
        leaderboard,
        predict,
        report,
        reproduce,
        scaling,
        simulate,
        train,
        transfer,
    )
    from jetkit.data.batch import Batch
    from jetkit.data.cloud import Cloud
    from jetkit.data.dataset import Dataset, open_dataset
    from jetkit.data.spec import Spec
    from jetkit.errors import JetkitError
    from jetkit.store.model_file import load_model, save_model
    from jetkit.verbs.run import Run

__version__ = "0.1.0"
__all__ = [
    "Batch", "Cloud", "Dataset", "JetkitError", "Run", "Spec", "convert", "embed", "ensemble", "evaluate", "examine",
    "export", "generate", "leaderboard", "load_model", "open_dataset", "predict", "report", "reproduce", "save_model",
    "scaling", "simulate", "train", "transfer",
]  # fmt: skip

_HOME = {
    "Batch": "jetkit.data.batch",
    "Cloud": "jetkit.data.cloud",
    "Spec": "jetkit.data.spec",
    "Dataset": "jetkit.data.dataset",
    "JetkitError": "jetkit.errors",
    "Run": "jetkit.verbs.run",
    "load_model": "jetkit.store.model_file",
    "open_dataset": "jetkit.data.dataset",
    "save_model": "jetkit.store.model_file",
}
"""Public name → module that has it; the others are the verbs of `jetkit.api`."""


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``import jetkit`` stays fast."""
    if name not in __all__:
        raise AttributeError(f"module 'jetkit' has no attribute {name!r}")
    return getattr(import_module(_HOME.get(name, "jetkit.api")), name)


def __dir__() -> list[str]:
    return __all__
