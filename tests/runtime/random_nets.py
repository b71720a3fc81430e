"""Random nets made of all operators, as text."""

from __future__ import annotations

from random import Random

from nnspec.compiler.op import Elementwise
from nnspec.compiler.ops import CATALOGUE

ACTIVATIONS = [n for n, k in CATALOGUE.items() if issubclass(k, Elementwise)] + [
    "prelu", "softmax", "logsoftmax",
]  # fmt: skip
SEQUENTIAL = (
    "cls", "pos ln", "permute (1, 0)", "rms", "attn1 causal", "attn2", "attn2 kv=1 width=4 rope",
    "rnn3", "lstm2 bi", "gru2 reverse", "lstm3 nobias", "gru2 bi",
)  # fmt: skip
COLLAPSING = ("flatten", "gap", "gmp", "slice 0 1 axis=0 -> flatten", "gru3 last")
BEHIND = (
    "", "", "", " bn", " ln", " rms", " lrn3", " dropout0", " droppath0", " noise0",
    " scale0.5", " shift", " scale shift",
)  # fmt: skip
MERGES = ["add", "sub", "mul", "max", "mean"]


def random_net(seed: int) -> str:
    """A chain of two to eight stages with branches, groups and references; small shapes."""
    rng = Random(seed)
    kind = rng.choice(("vector", "image", "image", "line", "sequence", "words"))
    head = {
        "vector": f"{rng.randint(1, 6)}",
        "image": f"{rng.randint(1, 4)}x{rng.randint(5, 9)}x{rng.randint(5, 9)}",
        "line": f"{rng.randint(1, 4)}x{rng.randint(6, 12)}",
        "words": f"{rng.randint(1, 5)} int -> embed7 {rng.choice((2, 4))}",
        "sequence": f"{rng.randint(2, 5)}x{rng.randint(2, 5)}",
    }[kind]
    stages = [head]
    kind = "sequence" if kind == "words" else kind
    flat = kind in ("vector", "sequence")
    maps = not flat
    if kind == "line":
        stages.append(f"conv{rng.randint(1, 4)} 3 p1")
    count = rng.randint(2, 6)
    for index in range(count):
        if maps:
            if rng.random() < 0.25 and index > 1:
                stages.append(rng.choice(("gap", "gmp", "flatten", "tokens")))
                kind = "sequence" if stages[-1] == "tokens" else "vector"
                maps, flat = False, True
            else:
                stages.append(spatial(rng))
        elif kind == "sequence" and rng.random() < 0.2:
            stages.append(rng.choice(COLLAPSING))
            kind = "vector"
        elif kind == "sequence" and rng.random() < 0.25:
            stages.append(rng.choice(SEQUENTIAL))
        else:
            stages.append(dense(rng))
        if rng.random() < 0.3:
            stages.append(f"r{index}: id {rng.choice(ACTIVATIONS[:12])}")
            stages.append(f"{rng.choice(MERGES)}[ id | @r{index} ]")
    return " -> ".join(stages)


def decorated(rng: Random) -> str:
    return f"{rng.choice(BEHIND)} {rng.choice(ACTIVATIONS)}"


def dense(rng: Random) -> str:
    n = rng.randint(1, 5)
    return rng.choice(
        (
            f"fc{n}{decorated(rng)}",
            f"maxout{n} k{rng.randint(1, 3)}",
            f"{rng.choice(MERGES)}[ fc{n} | fc{n} tanh | fc{n} nobias ]",
            f"concat[ id | fc{n} sigmoid ]",
            f"[fc{n}{decorated(rng)}]*{rng.randint(0, 2)} fc{n}",
            f"fc{n} nobias{decorated(rng)}",
            f"fc{n + 1} slice 1 -> fc{n}",
            f"fc6 -> reshape 3x2 -> fc{n + 1} tanh -> permute (1, 0) fc2 -> flatten",
            f"fc12 -> reshape 3x2x2 -> conv{n} 2 p1 -> permute (2, 0, 1) -> flatten",
            f"concat[ id | id ] slice 0 2 s{rng.choice((1, 2))}",
        )
    )


def spatial(rng: Random) -> str:
    n = rng.choice((1, 2, 4))
    return rng.choice(
        (
            f"conv{n} {rng.choice((1, 2, 3))} p1{decorated(rng)}",
            f"conv{n} 3 same s{rng.choice((1, 2))} nobias{decorated(rng)}",
            f"conv4 1 -> conv4 3 p2 d2 g{rng.choice((1, 2, 4))}{decorated(rng)}",
            f"maxpool{rng.choice((1, 2))} s1",
            f"maxpool3 s{rng.choice((1, 2))} p1{rng.choice(('', ' ceil'))}",
            f"avgpool2 s{rng.choice((1, 2))} p1{rng.choice(('', ' ceil'))}",
            f"{rng.choice(MERGES)}[ id | gap{rng.choice(('', ' sigmoid'))} ]",
            f"{rng.choice(MERGES)}[ conv{n} 3 p1 | conv{n} 1 ]",
            f"concat[ id | conv{n} 1 relu | conv{n} 3 same ]",
            f"bn {rng.choice(ACTIVATIONS)}",
            f"dwconv{rng.choice((1, 2, 3))} p1 m={rng.choice((1, 2))}{decorated(rng)}",
            f"dwconv3 same s{rng.choice((1, 2))} nobias{decorated(rng)}",
            f"convt{n} {rng.choice((1, 2, 3))} s{rng.choice((1, 2))}{decorated(rng)}",
            f"conv4 1 -> convt4 3 s2 p1 outpad=1 g{rng.choice((1, 2, 4))} -> avgpool2",
            f"upsample2{rng.choice(('', ' bilinear'))} -> conv{n} 3 s2 p1",
            f"apool{rng.choice((2, 3, 5))}",
            f"pad{rng.choice((1, 2))} -> conv{n} 3",
            f"conv4 1 -> pad channels={rng.choice((4, 5, 7))} -> conv{n} 1",
            f"pad1 -> crop{rng.choice((3, 4))}",
            f"conv4 1 -> chshuffle{rng.choice((1, 2, 4))} slice 1 {rng.choice((3, 4))}",
            "conv4 1 -> pixelshuffle2 -> maxpool2",
            f"conv4 3 p1 gn{rng.choice((1, 2, 4))} {rng.choice(ACTIVATIONS)}",
            f"conv{n} 3 p1 nobias inorm{rng.choice(('', ' affine'))} {rng.choice(ACTIVATIONS)}",
            f"pos {rng.choice(ACTIVATIONS)}",
            f"lrn(3, alpha=0.5, k=2) -> ln {rng.choice(ACTIVATIONS)}",
            "concat[ slice 0 1 | slice 0 1 axis=0 s2 relu ]",
        )
    )
