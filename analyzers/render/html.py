"""Pages for the browser: one file that holds all it needs and asks for nothing else.

What comes from a spec stands in the page as JSON in which no `<` is left, and in the title, escaped;
its program puts it on the screen as text alone. The policy in the head lets nothing run but the
page's own program, by its SHA-256, and lets no request leave.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template


@dataclass(frozen=True)
class Page:
    """The files that a page is made of: its body, the parts of its program in the order in which they
    stand in it, and its styles."""

    body: str
    program: tuple[str, ...]
    styles: tuple[str, ...]


NET = Page(
    "net.html",
    (
        "words.js",         # numbers and elements: what all others speak with
        "theme.js",         # light or dark
        "outline.js",       # the net as a tree of parts that fold
        "layout.js",        # where the parts of one level stand
        "arrangement.js",   # the levels of the tree, laid out
        "picture.js",       # the drawing
        "hands.js",         # clicks, drags, pinches, keys
        "panel.js",         # the chosen layer
        "chart.js",         # what all charts can do
        "charts.js",        # which there are
        "listing.js",       # the table of layers
        "text.js",          # the text of the spec, the findings
        "page.js",          # puts them together
    ),
    ("page.css",),
)  # fmt: skip

TRAINING = Page(
    "run.html",
    (
        "words.js", "theme.js", "chart.js",
        "curves.js",        # losses, scores, rates over the epochs
        "vitals.js",        # layers over the epochs
        "examined.js",      # the held-out examples
        "text.js",
        "run.js",           # puts them together
    ),
    ("page.css", "run.css"),
)  # fmt: skip


def html(page: Page, content: Mapping[str, object], *, title: str, plain: str) -> str:
    """The page: `content` for its program to show, `plain` for a reader without JavaScript."""
    program = "\n".join(map(_asset, page.program))
    style = "\n".join(map(_asset, page.styles))
    return Template(_asset("shell.html")).substitute(
        body=_asset(page.body),
        title=_encodable(escape(title)),
        plain=_encodable(escape(plain)),
        policy=f"default-src 'none'; script-src '{_digest(program)}'; "
        f"style-src '{_digest(style)}'; img-src data:; base-uri 'none'; form-action 'none'",
        style=style,
        program=program,
        content=_inert(content),
    )


def still(body: str, styles: tuple[str, ...], *, title: str) -> str:
    """A page that no program moves: its body is all there is, and nothing may run in it."""
    style = "\n".join(map(_asset, ("page.css", *styles)))
    return Template(_asset("still.html")).substitute(
        body=body,
        title=_encodable(escape(title)),
        policy=f"default-src 'none'; style-src '{_digest(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'",
        style=style,
    )


def _asset(name: str) -> str:
    return files("nnspec").joinpath("analyzers", "render", "page", name).read_text("utf-8")


def _digest(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _inert(content: Mapping[str, object]) -> str:
    """JSON that ends no element and begins none."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return (_encodable(text) if _is_text(text) else json.dumps(content)).replace("<", "\\u003c")


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
