"""A training's history as a table, in text and as a notebook shows it: a row for every epoch, or for
every so many where they are more than can be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

from .progress import number, percent

if TYPE_CHECKING:
    from .history import Epoch, History

MOST = 40
"""Rows that can be read together."""

CELL = "padding:.1em .7em;border:0;text-align:right;background:none"

Column = tuple[str, Callable[["Epoch"], str]]


def text(history: History) -> str:
    """Aligned columns, the best epoch marked, and why training ended."""
    if not len(history):
        return "no epoch was finished"
    columns, epochs = _columns(history), _rows(history)
    head = [name for name, _ in columns]
    rows = [head, *([cell(epoch) for _, cell in columns] for epoch in epochs)]
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    marks = ["", *("  best" if epoch.number == history.best else "" for epoch in epochs)]
    lines = [
        "  ".join(map(str.rjust, row, wide)) + mark for row, mark in zip(rows, marks, strict=True)
    ]
    return "\n".join([*lines, *_notes(history, epochs)])


def html(history: History) -> str:
    """The same in the colours of the page."""
    if not len(history):
        return "<div>no epoch was finished</div>"
    columns, epochs = _columns(history), _rows(history)
    head = "".join(f'<th style="{CELL}">{escape(name)}</th>' for name, _ in columns)
    body = "".join(_row(columns, epoch, best=epoch.number == history.best) for epoch in epochs)
    notes = "".join(f"<div>{escape(note)}</div>" for note in _notes(history, epochs))
    return (
        '<div><table style="border-collapse:collapse;background:none">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}</div>"
    )


def _row(columns: Sequence[Column], epoch: Epoch, *, best: bool) -> str:
    weight = ";font-weight:bold" if best else ""
    cells = (f'<td style="{CELL}{weight}">{escape(cell(epoch))}</td>' for _, cell in columns)
    return f"<tr>{''.join(cells)}</tr>"


def _columns(history: History) -> list[Column]:
    """Those that the history has something to tell in."""
    judged = [epoch.validation for epoch in history if epoch.validation]
    found: list[Column] = [
        ("epoch", lambda epoch: str(epoch.number)),
        ("loss", lambda epoch: number(epoch.loss)),
    ]
    if judged:
        found.append(("held out", _held_loss))
    if any(scores.accuracy is not None for scores in judged):
        found.append(("accuracy", _accuracy))
    return [
        *found,
        ("rate", lambda epoch: f"{epoch.lr:.3g}"),
        ("gradient", lambda epoch: f"{epoch.gradient_norm:.3g}"),
        ("seconds", lambda epoch: f"{epoch.seconds:.2f}"),
    ]


def _held_loss(epoch: Epoch) -> str:
    return number(epoch.validation.loss) if epoch.validation else ""


def _accuracy(epoch: Epoch) -> str:
    judged = epoch.validation
    return percent(judged.accuracy) if judged and judged.accuracy is not None else ""


def _rows(history: History) -> list[Epoch]:
    """All epochs, or every so many with the best and the last."""
    every = _every(history)
    last = len(history)
    return [
        epoch
        for place, epoch in enumerate(history, 1)
        if place % every == 0 or epoch.number == history.best or place in (1, last)
    ]


def _every(history: History) -> int:
    return -(-len(history) // MOST)


def _notes(history: History, epochs: Sequence[Epoch]) -> list[str]:
    left = len(history) - len(epochs)
    told = [f"{left:,} of {len(history):,} epochs are left out"] if left else []
    return told + ([f"ended early: {history.stopped}"] if history.stopped else [])
