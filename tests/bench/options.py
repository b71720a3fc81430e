"""What is asked of a run, and how it tells where it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .nets import Case
from .timing import Pace


@dataclass(frozen=True)
class Options:
    """`large` asks for ResNet-18 too; `say` takes what is being measured now; `mnist` is the folder of the digits."""

    cases: tuple[Case, ...]
    large: bool
    quick: bool
    mnist: Path | None
    say: Callable[[str], None]

    def pace(self, full: Pace) -> Pace:
        """Three short rounds where a quick look is enough."""
        return Pace(3, full.seconds / 2) if self.quick else full
