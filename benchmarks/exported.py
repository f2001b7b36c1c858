"""Networks as their users deploy them: exported to ONNX, run by onnxruntime with as many threads as torch has."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from jetkit.data.batch import Batch
from jetkit.interchange.onnx import export, tensors
from jetkit.store.model_file import ModelCard, save_model
from jetkit.tasks.classify import Classify

OPSET = 17
NAMES = ("features", "vectors", "mask")


class Exported(nn.Module):
    """The function of a network of weaver-core.

    As in weaver-core's own export, batch and particles are free sizes. The padding that no jet of a batch needs is cut
    here, since the exported graph does not.
    """

    def __init__(self, network: nn.Module, inputs: tuple[Tensor, ...], scratch: Path) -> None:
        super().__init__()
        file = scratch / f"weaver-{id(self)}.onnx"
        free = {name: {0: "jets", 2: "particles"} for name in NAMES}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network.eval(), inputs, file, input_names=list(NAMES), output_names=["logits"],
                dynamic_axes={**free, "logits": {0: "jets"}}, opset_version=OPSET, dynamo=False,
            )  # fmt: skip
        self.session = session(file)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Logits."""
        longest = int(inputs[-1].sum(-1).max())
        given = {name: one[..., :longest].numpy() for name, one in zip(NAMES, inputs, strict=True)}
        return torch.from_numpy(self.session.run(None, given)[0])


class OurGraph(nn.Module):
    """The function of a tagger, from the graph that `jetkit export` makes of its model file."""

    def __init__(self, tagger: Classify, name: str, scratch: Path) -> None:
        super().__init__()
        file = scratch / f"{name}-{id(self)}.safetensors"
        save_model(file, tagger, ModelCard(model=name, spec=tagger.spec.to_dict(), task="classify"))
        self.spec = tagger.spec
        self.session = session(export(file, file.with_suffix(".onnx")))

    def forward(self, batch: Batch) -> Tensor:
        """Logarithms of the probabilities."""
        found = tensors(batch, self.spec)
        given = {one.name: found[one.name].numpy() for one in self.session.get_inputs()}
        return torch.from_numpy(self.session.run(None, given)[0]).log()


def session(file: Path) -> Any:
    """A graph, ready to run."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
