"""A network of weaver-core as its users deploy it: exported to ONNX, run by onnxruntime."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

OPSET = 17
NAMES = ("features", "vectors", "mask")


class Exported(nn.Module):
    """The function of a network of weaver-core, by onnxruntime with as many threads as torch has.

    As in weaver-core's own export, batch and particles are free sizes. The padding that no jet of a batch needs is cut
    here, since the exported graph does not.
    """

    def __init__(self, network: nn.Module, inputs: tuple[Tensor, ...], scratch: Path) -> None:
        import onnxruntime

        super().__init__()
        file = scratch / f"weaver-{id(self)}.onnx"
        free = {name: {0: "jets", 2: "particles"} for name in NAMES}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network.eval(), inputs, file, input_names=list(NAMES), output_names=["logits"],
                dynamic_axes={**free, "logits": {0: "jets"}}, opset_version=OPSET, dynamo=False,
            )  # fmt: skip
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def forward(self, *inputs: Tensor) -> Tensor:
        """Logits."""
        longest = int(inputs[-1].sum(-1).max())
        given = {name: one[..., :longest].numpy() for name, one in zip(NAMES, inputs, strict=True)}
        return torch.from_numpy(self.session.run(None, given)[0])
