"""Fifty trainings, each cut off at five places in four ways and taken up again.

    python -m tests.safety.resumed

A training counts as resumed when everything that it leaves is what an uninterrupted one leaves, by
SHA-256: the weights held, the last two checkpoints (parameters, statistics, the optimiser's slots, all
random streams, best weights), the log and both weights files; only wall times are left out.
"""

from __future__ import annotations

import sys
import tempfile
from itertools import product
from pathlib import Path

from .combinations import combinations
from .cuts import MANNERS, PLACES, Cut, unequal, whole


def main() -> int:
    differing = total = 0
    for number, combination in enumerate(combinations(), 1):
        with tempfile.TemporaryDirectory() as name:
            through = whole(combination, Path(name) / "through")
            wrong = []
            for turn, (place, manner) in enumerate(product(PLACES, MANNERS)):
                folder = Path(name) / str(turn)
                Cut(place, manner).happens(combination, folder)
                if found := unequal(whole(combination, folder), through):
                    wrong.append(f"{place}, {manner}: {', '.join(found)}")
        total += len(PLACES) * len(MANNERS)
        differing += len(wrong)
        print(f"{number:>3}  {20 - len(wrong):>2} of 20 equal  {combination}", flush=True)
        for told in wrong:
            print(f"     {told}")
    print(f"{total - differing:,} of {total:,} resumed trainings equal the uninterrupted ones")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
