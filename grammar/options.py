"""How the words behind options are read, by every command alike."""

from __future__ import annotations

import argparse

EVERY = 2**31
"""Deeper than any net."""


def whole(text: str) -> int:
    """A whole number from 1; raises argparse's error."""
    if not (text.isascii() and text.isdecimal() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"`{text}` is not a whole number from 1")
    return int(text)


def depth(text: str) -> int:
    """How many blocks deep: a whole number from 1, or `all`."""
    return EVERY if text == "all" else whole(text)
