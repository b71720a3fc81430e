"""The parser's tables, kept: making them of `nn.lark` takes fifteen times as long as reading them.

`python -m nnspec.grammar.tables` writes `tables.json` anew; where it was made of another grammar or
by another lark, the tables are made of the grammar.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

from .build import Builder

APART = ("COMMENT", "NEWLINE", "WRONG_ARROW", "BAD_NUMBER", "BAD_STRING", "BAD")


OPTIONS: dict[str, Any] = {
    "parser": "lalr",
    "lexer": "basic",
    "start": ["statement"],
    "keep_all_tokens": True,
    "maybe_placeholders": True,
}


class KeepApart:
    """Tells lark to keep the terminals that no rule uses."""

    always_accept = APART

    def process(self, stream: Iterator[object]) -> Iterator[object]:
        return stream


def parser() -> lark.Lark:
    """The parser for `nn.lark`, which builds our tree."""
    text = _text("nn.lark")
    try:
        kept = json.loads(_text("tables.json"), object_pairs_hook=_numbered)
    except FileNotFoundError:
        kept = {}
    if kept.get("made_of") != _made_of(text):
        return made(text)
    # What lark's own generated parsers call; there is no public name for it.
    load: Any = lark.Lark._load_from_dict
    found: lark.Lark = load(kept["data"], kept["memo"], transformer=Builder(), postlex=KeepApart())
    return found


def _numbered(pairs: list[tuple[str, Any]]) -> dict[str | int, Any]:
    """JSON knows keys of text only; states and tokens are numbers."""
    return {int(key) if key.isdigit() else key: value for key, value in pairs}


def made(text: str) -> lark.Lark:
    """The parser made of a grammar."""
    return lark.Lark(text, transformer=Builder(), postlex=KeepApart(), **OPTIONS)


def write() -> None:
    """Make the tables of the grammar and keep them."""
    text = _text("nn.lark")
    data, memo = made(text).memo_serialize([TerminalDef, Rule])
    data["options"] |= {"transformer": None, "postlex": None}
    kept = {"made_of": _made_of(text), "data": data, "memo": memo}
    path = Path(__file__).with_name("tables.json")
    path.write_text(json.dumps(kept, separators=(",", ":")) + "\n", "utf-8")


def _text(name: str) -> str:
    return files("nnspec.grammar").joinpath(name).read_text("utf-8")


def _made_of(text: str) -> list[str]:
    return [lark.__version__, sha256(text.encode()).hexdigest()]


if __name__ == "__main__":
    write()
