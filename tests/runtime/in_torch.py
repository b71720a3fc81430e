"""A graph computed by PyTorch: an interpreter that shares no line with the runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nnspec.compiler.graph import Graph, Node

Operation = Callable[[Node, list[Tensor], dict[str, Tensor]], Tensor]


def run(graph: Graph, inputs: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> Tensor:
    """The main output in training mode (batch norm by the batch's statistics)."""
    return values(graph, inputs, weights, OPERATIONS)[graph.output.name]


def values(
    graph: Graph,
    inputs: Mapping[str, Tensor],
    weights: Mapping[str, Tensor],
    operations: Mapping[str, Operation],
) -> dict[str, Tensor]:
    """What every node makes, by name."""
    found = dict(inputs)
    for node in graph.nodes:
        if not node.is_input:
            own = {w.name: weights[node.keeper(w)] for w in node.weights}
            given = [found[name] for name in node.inputs]
            made = found[node.name] = operations[node.op.name](node, given, own)
            assert made.shape[1:] == node.value.shape, (node.name, made.shape, node.value)
    return found


def plain(function: Callable[[Tensor], Tensor]) -> Operation:
    return lambda node, x, w: function(x[0])


def channel_axis(node: Node) -> int:
    return node.arrivals[0].channel_axis + 1


def conv(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    op: Any = node.op
    windows = op.windows(node.arrivals[0])
    function = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[len(windows)]
    pads = [p for window in reversed(windows) for p in (window.before, window.after)]
    stride, dilation = [v.stride for v in windows], [v.dilation for v in windows]
    padded = F.pad(x[0], pads)
    return function(padded, w["weight"], w.get("bias"), stride, 0, dilation, op.g)


def dwconv(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    op: Any = node.op
    windows = op.windows(node.arrivals[0])
    function = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[len(windows)]
    pads = [p for window in reversed(windows) for p in (window.before, window.after)]
    stride, dilation = [v.stride for v in windows], [v.dilation for v in windows]
    channels = x[0].shape[1]
    return function(F.pad(x[0], pads), w["weight"], w.get("bias"), stride, 0, dilation, channels)


def convt(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    op: Any = node.op
    axes = x[0].ndim - 2
    function: Any = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[axes - 1]
    stride, padding, dilation = (sizes * (axes // len(sizes)) for sizes in (op.s, op.p, op.d))
    computed: Tensor = function(
        x[0], w["weight"], w.get("bias"), stride, padding, op.outpad, op.g, dilation
    )
    return computed


def attn(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    op: Any = node.op
    batch, steps, _ = x[0].shape
    width, pairs = op.head(node.arrivals[0]), op.kv or op.heads
    projected = F.linear(x[0], w["in_weight"], w.get("in_bias"))
    sizes = [op.heads * width, pairs * width, pairs * width]
    q, k, v = (
        part.view(batch, steps, -1, width).transpose(1, 2)
        for part in torch.split(projected, sizes, dim=2)
    )
    if op.rope:
        q, k = turned(q, op.base), turned(k, op.base)
    k, v = (part.repeat_interleave(op.heads // pairs, dim=1) for part in (k, v))
    mixed = F.scaled_dot_product_attention(q, k, v, is_causal=op.causal)
    return F.linear(mixed.transpose(1, 2).flatten(2), w["out_weight"], w.get("out_bias"))


def turned(heads: Tensor, base: float) -> Tensor:
    """Rotary positions by complex numbers: the halves of a head are real and imaginary parts."""
    half = heads.shape[-1] // 2
    rates = base ** (-torch.arange(half, dtype=heads.dtype) / half)
    angles = torch.outer(torch.arange(heads.shape[-2], dtype=heads.dtype), rates)
    numbers = torch.complex(heads[..., :half], heads[..., half:])
    spun = numbers * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([spun.real, spun.imag], dim=-1)


def recurrent(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    op: Any = node.op
    kind: Any = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[op.name]
    cell = kind(x[0].shape[2], op.n, bias=not op.nobias, batch_first=True, bidirectional=op.bi)
    named = {
        f"{theirs}_l0{suffix}": w[f"{prefix}{ours}"]
        for suffix, prefix in (("", ""), ("_reverse", "reverse_"))[: 2 if op.bi else 1]
        for theirs, ours in (
            ("weight_ih", "input_weight"), ("weight_hh", "state_weight"),
            ("bias_ih", "input_bias"), ("bias_hh", "state_bias"),
        )
        if f"{prefix}{ours}" in w
    }  # fmt: skip
    given = x[0].flip(1) if op.reverse and not op.bi else x[0]
    states: Tensor = torch.func.functional_call(cell.double(), named, (given,))[0]
    if op.last:
        return torch.cat([states[:, -1, : op.n], states[:, 0, op.n :]], dim=1)
    return states.flip(1) if op.reverse and not op.bi else states


def gmp(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    return x[0].movedim(channel_axis(node), 1).flatten(2).max(dim=2).values


def apool(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    axes = x[0].ndim - 2
    function: Any = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)[axes - 1]
    computed: Tensor = function(x[0], node.value.shape[1:])
    return computed


def upsample(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    op: Any = node.op
    size = node.value.shape[1:]
    if not op.bilinear:
        return F.interpolate(x[0], size)
    mode = ("linear", "bilinear", "trilinear")[x[0].ndim - 3]
    return F.interpolate(x[0], size, mode=mode, align_corners=False)


def pad(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    op: Any = node.op
    sizes = op.p * (x[0].ndim - 2) if len(op.p) == 1 else op.p
    more = node.value.shape[0] - x[0].shape[1]
    pads = [p for size in reversed(sizes) for p in (size, size)]
    return F.pad(x[0], [*pads, more // 2, more - more // 2])


def crop(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    cut = x[0]
    for axis, size in enumerate(node.value.shape[1:], start=2):
        cut = cut.narrow(axis, (cut.shape[axis] - size) // 2, size)
    return cut


def sliced(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    op: Any = node.op
    axis = channel_axis(node) if op.axis is None else op.axis + 1
    stop = x[0].shape[axis] if op.stop is None else op.stop
    return x[0].index_select(axis, torch.arange(op.start, stop, op.s))


def pool(maximum: bool) -> Operation:
    def computed(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
        op: Any = node.op
        windows = op.windows(node.arrivals[0])
        kernel, stride = [v.kernel for v in windows], [v.stride for v in windows]
        padding = [v.before for v in windows]
        if maximum:
            function: Any = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[len(windows) - 1]
            largest: Tensor = function(x[0], kernel, stride, padding, ceil_mode=op.ceil)
            return largest
        function = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[len(windows) - 1]
        averaged: Tensor = function(x[0], kernel, stride, padding, op.ceil)
        return averaged

    return computed


def bn(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    axis = channel_axis(node)
    moved = x[0].movedim(axis, 1)
    op: Any = node.op
    return F.batch_norm(moved, None, None, w["scale"], w["shift"], True, 0.1, op.eps).movedim(
        1, axis
    )


def prelu(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    axis = channel_axis(node)
    return F.prelu(x[0].movedim(axis, 1), w["slope"]).movedim(1, axis)


def norm(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    axis = channel_axis(node)
    op: Any = node.op
    moved, size = x[0].movedim(axis, -1), w["scale"].shape
    if node.op.name == "rms":
        return F.rms_norm(moved, size, w["scale"], op.eps).movedim(-1, axis)
    return F.layer_norm(moved, size, w["scale"], w["shift"], op.eps).movedim(-1, axis)


def inorm(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    op: Any = node.op
    # F.instance_norm refuses maps of one place, which it would make zero.
    mean = x[0].flatten(2).mean(2)
    variance = x[0].flatten(2).var(2, unbiased=False)
    shape = (*mean.shape, *[1] * (x[0].ndim - 2))
    normal = (x[0] - mean.view(shape)) / torch.sqrt(variance.view(shape) + op.eps)
    return normal * by_channel(w["scale"], node) + by_channel(w["shift"], node) if w else normal


def lrn(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    op: Any = node.op
    axis = channel_axis(node)
    moved = x[0].movedim(axis, 1)
    # F.local_response_norm wants at least one place behind the channels.
    flat = moved.flatten(2) if moved.ndim > 2 else moved.unsqueeze(2)
    normal = F.local_response_norm(flat, op.size, op.alpha, op.beta, op.k)
    return normal.reshape(moved.shape).movedim(1, axis)


def by_channel(weight: Tensor, node: Node) -> Tensor:
    shape = [1] * (node.value.rank + 1)
    shape[channel_axis(node)] = -1
    return weight.reshape(shape)


def cls(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    return torch.cat([w["weight"].expand(len(x[0]), 1, -1), x[0]], dim=1)


def maxout(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    pieces = torch.einsum("...i,koi->...ko", x[0], w["weight"])
    if "bias" in w:
        pieces = pieces + w["bias"]
    return pieces.max(dim=-2).values


def merge(fold: Callable[[list[Tensor]], Tensor]) -> Operation:
    def computed(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
        wide = []
        for part in x:
            if part.ndim < node.value.rank + 1:
                shape = [len(part)] + [1] * node.value.rank
                shape[node.value.channel_axis + 1] = -1
                part = part.reshape(shape)
            wide.append(part.expand(len(part), *node.value.shape))
        return fold(wide)

    return computed


def gap(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    axes = [i for i in range(1, x[0].ndim) if i != channel_axis(node)]
    return x[0].mean(dim=axes)


def concat(node: Node, x: list[Tensor], w: dict[str, Tensor]) -> Tensor:
    op: Any = node.op
    return torch.cat(x, dim=op.along(node.arrivals[0]) + 1)


def first_less_others(x: list[Tensor]) -> Tensor:
    total = x[0]
    for part in x[1:]:
        total = total - part
    return total


OPERATIONS: dict[str, Operation] = {
    "fc": lambda node, x, w: F.linear(x[0], w["weight"], w.get("bias")),
    "maxout": maxout,
    "conv": conv,
    "embed": lambda node, x, w: F.embedding(x[0], w["weight"]),
    "attn": attn,
    "rnn": recurrent,
    "lstm": recurrent,
    "gru": recurrent,
    "dwconv": dwconv,
    "convt": convt,
    "gmp": gmp,
    "apool": apool,
    "upsample": upsample,
    "reshape": lambda node, x, w: x[0].reshape(len(x[0]), *node.value.shape),
    "permute": lambda node, x, w: x[0].permute(0, *(i + 1 for i in node.op.axes)),  # type: ignore[attr-defined]
    "tokens": plain(lambda x: x.flatten(2).mT),
    "pad": pad,
    "crop": crop,
    "slice": sliced,
    "pixelshuffle": lambda node, x, w: F.pixel_shuffle(x[0], node.op.factor),  # type: ignore[attr-defined]
    "chshuffle": lambda node, x, w: torch.channel_shuffle(x[0], node.op.g),  # type: ignore[attr-defined]
    "maxpool": pool(True),
    "avgpool": pool(False),
    "gap": gap,
    "bn": bn,
    "prelu": prelu,
    "softmax": lambda node, x, w: x[0].softmax(channel_axis(node)),
    "logsoftmax": lambda node, x, w: x[0].log_softmax(channel_axis(node)),
    "ln": norm,
    "rms": norm,
    "gn": lambda node, x, w: F.group_norm(x[0], node.op.g, w["scale"], w["shift"], node.op.eps),  # type: ignore[attr-defined]
    "inorm": inorm,
    "lrn": lrn,
    "scale": lambda node, x, w: x[0] * by_channel(w["scale"], node),
    "shift": lambda node, x, w: x[0] + by_channel(w["shift"], node),
    "pos": lambda node, x, w: x[0] + w["weight"],
    "cls": cls,
    "droppath": plain(lambda x: x),
    "noise": plain(lambda x: x),
    "flatten": lambda node, x, w: x[0].flatten(1),
    "dropout": plain(lambda x: x),
    "add": merge(lambda x: torch.stack(x).sum(0)),
    "sub": merge(first_less_others),
    "mul": merge(lambda x: torch.stack(x).prod(0)),
    "max": merge(lambda x: torch.stack(x).max(0).values),
    "mean": merge(lambda x: torch.stack(x).mean(0)),
    "concat": concat,
    "matmul": lambda node, x, w: x[0] @ x[1],
    "relu": plain(F.relu),
    "relu6": plain(F.relu6),
    "lrelu": lambda node, x, w: F.leaky_relu(x[0], node.op.a),  # type: ignore[attr-defined]
    "elu": lambda node, x, w: F.elu(x[0], node.op.a),  # type: ignore[attr-defined]
    "selu": plain(F.selu),
    "gelu": plain(F.gelu),
    "gelutanh": plain(lambda x: F.gelu(x, approximate="tanh")),
    "mish": plain(F.mish),
    "silu": plain(F.silu),
    "sigmoid": plain(torch.sigmoid),
    "tanh": plain(torch.tanh),
    # F.hardsigmoid multiplies gradients by a sixth in single precision, even of doubles.
    "hsigmoid": plain(lambda x: (x / 6 + 0.5).clamp(0, 1)),
    "hswish": plain(lambda x: x * (x + 3).clamp(0, 6) / 6),
    # By default PyTorch takes x itself above 20, which is off by 2e-9.
    "softplus": plain(lambda x: F.softplus(x, threshold=700)),
    "step": plain(lambda x: (x > 0).to(x.dtype) + 0 * x),
}
