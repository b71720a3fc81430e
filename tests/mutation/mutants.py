"""Every small change to a module that its tests should notice.

Left out: docstrings, type hints, decorators and the `description` and `source` of a page, which
are prose that nothing computes with.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from types import CodeType

SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.Break: ast.Continue, ast.Continue: ast.Break,
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
AROUND = 40
"""Letters shown on either side of a change."""
UNTOUCHED = {"annotation", "returns", "decorator_list"}
PROSE = {"description", "source", "__all__"}
FUNCTIONS = ast.FunctionDef | ast.Lambda


@dataclass(frozen=True)
class Mutant:
    """One change: `was` becomes `now` at a line, inside the functions that begin at `within`."""

    path: Path
    line: int
    was: str
    now: str
    within: frozenset[int]
    _tree: ast.Module = field(repr=False)
    _slot: tuple[ast.AST, str, int | None] = field(repr=False)
    _node: ast.AST = field(repr=False)

    def code(self) -> CodeType:
        """The whole module with the change in it."""
        before = _swap(self._slot, self._node)
        try:
            return compile(ast.fix_missing_locations(self._tree), str(self.path), "exec")
        finally:
            _swap(self._slot, before)

    def __str__(self) -> str:
        """What differs, with a little before and behind it."""
        was, now = (" ".join(text.split()) for text in (self.was, self.now))
        same = _alike(was, now)
        behind = _alike(was[same:][::-1], now[same:][::-1])
        first, left_out = max(same - AROUND, 0), max(behind - AROUND, 0)
        was, now = (text[first : len(text) - left_out] for text in (was, now))
        return f"{self.line}: {was}  =>  {now}"


def _alike(one: str, other: str) -> int:
    """How many letters they begin with together."""
    return sum(1 for _ in takewhile(lambda both: both[0] == both[1], zip(one, other, strict=False)))


def _swap(slot: tuple[ast.AST, str, int | None], node: ast.AST) -> ast.AST:
    """Put the node where another stands, and hand that one out."""
    parent, name, index = slot
    there = getattr(parent, name)
    if index is None:
        setattr(parent, name, node)
        return there  # type: ignore[no-any-return]
    before: ast.AST = there[index]
    there[index] = node
    return before


def mutants(path: Path) -> Iterator[Mutant]:
    """In the order of the text."""
    tree = ast.parse(path.read_text("utf-8"))
    for slot, node, statement, within in _places(tree, tree, frozenset()):
        for other in _others(node):
            before = ast.unparse(statement)
            _swap(slot, other)
            after = ast.unparse(other if node is statement else statement)
            _swap(slot, node)
            line: int = getattr(node, "lineno", getattr(statement, "lineno", 0))
            yield Mutant(path, line, before, after, within, tree, slot, other)


_Place = tuple[tuple[ast.AST, str, int | None], ast.AST, ast.AST, frozenset[int]]


def _places(node: ast.AST, statement: ast.AST, within: frozenset[int]) -> Iterator[_Place]:
    """Every node with where it hangs, the simple statement it belongs to, and the functions."""
    if isinstance(node, FUNCTIONS):
        first = getattr(node, "decorator_list", [])[:1]
        within |= {first[0].lineno if first else node.lineno}
    for name, value in ast.iter_fields(node):
        if name in UNTOUCHED or _is_prose(node):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or _is_docstring(child):
                continue
            whole = child if isinstance(child, ast.stmt) else statement
            yield (node, name, index), child, whole, within
            yield from _places(child, whole, within)


def _is_prose(node: ast.AST) -> bool:
    if isinstance(node, ast.keyword):
        return node.arg in PROSE
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in PROSE


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _others(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in a node's place."""
    match node:
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield ast.Constant(value + 1)
        case ast.Constant(value=str() as value):
            yield ast.Constant(f"{value}?" if value else "?")
        case ast.Name(id=name) if name in NAMES:
            yield ast.Name(NAMES[name], node.ctx)
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield node.operand
        case ast.IfExp():
            yield from (node.body, node.orelse)
        case ast.If() | ast.While():
            turned = ast.UnaryOp(ast.Not(), node.test)
            yield type(node)(test=turned, body=node.body, orelse=node.orelse)
        case ast.Return(value=ast.Constant(value=None)):
            pass
        case ast.Return(value=ast.AST()):
            yield ast.Return(ast.Constant(None))
        case ast.Expr() | ast.AugAssign() | ast.Raise():
            yield ast.Pass()
        case _ if type(node) in SWAPS:
            yield SWAPS[type(node)]()
