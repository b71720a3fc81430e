"""How many of what, in words."""

from __future__ import annotations


def quantity(count: int, one: str, many: str = "") -> str:
    """`1 layer`, `2 layers`, `1,000 classes`; `many` where it is not one and an s."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
