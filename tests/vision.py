"""torchvision, with a torch that has no CUDA too."""

from __future__ import annotations

import torch

try:
    import torchvision
except RuntimeError:
    # The wheel's compiled operators want a torch with CUDA; nothing here uses them, but importing
    # torchvision asks for these two.
    for _name in ("nms", "qnms"):
        _signature = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        torch.library.define(f"torchvision::{_name}", _signature)
    import torchvision

get_model = torchvision.models.get_model
InterpolationMode = torchvision.transforms.InterpolationMode
pictures = torchvision.transforms.functional
