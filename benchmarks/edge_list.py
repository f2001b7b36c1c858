"""LorentzNet in the formulation of its authors' code: a list of all edges, gathered from and added to nodes."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.data.batch import Batch
from jetkit.tasks.classify import Classify


class EdgeListLorentzNet(nn.Module):
    """The function of a `LorentzNet` and its head, with their weights.

    Edges are made anew for each batch, as published. Like `LorentzNet`, and unlike the published code, it does not
    limit shifts and divides by the real nodes.
    """

    metric: Tensor

    def __init__(self, task: Classify) -> None:
        super().__init__()
        copied = copy.deepcopy(task)
        self.net, self.head = copied.model, copied.head
        self.register_buffer("metric", torch.tensor([1.0, -1.0, -1.0, -1.0]))

    def forward(self, batch: Batch) -> Tensor:
        nodes = self.net.nodes(batch)
        jets, length = nodes.mask.shape
        pairs = nodes.mask[:, :, None] & nodes.mask[:, None] & ~torch.eye(length, dtype=torch.bool)
        jet, first, second = pairs.nonzero(as_tuple=True)
        i, j = jet * length + first, jet * length + second
        mask = nodes.mask.flatten()
        x, s = nodes.p4.flatten(0, 1), nodes.scalars.flatten(0, 1)
        h = self.net.embed(s)
        degree = torch.zeros(len(h)).index_add_(0, i, torch.ones(len(i))).clamp(min=1)
        for block in self.net.blocks:
            message, difference = self._messages(block, h, x, i, j)
            collected = torch.zeros_like(h).index_add(0, i, message)
            if hasattr(block, "move_in"):
                shift = difference * block.move_out(F.relu(block.move_in(message)))
                x = x + block.c * torch.zeros_like(x).index_add(0, i, shift) / degree[:, None]
            update = block.node_out(F.relu(block.node_norm(block.node_in(torch.cat([h, collected, s], 1)[mask]))))
            h = h.index_add(0, mask.nonzero()[:, 0], update)
        logits: Tensor = self.head(self.net.f(self.net.pool(h.view(jets, length, -1), nodes.mask)))
        return logits

    def _messages(self, block: nn.Module, h: Tensor, x: Tensor, i: Tensor, j: Tensor) -> tuple[Tensor, Tensor]:
        difference = x[i] - x[j]
        square, product = (difference.square() @ self.metric, (x[i] * x[j]) @ self.metric)
        psi = [value.sign() * (value.abs() + 1).log() for value in (square, product)]
        edge = block.edge_in(torch.cat([h[i], h[j], *(value[:, None] for value in psi)], 1))
        norm = block.edge_norm
        statistics = (norm.running_mean, norm.running_var, norm.weight, norm.bias, self.training)
        message = F.relu(block.edge_out(F.relu(F.batch_norm(edge, *statistics))))
        return message * block.gate(message).sigmoid(), difference
