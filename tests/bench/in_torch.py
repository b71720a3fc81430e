"""A net's training step and answers in PyTorch, plainly and with all that is said to speed it up."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle

import torch
from torch import nn

from nnspec.runtime.net import Net

from .nets import Batch, Case, as_torch, twin
from .timing import Step


@dataclass(frozen=True)
class Way:
    """How PyTorch is asked to run."""

    name: str
    channels_last: bool = False
    fused: bool = False
    compiled: bool = False


EAGER = Way("PyTorch eager")
WAYS = (
    EAGER,
    Way("channels-last", channels_last=True),
    Way("fused Adam", fused=True),
    Way("channels-last, fused Adam", channels_last=True, fused=True),
    Way("torch.compile", compiled=True),
)


def training_step(case: Case, net: Net, batches: list[Batch], way: Way) -> Step:
    """The step of a twin of the net; it returns the loss, which is there when it returns."""
    module = twin(case, net).train()
    given = [as_torch(batch) for batch in batches]
    if way.channels_last:
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        given = [Batch(b.x.to(memory_format=torch.channels_last), b.y) for b in given]
    loss = nn.MSELoss() if case.key == "a" else nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3, fused=way.fused or None)
    run = torch.compile(module) if way.compiled else module
    turn = cycle(given)

    def step() -> torch.Tensor:
        batch = next(turn)
        optimizer.zero_grad()
        found: torch.Tensor = loss(run(batch.x), batch.y)
        found.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return found

    return step
