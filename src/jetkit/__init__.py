"""jetkit: machine learning in collider physics, from first principles to a believable number."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jetkit.data.batch import Batch
    from jetkit.data.cloud import Cloud
    from jetkit.data.dataset import Dataset, open_dataset
    from jetkit.errors import JetkitError
    from jetkit.store.model_file import load_model, save_model

__version__ = "0.1.0"
__all__ = ["Batch", "Cloud", "Dataset", "JetkitError", "Spec", "load_model", "open_dataset", "save_model"]

_HOME = {
    "Batch": "jetkit.data.batch",
    "Cloud": "jetkit.data.cloud",
    "Spec": "jetkit.data.spec",
    "Dataset": "jetkit.data.dataset",
    "JetkitError": "jetkit.errors",
    "load_model": "jetkit.store.model_file",
    "open_dataset": "jetkit.data.dataset",
    "save_model": "jetkit.store.model_file",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``import jetkit`` stays fast."""
    if name not in _HOME:
        raise AttributeError(f"module 'jetkit' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
