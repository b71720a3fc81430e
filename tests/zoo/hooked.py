"""What PyTorch's hooks see of torchvision's nets: a row for each module, and for each function
that is called between modules.

As torchinfo does it: the net runs once, on the meta device, where arrays have shapes and no
numbers. Three things are spelled as nnspec spells them: channels come first; a map of one pixel is
a vector; and an affine module is `conv` on a map and `fc` on a vector, whichever class torchvision
took (squeeze and excite is made of 1x1 convolutions there, ConvNeXt of linear layers).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..vision import get_model

AFFINE = "affine"
CHANNELS_LAST = nn.Linear, nn.LayerNorm, nn.GELU
"""On a map these have its channels last: ConvNeXt alone does so."""

MODULES: Mapping[type[nn.Module], str] = {
    nn.Conv2d: AFFINE,
    nn.Linear: AFFINE,
    nn.MultiheadAttention: "attn",
    nn.BatchNorm2d: "bn",
    nn.LayerNorm: "ln",
    nn.ReLU: "relu",
    nn.ReLU6: "relu6",
    nn.GELU: "gelu",
    nn.SiLU: "silu",
    nn.Sigmoid: "sigmoid",
    nn.Hardswish: "hswish",
    nn.Hardsigmoid: "hsigmoid",
    nn.MaxPool2d: "maxpool",
    nn.AvgPool2d: "avgpool",
    nn.AdaptiveAvgPool2d: "gap",
    nn.Dropout: "dropout",
}
FUNCTIONS: Mapping[Callable[..., Any], str] = {
    nn.functional.relu: "relu",
    nn.functional.adaptive_avg_pool2d: "gap",
    torch.cat: "concat",
    Tensor.add: "add",
    Tensor.add_: "add",
    Tensor.mul: "mul",
}
LEARNED = {"concat": "cls", "add": "pos", "mul": "scale"}
"""What a function is called where one of its arguments is a parameter of the net."""

SETTINGS: Mapping[str, dict[str, int]] = {"googlenet": {"aux_logits": False, "init_weights": False}}
"""GoogLeNet as it is used: without the heads that only helped to train it."""

KINDS = {"conv", "fc", *MODULES.values(), *FUNCTIONS.values(), *LEARNED.values()}


@dataclass(frozen=True)
class Seen:
    """An operator's kind, its output without the batch, its parameters and multiply-adds."""

    op: str
    output: tuple[int, ...]
    params: int = 0
    macs: int = 0


class Hooks(TorchFunctionMode):
    """Hooks on every module of a kind above; what they call themselves is no row of its own."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.rows: list[Seen] = []
        self._inside = False
        for module in net.modules():
            if _kind(module):
                module.register_forward_pre_hook(self._enter)
                module.register_forward_hook(self._leave)

    def _enter(self, *_: object) -> None:
        self._inside = True

    def _leave(self, module: nn.Module, inputs: tuple[Tensor, ...], found: Any) -> None:
        self._inside = False
        output = found[0] if isinstance(found, tuple) else found
        if not _does_nothing(module, inputs[0], output):
            self.rows.append(_of_module(module, output))

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        found = function(*args, **kwargs or {})
        op = FUNCTIONS.get(function)
        if op and not self._inside:
            arguments = args[0] if op == "concat" else args
            if op != "concat" or len(arguments) > 1:  # DenseNet concatenates its first map alone
                self.rows.append(_of_function(op, arguments, found))
        return found


def _kind(module: nn.Module) -> str | None:
    return next((MODULES[base] for base in type(module).__mro__ if base in MODULES), None)


def _does_nothing(module: nn.Module, before: Tensor, after: Tensor) -> bool:
    """A pool to the size that is there already, and dropout of nothing, which ViT is full of."""
    if isinstance(module, nn.Dropout):
        return module.p == 0
    return isinstance(module, nn.AdaptiveAvgPool2d) and before.shape == after.shape


def _of_module(module: nn.Module, output: Tensor) -> Seen:
    last = type(module) in CHANNELS_LAST and output.ndim == 4
    shape = _shape(output.movedim(-1, 1) if last else output)
    op = _kind(module) or ""
    if op == AFFINE:
        op = "conv" if len(shape) == 3 else "fc"
    params = sum(parameter.numel() for parameter in module.parameters())
    return Seen(op, shape, params, _macs(module, shape))


def _of_function(op: str, arguments: tuple[Any, ...], output: Tensor) -> Seen:
    learned = [
        owner
        for argument in arguments
        if isinstance(argument, Tensor)
        for owner in (argument, argument._base)
        if isinstance(owner, nn.Parameter)
    ]
    params = sum(parameter.numel() for parameter in learned)
    return Seen(LEARNED[op] if learned else op, _shape(output), params)


def _shape(output: Tensor) -> tuple[int, ...]:
    shape = tuple(output.shape[1:])
    return shape[:1] if shape[1:] == (1, 1) else shape


def _macs(module: nn.Module, shape: tuple[int, ...]) -> int:
    """An affine module uses each of its weights once at every place of its output; attention has
    four square matrices, and multiplies every step with every step twice."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        return math.prod(shape) // len(module.weight) * module.weight.numel()
    if isinstance(module, nn.MultiheadAttention):
        steps, width = shape
        return 4 * steps * width**2 + 2 * steps**2 * width
    return 0


def hooked(name: str, size: int) -> list[Seen]:
    """The rows of torchvision's net on one image of size by size."""
    settings = SETTINGS.get(name, {"image_size": size} if name.startswith("vit") else {})
    with torch.device("meta"):
        net: nn.Module = get_model(name, weights=None, **settings).eval()
        with Hooks(net) as hooks:
            net(torch.zeros(1, 3, size, size))
    assert sum(row.params for row in hooks.rows) == sum(p.numel() for p in net.parameters())
    return list(hooks.rows)
