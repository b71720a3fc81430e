"""Published nets on inputs of their real size, forward and backward."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nnspec

SPECS = Path(__file__).parents[2] / "specs"


@pytest.mark.parametrize(
    ("spec", "batch"),
    [
        ("vision/resnet50", 2),
        ("vision/mobilenet_v2", 2),
        ("vision/vit_b_16", 1),
        ("vision/unet_padded", 1),
    ],
)
def test_forward_and_backward(spec: str, batch: int) -> None:
    net = nnspec.compile(SPECS / f"{spec}.nn", loss="cross_entropy", optimizer="sgd(lr=1e-3)")
    rng = np.random.default_rng(0)
    (node,), output = net.graph.inputs, net.graph.output.value
    assert node.value.shape[1] >= 224
    x = rng.standard_normal((batch, *node.value.shape)).astype(np.float32)
    y = rng.integers(output.channels, size=(batch, *output.shape[1:]))
    scores = net(x)
    assert scores.shape == (batch, *output.shape)
    assert np.isfinite(scores).all()
    loss, gradients = net.gradients(x, y)
    assert 0 < loss < 20
    for name, gradient in gradients.items():
        assert np.isfinite(gradient).all(), name
        assert gradient.any(), name
    net.step(x, y)
    assert net.gradients(x, y)[0] < loss
