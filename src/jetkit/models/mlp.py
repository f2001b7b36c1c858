"""A perceptron on the features of the row: the plain network of plain tables."""

from __future__ import annotations

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from jetkit.data.batch import Batch
from jetkit.data.spec import Needs, Spec
from jetkit.errors import JetkitError
from jetkit.models.model import Encoder
from jetkit.nn.mlp import mlp
from jetkit.registry import register


@register(
    "mlp",
    paper="Learning representations by back-propagating errors, 1986, doi:10.1038/323533a0",
    tiny={"widths": (16, 16)},
)
class MLP(Encoder):
    """A perceptron with ReLU on the features of the row, normalised over the training rows.

    Args:
        widths: of the hidden layers
        dropout: after each of them

    Example:
        >>> import torch
        >>> model = MLP(Spec(row=("event_mj1", "event_tau21_j1")), widths=(8, 4))
        >>> model(Batch(row=torch.randn(3, 2))).shape
        torch.Size([3, 4])
    """

    needs: ClassVar[Needs] = Needs(row=True)

    def __init__(self, spec: Spec, *, widths: tuple[int, ...] = (64, 64, 64), dropout: float = 0.0) -> None:
        super().__init__(spec)
        if not spec.row:
            raise JetkitError("mlp needs features of the row: name columns that hold one number a row in features=")
        if not widths or not 0 <= dropout < 1:
            raise JetkitError(f"mlp needs a hidden layer or more and 0 <= dropout < 1, got {widths} and {dropout}")
        layers = mlp([len(spec.row), *widths])
        self.norm = nn.BatchNorm1d(len(spec.row), affine=False)
        self.layers = nn.Sequential(*(part for layer in layers for part in _with_dropout(layer, dropout)))
        self.encoded = widths[-1]

    def encode(self, batch: Batch) -> Float[Tensor, "B E"]:
        """Return the last hidden layer."""
        encoded: Tensor = self.layers(self.norm(batch.row))
        return encoded


def _with_dropout(layer: nn.Module, dropout: float) -> list[nn.Module]:
    return [layer, nn.Dropout(dropout)] if isinstance(layer, nn.ReLU) and dropout else [layer]
