"""A net as a notebook shows it: what it is, how it learns, and the text it was made from."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ..compiler.settings import as_text

if TYPE_CHECKING:
    from .net import Net

CELL = "padding:.1em .7em;border:0;text-align:left;vertical-align:top;background:none"


def facts(net: Net) -> dict[str, str]:
    """In the order in which they are shown."""
    graph = net.graph
    settings = {**as_text(net.training), "seed": str(net.seed)}
    return {
        "in": ", ".join(f"{node.name} {node.value}" for node in graph.inputs),
        "out": ", ".join(f"{label} {graph[name].value}" for label, name in graph.outputs.items()),
        "parameters": f"{net.params:,}",
        "numbers": net.dtype.name,
        "training": ", ".join(f"{name} = {worth}" for name, worth in settings.items()),
    }


def html(net: Net) -> str:
    """A table in the colours of the page, and the spec behind a line that opens it."""
    source = net.graph.source
    rows = "".join(
        f'<tr><th style="{CELL}">{escape(fact)}</th><td style="{CELL}">{escape(worth)}</td></tr>'
        for fact, worth in facts(net).items()
    )
    return (
        f'<div><b>nnspec.Net</b><table style="border-collapse:collapse;background:none">{rows}'
        f"</table><details><summary>{escape(source.name)}</summary><pre>{escape(source.text)}</pre></details>"
        "</div>"
    )
