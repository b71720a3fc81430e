"""Every terminal of the grammar in English; no message ever shows a terminal's own name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ENGLISH: Mapping[str, str] = MappingProxyType(
    {
        "OUTPUT": "`output`", "EXPECT": "`expect`", "TRAIN": "`train`", "TRUE": "`true`",
        "FALSE": "`false`", "AND": "`and`", "OR": "`or`", "NOT": "`not`", "IF": "`if`",
        "ELSE": "`else`", "IN": "`in`", "LET": "`let`", "BLOCK": "`block`", "SHARED": "`shared`", "FOR": "`for`", "USE": "`use`", "ARROW": "`->`",
        "SAME": "`==`", "DIFFERENT": "`!=`", "AT_MOST": "`<=`", "AT_LEAST": "`>=`",
        "LESS": "`<`", "MORE": "`>`", "EQUAL": "`=`", "COLON": "`:`", "COMMA": "`,`",
        "BAR": "`|`", "STAR": "`*`", "FLOOR": "`//`", "SLASH": "`/`", "PERCENT": "`%`",
        "CARET": "`^`", "PLUS": "`+`", "MINUS": "`-`", "AT": "`@`", "DOT": "`.`",
        "CALL": "`(`", "LPAR": "`(`", "RPAR": "`)`", "LSQB": "`[`", "RSQB": "`]`",
        "LBRACE": "`{`", "RBRACE": "`}`", "SEMICOLON": "`;`",
        "WORD": "a word", "SHAPE": "a shape", "NUMBER": "a number", "STRING": "a text in quotes",
        "COMMENT": "a comment", "NEWLINE": "the end of the line", "SPACE": "a space",
        "WRONG_ARROW": "an arrow of another kind", "BAD_NUMBER": "an unreadable number",
        "BAD_STRING": "an unfinished text", "BAD": "an unknown character",
    }
)  # fmt: skip

AFTER: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "ARROW": ("a layer", "write an operator, as in `-> fc4 relu`"),
        "LSQB": ("a layer", "write a chain inside the brackets, as in `[fc4 relu]`"),
        "BAR": ("a branch", "write a chain, or `id` for the value itself"),
        "COLON": ("a layer", "write the chain that the name stands for"),
        "EQUAL": ("a value", "write what it is set to, as in `stride=2`"),
        "STAR": ("a number", "write a number, or an expression in parentheses"),
        "AT": ("a name", "write the name of a stage above, as in `@e1`"),
        "DOT": ("a word", ""),
        "EXPECT": ("a condition", "write what must hold, as in `expect params == 41`"),
        "OUTPUT": ("a name and a chain", "write `output name: ...`"),
        "TRAIN": ("`(`", "write the settings in parentheses: `train(loss = mse)`"),
        "CALL": ("a value", ""),
        "LPAR": ("a value", ""),
        "COMMA": ("a value", ""),
        "PLUS": ("a number", ""), "MINUS": ("a number", ""), "SLASH": ("a number", ""),
        "FLOOR": ("a number", ""), "PERCENT": ("a number", ""), "CARET": ("a number", ""),
        "SAME": ("a value", ""), "DIFFERENT": ("a value", ""), "LESS": ("a value", ""),
        "AT_MOST": ("a value", ""), "MORE": ("a value", ""), "AT_LEAST": ("a value", ""),
        "AND": ("a condition", ""), "OR": ("a condition", ""), "NOT": ("a condition", ""),
        "IF": ("a condition", ""), "ELSE": ("a value, or a chain in brackets", ""),
        "LET": ("a name", "write `let width = 64`"),
        "BLOCK": ("a name", "write `block basic(c) = conv(c) 3x3 bn relu`"),
        "SHARED": ("a name", "write `shared tower = fc64 relu`"),
        "USE": ("a file", 'write `use "blocks.nn"`, or `use vision.resnet`'),
        "FOR": ("a name", "write `for n in (64, 128) [ fc(n) relu ]`"),
        "IN": ("a value", "write `in.c`, or what a loop goes through: `for n in (64, 128) [ ... ]`"),
        "LBRACE": ("`let`", "braces hold the lets of a block: `{ let c = in.c }`"),
        "RBRACE": ("a chain", "write the chain that the block stands for"),
        "SEMICOLON": ("`let`", ""),
    }
)  # fmt: skip
"""After which terminal what must follow, and how that is written."""
