"""CWoLa hunting on a plain table: tell a window of m_jj from its sidebands, without any label of signal.

Source: Extending the search for new resonances with machine learning, 2019, arXiv:1902.02634.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn
from torch.nn import functional as F

from jetkit.data.batch import Batch
from jetkit.data.spec import Needs, Spec
from jetkit.evaluation.judged import Judged
from jetkit.evaluation.number import Number
from jetkit.evaluation.result import EVALUATION, Predicted, Result
from jetkit.models.model import Encoder
from jetkit.nn.heads import RowHead
from jetkit.registry import register
from jetkit.reporting.section import SECTION, Section
from jetkit.tasks.task import TASK, Losses, Predictions, Task, mean_of, weighted_mean

MASS = "event_mjj"


@register(
    "cwola", kind=TASK, paper="Extending the search for new resonances with machine learning, 2019, arXiv:1902.02634"
)
class CWoLa(Task):
    """Cross entropy of being in a window of m_jj.

    Args:
        window: least and largest m_jj in GeV
    """

    metrics: ClassVar[Mapping[str, Any]] = {"loss": "min"}
    result: ClassVar[str] = "max-sic"
    needs: ClassVar[Needs] = Needs(targets=(MASS,))

    def __init__(self, model: Encoder, spec: Spec, *, window: tuple[float, float] = (3300.0, 3700.0)) -> None:
        super().__init__(model, spec)
        self.window, self.head = window, RowHead(model.encoded, 1)

    @property
    def heads(self) -> Mapping[str, nn.Module]:
        return {"window": self.head}

    def score(self, batch: Batch) -> Tensor:
        return self.head(self.model.encode(batch))[:, 0]

    def inside(self, batch: Batch) -> Tensor:
        mass = batch.targets[MASS]
        return ((mass > self.window[0]) & (mass < self.window[1])).float()

    def loss(self, batch: Batch) -> Losses:
        each = F.binary_cross_entropy_with_logits(self.score(batch), self.inside(batch), reduction="none")
        total = weighted_mean(each, batch.weight)
        return Losses(total, {"window": total.detach()})

    def predict(self, batch: Batch) -> dict[str, Tensor]:
        score = self.score(batch)
        loss = F.binary_cross_entropy_with_logits(score, self.inside(batch), reduction="none")
        return {"score": score, "loss": loss}

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        return {"score": self.score(batch)}

    def watch(self, predictions: Predictions) -> dict[str, float]:
        return {"loss": mean_of((batch.weight, found["loss"]) for batch, found in predictions)}


@register("max-sic", kind=EVALUATION)
def max_sic(predicted: Predicted, *, replicas: int = 200, seed: int = 0) -> Result:
    """Largest ε_S/√ε_B, with five background events or more."""

    def largest(rows: np.ndarray) -> float:
        order = np.argsort(-predicted.values["score"][rows], kind="stable")
        signal = predicted.targets["label"][rows][order] == 1
        passed, background = np.cumsum(signal), np.cumsum(~signal)
        enough = background >= 5
        return float((passed / signal.sum() / np.sqrt(background / (~signal).sum()).clip(1e-9))[enough].max())

    shares = np.linspace(0.05, 1, 20)
    order = np.argsort(-predicted.values["score"], kind="stable")
    signal = predicted.targets["label"][order] == 1
    places = [int(np.searchsorted(np.cumsum(signal) / signal.sum(), share)) for share in shares]
    background = [float(np.cumsum(~signal)[place] / (~signal).sum()) for place in places]
    random = np.random.default_rng(seed)
    everything = np.arange(len(predicted))
    again = [largest(random.choice(everything, len(everything))) for _ in range(replicas)]
    number = Number(largest(everything), float(np.std(again, ddof=1)), len(predicted))
    curve = {"signal efficiency": shares.tolist(), "background efficiency": background}
    return Result("max-sic", {"max SIC": number}, {"selection": curve})


@register("max-sic", kind=SECTION)
def sections(judged: Sequence[Judged]) -> list[Section]:
    """A word on the number."""
    best = max(judged, key=lambda one: one.results[0].numbers["max SIC"].value)
    return [Section("Significance improvement", text=[f"{best.name} improves the significance most."])]
