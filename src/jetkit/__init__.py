"""jetkit: machine learning in collider physics, from first principles to a believable number."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jetkit.data.cloud import Cloud, CloudSpec
    from jetkit.data.dataset import Dataset, open_dataset
    from jetkit.errors import JetkitError

__version__ = "0.1.0"
__all__ = ["Cloud", "CloudSpec", "Dataset", "JetkitError", "open_dataset"]

_HOME = {
    "Cloud": "jetkit.data.cloud",
    "CloudSpec": "jetkit.data.cloud",
    "Dataset": "jetkit.data.dataset",
    "JetkitError": "jetkit.errors",
    "open_dataset": "jetkit.data.dataset",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``import jetkit`` stays fast."""
    if name not in _HOME:
        raise AttributeError(f"module 'jetkit' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
