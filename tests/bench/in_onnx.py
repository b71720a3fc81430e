"""A PyTorch module as an ONNX model that onnxruntime answers with."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from torch import nn

from . import THREADS


def answering(module: nn.Module, x: Any) -> Callable[[], Any]:
    """Runs the module on these inputs, one operator after another, on all threads."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        place = Path(folder) / "net.onnx"
        torch.onnx.export(module.eval(), (torch.tensor(x),), place, dynamo=False, input_names=["x"])
        model = place.read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": x})[0]
