"""What a process holds of the machine's memory, in bytes (Linux)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

STEPS = 4


def field(name: str) -> int:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def grown(begin: Callable[[], Callable[[], object]]) -> str:
    """Make a net and train it a few steps; as JSON what was held before it, afterwards, and at most
    from its making on."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    before = field("VmRSS")
    step = begin()
    for _ in range(STEPS):
        step()
    return json.dumps({"before": before, "after": field("VmRSS"), "peak": field("VmHWM")})
