"""The same net in PyTorch: its graph walked, every operator by what PyTorch has for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from ..compiler.graph import Node
from ..compiler.training import Training
from ..compiler.training.losses import Loss
from ..compiler.training.optimizers import Adam, AdamW
from ..grammar.diagnostics import SpecError
from .data_errors import MissingReader
from .errors import NoCounterpart
from .net import Net

Tensor: TypeAlias = Any
"""Of PyTorch, which need not be installed."""


@dataclass(frozen=True)
class Use:
    """One use of an operator: the node, PyTorch, its weights and running statistics by their names
    there, and whether the net is training."""

    torch: ModuleType
    node: Node
    weights: Mapping[str, Tensor]
    state: Mapping[str, Tensor]
    training: bool

    @property
    def op(self) -> Any:
        return self.node.op

    @property
    def functional(self) -> Any:
        return self.torch.nn.functional

    @property
    def channel(self) -> int:
        """The axis of the channels that arrive, the batch's counted."""
        return self.node.arrivals[0].channel_axis + 1

    def by_channel(self, weight: Tensor) -> Tensor:
        shape = [1] * (self.node.value.rank + 1)
        shape[self.channel] = -1
        return weight.reshape(shape)

    def front(self, x: Tensor) -> Tensor:
        """The channels behind the batch; nothing moves where they stand there."""
        return x if self.channel == 1 else x.movedim(self.channel, 1)

    def back(self, x: Tensor) -> Tensor:
        return x if self.channel == 1 else x.movedim(1, self.channel)


Way: TypeAlias = Callable[[Use, list[Tensor]], Tensor]


class Twin:
    """A net's graph and copies of its weights in PyTorch.

    Attributes
    ----------
    weights, state: by the names they have in `net.weights` and `net.state`.

    Raises SpecError where PyTorch is not installed (extra `torch`), or operators have no counterpart
    there: it names them all.
    """

    def __init__(self, net: Net) -> None:
        self.torch = torch = library()
        self.graph = net.graph
        missing = {
            node.spelled: node
            for node in net.graph.nodes
            if not node.is_input and not _is_known(node)
        }
        if missing:
            raise SpecError(
                [NoCounterpart(node.span, f"`{word}`") for word, node in missing.items()]
            )
        self.weights = {
            name: torch.tensor(weight, requires_grad=name not in net.graph.frozen)
            for name, weight in net.weights.items()
        }
        self.state = {name: torch.tensor(worth) for name, worth in net.state.items()}
        main = net.graph.output.name
        outputs = tuple(dict.fromkeys(net.graph.outputs.values()))
        self._training, self._answering = self._walk((main,), True), self._walk(outputs, False)

    def _walk(self, outputs: tuple[str, ...], training: bool) -> list[tuple[Way, Use, list[str]]]:
        """What is computed, in order, each with the values that nobody reads any more behind it."""
        wanted, found = {*outputs}, []
        kept = {*outputs}
        for node in reversed(self.graph.nodes):
            if node.name not in wanted or node.is_input:
                continue
            wanted.update(node.inputs)
            gone = [name for name in dict.fromkeys(node.inputs) if name not in kept]
            kept.update(gone)
            use = Use(
                self.torch,
                node,
                {w.name: self.weights[node.keeper(w)] for w in node.weights},
                {s.name: self.state[node.keeper(s)] for s in node.state},
                training and not node.frozen,
            )
            found.append((WAYS[node.op.name], use, gone))
        return found[::-1]

    def scores(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The main output as training sees it."""
        return _run(self._training, inputs)[self.graph.output.name]

    def answers(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All outputs, by name, at inference."""
        with self.torch.inference_mode():
            found = _run(self._answering, inputs)
        return {label: found[name] for label, name in self.graph.outputs.items()}


def _run(
    walk: Sequence[tuple[Way, Use, list[str]]], inputs: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    found = dict(inputs)
    for way, use, gone in walk:
        found[use.node.name] = way(use, [found[name] for name in use.node.inputs])
        for name in gone:
            del found[name]
    return found


def _is_known(node: Node) -> bool:
    return node.op.name in WAYS and not getattr(node.op, "rope", False)


def library() -> ModuleType:
    """PyTorch; raises SpecError where it is not installed."""
    try:
        import torch
    except ImportError:
        raise SpecError([MissingReader(None, "torch", "PyTorch", "torch")]) from None
    return torch


# ---------------------------------------------------------------------------------- training


def loss_of(twin: Twin, loss: Loss) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss that a net follows; raises SpecError where PyTorch has none like it."""
    functional, given = twin.torch.nn.functional, loss.model_dump(exclude_defaults=True)
    axis = twin.graph.output.value.channel_axis + 1

    def cross_entropy(scores: Tensor, truth: Tensor) -> Tensor:
        moved = scores if axis == 1 else scores.movedim(axis, 1)
        return functional.cross_entropy(moved, truth, label_smoothing=given.get("smoothing", 0.0))

    known: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
        "mse": functional.mse_loss,
        "mae": functional.l1_loss,
        "bce": functional.binary_cross_entropy_with_logits,
        "cross_entropy": cross_entropy,
    }
    if loss.name not in known or loss.target == "shares" or "weights" in given:
        raise SpecError([NoCounterpart(None, f"the loss `{loss.name}`")])
    return known[loss.name]


def optimizer_of(twin: Twin, training: Training) -> Any:
    """The optimiser of `train(...)`, l2 as its weight decay; raises SpecError for settings that
    PyTorch's do not have."""
    graph, optimizer = twin.graph, training.optimizer
    unlike = [name for name in ("l1", "max_norm", "clip") if getattr(training, name)]
    own = ("lr", "l2", "l1", "max_norm")
    if any(getattr(node.learning, name) is not None for node in graph.nodes for name in own):
        unlike.append("layers that learn in their own way")
    if unlike:
        raise SpecError([NoCounterpart(None, " and ".join(unlike))])
    decays = {f"{node.name}.{w.name}" for node in graph.nodes for w in node.own if w.decays}
    learned = {name: weight for name, weight in twin.weights.items() if weight.requires_grad}
    decay = optimizer.decay if isinstance(optimizer, AdamW) else training.l2
    groups = [
        {"params": [w for name, w in learned.items() if (name in decays) is heavy], **settings}
        for heavy, settings in ((True, {"weight_decay": decay}), (False, {"weight_decay": 0.0}))
    ]
    named, settings = OPTIMIZERS[optimizer.name]
    given = {theirs: getattr(optimizer, ours) for theirs, ours in settings.items()}
    if isinstance(optimizer, Adam | AdamW):
        given["betas"] = (optimizer.beta1, optimizer.beta2)
    if optimizer.name == "nesterov":
        given["nesterov"] = True
    return getattr(twin.torch.optim, named)([g for g in groups if g["params"]], **given)


OPTIMIZERS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "gd": ("SGD", {"lr": "lr"}),
    "sgd": ("SGD", {"lr": "lr"}),
    "momentum": ("SGD", {"lr": "lr", "momentum": "momentum"}),
    "nesterov": ("SGD", {"lr": "lr", "momentum": "momentum"}),
    "adagrad": ("Adagrad", {"lr": "lr", "eps": "eps"}),
    "rmsprop": (
        "RMSprop",
        {"lr": "lr", "alpha": "alpha", "eps": "eps", "momentum": "momentum"},
    ),
    "adam": ("Adam", {"lr": "lr", "eps": "eps"}),
    "adamw": ("AdamW", {"lr": "lr", "eps": "eps"}),
}
"""Of each optimiser PyTorch's class, and its arguments with the fields that fill them."""


def as_tensors(net: Net, arrays: Mapping[str, Any]) -> dict[str, Tensor]:
    torch = library()
    kinds = {node.name: node.value.integer for node in net.graph.inputs}
    return {
        name: torch.tensor(np.asarray(array, np.int64 if kinds[name] else net.dtype))
        for name, array in arrays.items()
    }


# --------------------------------------------------------------------------------- operators


def _fc(use: Use, x: list[Tensor]) -> Tensor:
    return use.functional.linear(x[0], use.weights["weight"], use.weights.get("bias"))


def _conv(use: Use, x: list[Tensor]) -> Tensor:
    windows = use.node.applied.windows
    given = x[0]
    padding = [w.before for w in windows]
    if any(w.before != w.after for w in windows):
        # PyTorch pads alike on both sides.
        pads = [side for w in reversed(windows) for side in (w.before, w.after)]
        given, padding = use.functional.pad(given, pads), [0] * len(windows)
    function = getattr(use.functional, f"conv{len(windows)}d")
    return function(
        given,
        use.weights["weight"],
        use.weights.get("bias"),
        [w.stride for w in windows],
        padding,
        [w.dilation for w in windows],
        use.op.groups(use.node.arrivals[0]),
    )


def _convt(use: Use, x: list[Tensor]) -> Tensor:
    op, axes = use.op, use.node.value.rank - 1
    stride, padding, dilation = (sizes * (axes // len(sizes)) for sizes in (op.s, op.p, op.d))
    function = getattr(use.functional, f"conv_transpose{axes}d")
    weight, bias = use.weights["weight"], use.weights.get("bias")
    return function(x[0], weight, bias, stride, padding, op.outpad, op.g, dilation)


def _pool(word: str) -> Way:
    def way(use: Use, x: list[Tensor]) -> Tensor:
        windows = use.node.applied.windows
        function = getattr(use.functional, f"{word}_pool{len(windows)}d")
        kernel, stride = [w.kernel for w in windows], [w.stride for w in windows]
        return function(x[0], kernel, stride, [w.before for w in windows], ceil_mode=use.op.ceil)

    return way


def _gap(use: Use, x: list[Tensor]) -> Tensor:
    axes = [axis for axis in range(1, x[0].ndim) if axis != use.channel]
    return x[0].mean(dim=axes)


def _gmp(use: Use, x: list[Tensor]) -> Tensor:
    axes = [axis for axis in range(1, x[0].ndim) if axis != use.channel]
    return x[0].amax(dim=axes)


def _apool(use: Use, x: list[Tensor]) -> Tensor:
    sizes = use.node.value.shape[1:]
    return getattr(use.functional, f"adaptive_avg_pool{len(sizes)}d")(x[0], sizes)


def _bn(use: Use, x: list[Tensor]) -> Tensor:
    state, weights, op = use.state, use.weights, use.op
    normal = use.functional.batch_norm(
        use.front(x[0]), state["mean"], state["variance"], weights["scale"], weights["shift"],
        use.training, op.momentum, op.eps,
    )  # fmt: skip
    return use.back(normal)


def _ln(use: Use, x: list[Tensor]) -> Tensor:
    last = x[0].movedim(use.channel, -1)
    scale, shift = use.weights["scale"], use.weights["shift"]
    normal = use.functional.layer_norm(last, scale.shape, scale, shift, use.op.eps)
    return normal.movedim(-1, use.channel)


def _rms(use: Use, x: list[Tensor]) -> Tensor:
    last, scale = x[0].movedim(use.channel, -1), use.weights["scale"]
    normal = use.functional.rms_norm(last, scale.shape, scale, use.op.eps)
    return normal.movedim(-1, use.channel)


def _gn(use: Use, x: list[Tensor]) -> Tensor:
    scale, shift = use.weights["scale"], use.weights["shift"]
    return use.functional.group_norm(x[0], use.op.g, scale, shift, use.op.eps)


def _attn(use: Use, x: list[Tensor]) -> Tensor:
    op, weights, functional = use.op, use.weights, use.functional
    batch, steps, _ = x[0].shape
    width, pairs = op.head(use.node.arrivals[0]), op.kv or op.heads
    projected = functional.linear(x[0], weights["in_weight"], weights.get("in_bias"))
    sizes = [op.heads * width, pairs * width, pairs * width]
    q, k, v = (
        part.view(batch, steps, -1, width).transpose(1, 2) for part in projected.split(sizes, dim=2)
    )
    mixed = functional.scaled_dot_product_attention(
        q, k, v, is_causal=op.causal, enable_gqa=pairs != op.heads
    )
    out = mixed.transpose(1, 2).reshape(batch, steps, -1)
    return functional.linear(out, weights["out_weight"], weights.get("out_bias"))


def _merge(fold: Callable[[Use, Sequence[Tensor]], Tensor]) -> Way:
    """A part that is one number a channel is spread over the places, as nnspec does."""

    def way(use: Use, x: list[Tensor]) -> Tensor:
        value = use.node.value
        wide = []
        for part in x:
            if part.ndim < value.rank + 1:
                shape = [len(part)] + [1] * value.rank
                shape[value.channel_axis + 1] = -1
                wide.append(part.reshape(shape))
            else:
                wide.append(part)
        return fold(use, wide)

    return way


def _mean(use: Use, parts: Sequence[Tensor]) -> Tensor:
    return _folded(lambda a, b: a + b)(use, parts) / len(parts)


def _folded(both: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Use, Sequence[Tensor]], Tensor]:
    def fold(_: Use, parts: Sequence[Tensor]) -> Tensor:
        total = parts[0]
        for part in parts[1:]:
            total = both(total, part)
        return total

    return fold


def _maximum(use: Use, parts: Sequence[Tensor]) -> Tensor:
    return _folded(use.torch.maximum)(use, parts)


def _concat(use: Use, x: list[Tensor]) -> Tensor:
    return use.torch.cat(x, dim=use.op.along(use.node.arrivals[0]) + 1)


def _slice(use: Use, x: list[Tensor]) -> Tensor:
    op, axis = use.op, use.channel if use.op.axis is None else use.op.axis + 1
    stop = x[0].shape[axis] if op.stop is None else op.stop
    return x[0][(slice(None),) * axis + (slice(op.start, stop, op.s),)]


def _pad(use: Use, x: list[Tensor]) -> Tensor:
    op, axes = use.op, x[0].ndim - 2
    sizes = op.p * axes if len(op.p) == 1 else op.p
    more = use.node.value.shape[0] - x[0].shape[1]
    sides = [side for size in reversed(sizes) for side in (size, size)]
    return use.functional.pad(x[0], [*sides, more // 2, more - more // 2])


def _crop(use: Use, x: list[Tensor]) -> Tensor:
    cut = x[0]
    for axis, size in enumerate(use.node.value.shape[1:], start=2):
        cut = cut.narrow(axis, (cut.shape[axis] - size) // 2, size)
    return cut


def _upsample(use: Use, x: list[Tensor]) -> Tensor:
    size = use.node.value.shape[1:]
    if not use.op.bilinear:
        return use.functional.interpolate(x[0], size)
    mode = ("linear", "bilinear", "trilinear")[len(size) - 1]
    return use.functional.interpolate(x[0], size, mode=mode, align_corners=False)


def _reshape(use: Use, x: list[Tensor]) -> Tensor:
    return x[0].reshape(len(x[0]), *use.node.value.shape)


def _cls(use: Use, x: list[Tensor]) -> Tensor:
    token = use.weights["weight"].expand(len(x[0]), 1, -1)
    return use.torch.cat([token, x[0]], dim=1)


def _prelu(use: Use, x: list[Tensor]) -> Tensor:
    return use.back(use.functional.prelu(use.front(x[0]), use.weights["slope"]))


def _functional(word: str, **fixed: Any) -> Way:
    return lambda use, x: getattr(use.functional, word)(x[0], **fixed)


WAYS: Mapping[str, Way] = {
    "fc": _fc,
    "conv": _conv,
    "dwconv": _conv,
    "convt": _convt,
    "embed": lambda use, x: use.functional.embedding(x[0], use.weights["weight"]),
    "attn": _attn,
    "maxpool": _pool("max"),
    "avgpool": _pool("avg"),
    "gap": _gap,
    "gmp": _gmp,
    "apool": _apool,
    "bn": _bn,
    "ln": _ln,
    "rms": _rms,
    "gn": _gn,
    "dropout": lambda use, x: use.functional.dropout(x[0], use.op.p, use.training),
    "flatten": lambda use, x: x[0].flatten(1),
    "reshape": _reshape,
    "permute": lambda use, x: x[0].permute(0, *(axis + 1 for axis in use.op.axes)),
    "tokens": lambda use, x: x[0].flatten(2).mT,
    "pad": _pad,
    "crop": _crop,
    "slice": _slice,
    "upsample": _upsample,
    "pixelshuffle": lambda use, x: use.functional.pixel_shuffle(x[0], use.op.factor),
    "chshuffle": lambda use, x: use.torch.channel_shuffle(x[0], use.op.g),
    "scale": lambda use, x: x[0] * use.by_channel(use.weights["scale"]),
    "shift": lambda use, x: x[0] + use.by_channel(use.weights["shift"]),
    "pos": lambda use, x: x[0] + use.weights["weight"],
    "cls": _cls,
    "add": _merge(_folded(lambda a, b: a + b)),
    "sub": _merge(_folded(lambda a, b: a - b)),
    "mul": _merge(_folded(lambda a, b: a * b)),
    "max": _merge(_maximum),
    "mean": _merge(_mean),
    "concat": _concat,
    "matmul": lambda use, x: x[0] @ x[1],
    "relu": _functional("relu"),
    "relu6": _functional("relu6"),
    "lrelu": lambda use, x: use.functional.leaky_relu(x[0], use.op.a),
    "prelu": _prelu,
    "elu": lambda use, x: use.functional.elu(x[0], use.op.a),
    "selu": _functional("selu"),
    "gelu": _functional("gelu"),
    "gelutanh": _functional("gelu", approximate="tanh"),
    "silu": _functional("silu"),
    "mish": _functional("mish"),
    "sigmoid": lambda use, x: x[0].sigmoid(),
    "tanh": lambda use, x: x[0].tanh(),
    "hsigmoid": _functional("hardsigmoid"),
    "hswish": _functional("hardswish"),
    "softplus": _functional("softplus"),
    "softmax": lambda use, x: x[0].softmax(use.channel),
    "logsoftmax": lambda use, x: x[0].log_softmax(use.channel),
}
"""By operator what computes it in PyTorch. Not there: recurrent layers, maxout, droppath, noise and
others that PyTorch has no function for, or whose weights lie there otherwise."""
