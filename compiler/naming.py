"""Names of nodes: a label where one is written, else operator and number.

Numbers count each operator by itself within one labelled chain, so adding a `conv` renames no `fc`,
and an edit in one chain renames nothing in another.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Names:
    """Hands out names; `taken` are those that labels have claimed."""

    taken: set[str] = field(default_factory=set)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def numbered(self, scope: str, operator: str) -> str:
        """The next free `scope.operatorN`."""
        while True:
            self.counts[scope, operator] += 1
            name = qualified(scope, f"{operator}{self.counts[scope, operator]}")
            if name not in self.taken:
                self.taken.add(name)
                return name

    def labelled(self, scope: str, label: str) -> str:
        """The label itself; with a number behind it where a repeat uses it again."""
        name = qualified(scope, label)
        if name not in self.taken:
            self.taken.add(name)
            return name
        number = 2
        while f"{name}.{number}" in self.taken:
            number += 1
        self.taken.add(f"{name}.{number}")
        return f"{name}.{number}"


def qualified(scope: str, name: str) -> str:
    return f"{scope}.{name}" if scope else name
