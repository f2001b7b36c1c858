"""The one exception that users see, and imports that may be absent."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


class JetkitError(Exception):
    """Something the user can mend; the message is one sentence that says how."""


EXTRAS = {
    "awkward": "simulate",
    "dask": "simulate",
    "distributed": "simulate",
    "fastjet": "simulate",
    "h5py": "readers",
    "hdf5plugin": "readers",
    "jinja2": "report",
    "lgatr": "lgatr",
    "lightning_fabric": "train",
    "matplotlib": "report",
    "mplhep": "report",
    "onnx": "export",
    "onnxruntime": "export",
    "onnxscript": "export",
    "pyhepmc": "readers",
    "pythia8mc": "simulate",
    "sklearn": "train",
    "uproot": "readers",
}
"""Optional package → the extra of jetkit that installs it."""
DISTRIBUTIONS = {"lightning_fabric": "lightning-fabric", "sklearn": "scikit-learn"}
"""Package → the name by which it is installed, where that differs."""


def require(name: str) -> ModuleType:
    """Import an optional package, or say how to install it.

    Raises:
        JetkitError: the package (or one that it needs) is absent.

    Example:
        >>> require("math").pi > 3
        True
    """
    try:
        return import_module(name)
    except ImportError as error:
        extra = EXTRAS.get(name.split(".")[0], "all")
        raise JetkitError(f"this needs the package {name} ({error}): pip install 'jetkit[{extra}]'") from error
