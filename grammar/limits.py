"""How large a spec may be. Each limit is raised by an option, `--limit nodes=200000`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds that keep any text whatever from taking the machine with it.

    Attributes
    ----------
    bytes: of a file, in UTF-8. statements: in a file. nesting: of brackets.
    identifier, string: characters. digits: of a whole literal; literal: characters of any number.
    nodes: operators after expansion. steps: stages run to make them. repeat: of one group. blocks:
    uses of blocks inside each other. files: read by `use`. rank: axes of a value. dimension: of
    one axis. elements: of one value.
    """

    bytes: int = 2**20
    statements: int = 200_000
    nesting: int = 64
    identifier: int = 128
    string: int = 4096
    digits: int = 18
    literal: int = 64
    nodes: int = 100_000
    steps: int = 500_000
    blocks: int = 32
    files: int = 64
    repeat: int = 10_000
    rank: int = 8
    dimension: int = 2**31 - 1
    elements: int = 2**48
