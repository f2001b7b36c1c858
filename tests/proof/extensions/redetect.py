"""A conditional generator: detected particles of a jet from its generated ones, by flow matching.

Source: Flow Matching for Generative Modeling, 2022, arXiv:2210.02747.
"""

from collections.abc import Iterable
from typing import ClassVar

import torch
from torch import Tensor, nn

from jetkit.data.batch import Batch
from jetkit.data.cloud import Cloud
from jetkit.data.spec import Needs, Spec
from jetkit.models.model import Generator
from jetkit.nn.standardisation import Standardisation
from jetkit.progress import Count, silent
from jetkit.registry import register


@register("redetect", kind="generator", tiny={"width": 8})
class Redetect(Generator):
    """p(part | gen): a Poisson number of particles, whose features flow from noise, given a sum over the generated.

    Args:
        width: of the hidden layers
    """

    needs: ClassVar[Needs] = Needs(sets=("gen", "part"))

    def __init__(self, spec: Spec, *, width: int = 32) -> None:
        super().__init__(spec)
        seen, drawn = (len(spec.sets[name].features) for name in ("gen", "part"))
        self.standard = Standardisation(drawn)
        self.look = nn.Sequential(nn.Linear(seen, width), nn.ReLU(), nn.Linear(width, width))
        self.count = nn.Linear(width, 1)
        self.velocity = nn.Sequential(nn.Linear(drawn + width + 1, 2 * width), nn.SiLU(), nn.Linear(2 * width, drawn))

    @torch.no_grad()
    def begin(self, batches: Iterable[Batch]) -> None:
        values = [batch.sets["part"].x[batch.sets["part"].mask] for batch in batches]
        self.standard.fit(torch.cat(values).to(self.standard.mean))

    def seen(self, batch: Batch) -> Tensor:
        gen = batch.sets["gen"]
        return (self.look(gen.x) * gen.mask.unsqueeze(2)).sum(1) / 10

    def loss(self, batch: Batch) -> Tensor:
        part, seen = batch.sets["part"], self.seen(batch)
        numbers = part.mask.sum(1)
        rate = self.count(seen)[:, 0].clamp(-5, 5)
        poisson = (rate.exp() - numbers * rate).mean() / 10
        target = self.standard(part.x)
        noise, time = (
            torch.randn_like(target),
            torch.rand(*part.mask.shape, 1, dtype=target.dtype, device=target.device),
        )
        found = self.flow((1 - time) * noise + time * target, time, seen)
        return poisson + (found - (target - noise)).square()[part.mask].mean()

    def flow(self, x: Tensor, time: Tensor, seen: Tensor) -> Tensor:
        known = seen.unsqueeze(1).expand(-1, x.shape[1], -1)
        return self.velocity(torch.cat([x, known, time], -1))

    @torch.no_grad()
    def sample(
        self,
        context: Batch | None,
        rows: int,
        *,
        longest: int = 128,
        steps: int = 100,
        report: Count = silent,
    ) -> Batch:
        assert context is not None
        seen = self.seen(context)
        numbers = self.count(seen)[:, 0].clamp(-5, 5).exp().poisson().clamp(1, longest)
        mask = torch.arange(int(numbers.max())) < numbers.unsqueeze(1)
        x = torch.randn(*mask.shape, len(self.standard.mean))
        for step in range(steps):
            x = x + self.flow(x, torch.full_like(x[..., :1], step / steps), seen) / steps
        return Batch({"part": Cloud(self.standard.undone(x) * mask.unsqueeze(2), mask)})
