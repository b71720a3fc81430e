"""A PyTorch module as an ONNX model that onnxruntime answers with."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any

import onnxruntime
import torch
from torch import nn

from . import THREADS


def answering(module: nn.Module, x: Any) -> Callable[[], Any]:
    """Runs the module on these inputs, one operator after another, on all threads."""
    held = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(), (torch.tensor(x),), held, dynamo=False, input_names=["x"]
        )  # fmt: skip
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        held.getvalue(), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {"x": x})[0]
