"""What `nnspec profile` measured as a page: blocks, layers, forward and backward, as wide as they take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .render.flame import body
from .render.html import still


@dataclass
class Flame:
    """A block, a layer, or what a layer does in one direction.

    Attributes
    ----------
    name: below the one that it stands in. path: its full name, with the direction.
    kind: "layer" too where it is none, as the update of all weights.
    seconds, least: measured, and what its work takes at best, all within it together.
    flops, bytes: of its work.
    """

    name: str
    path: str
    kind: Literal["whole", "block", "layer", "direction"]
    seconds: float = 0.0
    least: float = 0.0
    flops: int = 0
    bytes: int = 0
    within: dict[str, Flame] = field(default_factory=dict)

    def opened(self, path: str, kind: Literal["block", "layer", "direction"]) -> Flame:
        """The part of that name, made where it is not there yet."""
        if path not in self.within:
            name = path.removeprefix(self.path).lstrip(". ") if self.path else path
            self.within[path] = Flame(name, path, kind)
        return self.within[path]

    def add(self, part: Mapping[str, Any]) -> None:
        self.seconds += part["seconds"]
        self.least += part["least"]
        self.flops += part["flops"]
        self.bytes += part["bytes"]

    @property
    def reached(self) -> float:
        return self.least / self.seconds if self.seconds else 0.0

    @property
    def depth(self) -> int:
        return 1 + max((part.depth for part in self.within.values()), default=0)


def flame(parts: Iterable[Mapping[str, Any]]) -> Flame:
    """The whole pass, blocks and layers within it in the net's order."""
    root = Flame("the whole pass", "", "whole")
    for part in parts:
        way = [root]
        for block in part["blocks"]:
            way.append(way[-1].opened(block, "block"))
        layer, direction = part["layer"], part["direction"]
        way.append(way[-1].opened(layer or direction, "layer"))
        if layer:
            way.append(way[-1].opened(f"{layer} {direction}", "direction"))
        for place in way:
            place.add(part)
    return root


def flame_page(found: Mapping[str, Any], name: str) -> str:
    """The page of a profile as `--format json` prints it."""
    what = "a training step" if found["mode"] == "train" else "inference"
    root = flame(found["parts"])
    title = f"{name or 'a net'}: where the time of {what} goes"
    return still(body(root, found, title, _subtitle(found, what)), ("flame.css",), title=title)


def _subtitle(found: Mapping[str, Any], what: str) -> str:
    batch: int = found["batch"]
    lanes: Sequence[int] = found["lanes"]
    examples = "one example" if batch == 1 else f"{batch:,} examples"
    shared = f", {' + '.join(map(str, lanes))} on {len(lanes)} threads" if len(lanes) > 1 else ""
    busy = ""
    if found.get("disturbed"):
        busy = f"; other processes used {found['others']:.1f} cores meanwhile: these times are too long"
    return f"{what} over {examples}{shared}, the median of {found['passes']:,} passes{busy}"
