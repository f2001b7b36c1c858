"""Training of a stack: a small network on what other taggers say of jets that none of them was trained on."""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from jetkit.errors import JetkitError
from jetkit.models.ensemble import Stack, stacked

RATE, DECAY, STEPS = 3e-3, 0.1, 1000
HELD_OUT = 5
"""One jet of so many is held out; the stack of the step at which their loss is least is kept."""


def fit_stack(
    stack: Stack,
    logits: Float[Tensor, "B M C"],
    label: Int[Tensor, " B"],
    seed: int,
    weight: Float[Tensor, " B"] | None = None,
) -> dict[str, float]:
    """Train the perceptron of a stack on the logits of its members; gives loss and accuracy on the jets held out.

    AdamW on all jets at once; the observables are standardised on those that are not held out. Where jets have weights,
    of either sign, the loss is Σwℓ/Σ|w| and the accuracy their weighted mean.

    Raises:
        JetkitError: there are too few jets.
    """
    order = torch.randperm(len(label), generator=torch.Generator().manual_seed(seed))
    held = order[: len(label) // HELD_OUT]
    learn = order[len(held) :]
    if not len(held):
        raise JetkitError(f"{len(label)} validation jets are too few for a stack: train with a larger share of them")
    numbers = stacked(logits)
    stack.standardise.train()
    stack.standardise(numbers[learn])
    network = nn.Sequential(stack.standardise.eval(), stack.f, stack.last)
    weights = list(network.parameters())
    matrices, biases = ([weight for weight in weights if (weight.ndim > 1) is which] for which in (True, False))
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": biases, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=RATE)

    def loss_of(rows: Int[Tensor, " b"]) -> Float[Tensor, ""]:
        each = nn.functional.cross_entropy(network(numbers[rows]), label[rows], reduction="none")
        return each.mean() if weight is None else each @ weight[rows].to(each) / weight[rows].abs().sum()

    best, kept = torch.inf, copy.deepcopy(network.state_dict())
    for _ in range(STEPS):
        optimiser.zero_grad()
        torch.autograd.backward(loss_of(learn))
        optimiser.step()
        with torch.no_grad():
            loss = loss_of(held).item()
        if loss < best:
            best, kept = loss, copy.deepcopy(network.state_dict())
    network.load_state_dict(kept)
    with torch.no_grad():
        right = network(numbers[held]).argmax(1) == label[held]
    w = torch.ones(len(held)) if weight is None else weight[held]
    return {"loss": best, "accuracy": ((right * w).double().sum() / w.double().sum()).item()}
