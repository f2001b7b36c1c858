"""A plain network of a user's as a model: ``Net(features, classes)`` with ``forward(x, p4, mask)`` → logits."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, get_type_hints

from jaxtyping import Float
from torch import Tensor, nn

from jetkit.data.batch import Batch
from jetkit.data.spec import Needs, Spec
from jetkit.models.model import Encoder
from jetkit.registry import adapt_with

GIVEN = ("features", "classes")
"""Arguments of a plain network that the data decide: how many features an object has, and how many classes exist."""


class Wrapped(Encoder):
    """An encoder whose vector is what a plain network gives: a logit for each class.

    Raises:
        ValueError: the network does not take features and classes.
    """

    needs: ClassVar[Needs] = Needs(cloud=True, targets=("label",))
    decides: ClassVar[bool] = True
    network: ClassVar[type[nn.Module]]

    def __init__(self, spec: Spec, **options: Any) -> None:
        super().__init__(spec)
        self.encoded = len(spec.classes)
        self.net = self.network(len(spec.features), self.encoded, **options)

    def encode(self, batch: Batch) -> Float[Tensor, "B C"]:
        """Return the logits of the network."""
        logits: Tensor = self.net(batch.x, batch.p4, batch.mask)
        return logits


@adapt_with
def wrapped(network: Any) -> type[Encoder] | None:
    """Return the model of a plain network; None for what is a model already, or no network.

    Example:
        >>> class Sum(nn.Module):
        ...     def __init__(self, features: int, classes: int, width: int = 8) -> None:
        ...         super().__init__()
        ...         self.layers = nn.Sequential(nn.Linear(features, width), nn.ReLU(), nn.Linear(width, classes))
        ...     def forward(self, x, p4, mask):
        ...         return self.layers((x * mask[..., None]).sum(1))
        >>> model = wrapped(Sum)(Spec.of(("part_deta",), classes=("QCD", "top")), width=4)
        >>> model.size
        18
    """
    if not isinstance(network, type) or not issubclass(network, nn.Module) or hasattr(network, "kind"):
        return None
    parameters = list(inspect.signature(network).parameters.values())
    if [one.name for one in parameters[:2]] != list(GIVEN):
        raise ValueError(
            f"{network.__name__} should take (features, classes, …) and have forward(x, p4, mask), or be an Encoder"
        )
    hints = get_type_hints(network.__init__)
    own = [one.replace(kind=one.KEYWORD_ONLY) for one in parameters[2:] if one.kind is not one.VAR_KEYWORD]
    made: type[Encoder] = type(network.__name__, (Wrapped,), {"network": network, "__doc__": network.__doc__})

    def start(self: Any, spec: Spec, **options: Any) -> None:
        Wrapped.__init__(self, spec, **options)

    named = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("self", "spec")]
    start.__signature__ = inspect.Signature([*named, *own])  # type: ignore[attr-defined]
    start.__annotations__ = {one.name: hints.get(one.name, Any) for one in own} | {"return": None}
    made.__init__ = start  # type: ignore[method-assign]
    made.__module__, made.__qualname__ = network.__module__, network.__qualname__
    return made
