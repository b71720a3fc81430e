"""What a word in a stage means: an operator, one with a number attached, or nothing we know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from ..grammar.near import nearest
from ..grammar.source import Span
from .errors import UnknownOperator
from .op import LETTERS
from .ops import CATALOGUE, Op

TRAILING_NUMBER = re.compile(r"(.*?[A-Za-z_])(\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?)")

FOREIGN: Mapping[str, str] = MappingProxyType(
    {
        "dense": "fc", "linear": "fc", "fully_connected": "fc", "affine": "fc", "gemm": "fc",
        "conv1d": "conv", "conv2d": "conv", "conv3d": "conv", "convolution": "conv",
        "convolution2d": "conv",
        "batchnorm": "bn", "batchnorm1d": "bn", "batchnorm2d": "bn", "batch_norm": "bn",
        "batchnormalization": "bn",
        "maxpool1d": "maxpool", "maxpool2d": "maxpool", "maxpooling2d": "maxpool",
        "max_pool": "maxpool", "maxpooling": "maxpool",
        "avgpool1d": "avgpool", "avgpool2d": "avgpool", "averagepooling2d": "avgpool",
        "avg_pool": "avgpool", "averagepool": "avgpool", "meanpool": "avgpool",
        "globalaveragepooling2d": "gap", "globalavgpool": "gap", "globalaveragepool": "gap",
        "global_avg_pool": "gap", "globalmaxpool": "gmp", "globalmaxpooling2d": "gmp",
        "globalmaxpool2d": "gmp", "adaptiveavgpool2d": "apool", "adaptiveavgpool": "apool",
        "depthwiseconv2d": "dwconv", "depthwiseconv": "dwconv", "depthwise": "dwconv",
        "convtranspose2d": "convt", "conv2dtranspose": "convt", "convtranspose": "convt",
        "deconv": "convt", "deconvolution": "convt", "upconv": "convt",
        "upsampling2d": "upsample", "interpolate": "upsample", "resize": "upsample",
        "pixel_shuffle": "pixelshuffle", "depthtospace": "pixelshuffle",
        "channelshuffle": "chshuffle", "channel_shuffle": "chshuffle",
        "zeropadding2d": "pad", "zeropad2d": "pad", "centercrop": "crop", "cropping2d": "crop",
        "layernorm": "ln", "layer_norm": "ln", "layernormalization": "ln", "groupnorm": "gn",
        "group_norm": "gn", "groupnormalization": "gn", "instancenorm2d": "inorm",
        "instancenorm": "inorm", "rmsnorm": "rms", "rms_norm": "rms", "localresponsenorm": "lrn",
        "gaussiannoise": "noise", "stochasticdepth": "droppath", "drop_path": "droppath",
        "layerscale": "scale", "log_softmax": "logsoftmax", "gelu_new": "gelutanh",
        "gelu_tanh": "gelutanh", "positional": "pos", "positions": "pos", "pos_embed": "pos",
        "position_embedding": "pos", "clstoken": "cls", "cls_token": "cls", "class_token": "cls",
        "embedding": "embed", "multiheadattention": "attn", "attention": "attn", "mha": "attn",
        "selfattention": "attn", "self_attention": "attn", "simplernn": "rnn",
        "transpose": "permute", "narrow": "slice", "split": "slice", "chunk": "slice",
        "leakyrelu": "lrelu", "leaky_relu": "lrelu", "leaky": "lrelu", "parametricrelu": "prelu",
        "swish": "silu", "hardswish": "hswish", "hardsigmoid": "hsigmoid", "logistic": "sigmoid",
        "heaviside": "step", "threshold": "step", "unflatten": "reshape", "ravel": "flatten",
        "view": "reshape", "cat": "concat", "concatenate": "concat", "sum": "add", "plus": "add",
        "multiply": "mul", "subtract": "sub", "average": "mean", "maximum": "max",
        "residual": "add", "skip": "add", "identity": "id", "drop": "dropout",
        "dropout1d": "dropout", "dropout2d": "dropout", "softmax2d": "softmax", "bmm": "matmul",
        "dot": "matmul", "mlp": "fc",
    }
)  # fmt: skip
"""Names from other tools, lower case, with ours."""


OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        **LETTERS, **{long: long for long in LETTERS.values()},
        "kernel_size": "kernel", "kernelsize": "kernel", "ksize": "kernel", "pool_size": "kernel",
        "window": "kernel", "strides": "stride", "paddings": "padding", "pads": "padding",
        "dilations": "dilation", "dilation_rate": "dilation", "group": "groups",
    }
)  # fmt: skip
"""Names of options that are well known, here and elsewhere, with ours."""


SURE = 0.75
"""How like a known word must be to be written in place of one that is not known."""


def attached(word: str) -> tuple[str, int | float] | None:
    """`fc4` as (`fc`, 4), `dropout0.5` as (`dropout`, 0.5); None without a trailing number."""
    match = TRAILING_NUMBER.fullmatch(word)
    if match is None:
        return None
    digits = match[2].replace("_", "")
    if len(digits) > 64:
        return None
    return match[1], int(digits) if digits.isdigit() else float(digits)


def native(word: str) -> str | None:
    """What a name of another tool, or one in other case, is here: `fc4` for `Dense4`."""
    for candidate, rest in ((word, ""), _split(word)):
        ours = FOREIGN.get(candidate.lower()) or _other_case(candidate)
        if ours:
            return ours + rest
    return None


def unknown(word: str, span: Span, blocks: tuple[str, ...] = ()) -> UnknownOperator:
    """The mistake for a word that nothing has as its name, with the nearest one."""
    stem, tail = _split(word)
    owners = tuple(name for name, op in CATALOGUE.items() if _takes(op, word, stem, tail))
    if owners:
        return UnknownOperator(span, word, owners=owners)
    known = [*blocks, *CATALOGUE, *FOREIGN, "id", "freeze"]
    near = nearest(stem, known)
    ours = FOREIGN.get(near, near) + tail if near else None
    sure = near is not None and nearest(stem, [near], SURE) is not None
    return UnknownOperator(span, word, nearest=ours, replacement=ours if sure else None)


def _split(word: str) -> tuple[str, str]:
    """A word without the number attached to it, and that number as it is written."""
    stem, _ = attached(word) or (word, None)
    return stem, word[len(stem) :]


def _takes(op: type[Op], word: str, stem: str, tail: str) -> bool:
    """Whether the word is a flag of the operator, or one of its letters with a value, or such a
    letter's long name."""
    if stem in OPTIONS and stem not in LETTERS:
        return any(
            LETTERS.get(field) == OPTIONS[stem] and field not in op.places
            for field in op.model_fields
        )
    if not tail:
        return word in op.model_fields and op.model_fields[word].annotation is bool
    return stem in LETTERS and stem in op.model_fields and stem not in op.places


def _other_case(word: str) -> str | None:
    return word.lower() if word.lower() in CATALOGUE and word not in CATALOGUE else None
