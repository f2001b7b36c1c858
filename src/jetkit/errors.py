"""The exception that users see, and imports of optional packages."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


class JetkitError(Exception):
    """Error that the user can fix; the message is one sentence on how."""


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
"""Package → name of its distribution, if different."""


def require(name: str) -> ModuleType:
    """Import an optional package, or raise with the command that installs it.

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
