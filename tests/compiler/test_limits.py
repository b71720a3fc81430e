"""Every limit at the limit, one past it, and raised by its option."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import pytest

from nnspec.compiler.elaborate import elaborate
from nnspec.grammar.limits import Limits
from nnspec.grammar.source import Source


def repeated(count: int) -> str:
    """A net of exactly `count` operators, by repeats of at most 10,000."""
    full, rest = divmod(count, 10_000)
    parts = ["3"] + [f"[[relu]*10000]*{full}"] * bool(full) + [f"[relu]*{rest}"] * bool(rest)
    return " -> ".join(parts)


def nested_blocks(depth: int) -> str:
    blocks = "".join(f"block a{i} = a{i - 1}\n" for i in range(2, depth + 1))
    return f"block a1 = fc4\n{blocks}3 -> a{depth}"


def stages(count: int) -> str:
    """A net that runs exactly `count` stages, without making a node of them."""
    turns, rest = divmod(count - 2, 1000)
    loops = f"3 -> for i in range({turns}) [ for j in range(999) [ id ] ]"
    return loops + (f" -> for i in range({rest - 1}) [ id ]" if rest else "")


def used(count: int) -> str:
    return "".join(f'use "f{i}.nn"\n' for i in range(count)) + "3 -> fc(v0 + 1)"


FILES = {f"f{i}.nn": f"let v{i} = {i}" for i in range(200)}


CASES: dict[str, tuple[str, int, Callable[[int], str]]] = {
    "bytes": ("NN901", 2**20, lambda n: "3 -> fc4" + " " * (n - 8)),
    "statements": ("NN902", 2000, lambda n: "\n".join(f"output o{i}: 3 -> fc1" for i in range(n))),
    "nesting": ("NN903", 64, lambda n: "3 -> " + "[" * n + "fc4" + "]" * n),
    "identifier": ("NN904", 128, lambda n: "3 -> " + "a" * n + ": fc4"),
    "string": ("NN905", 4096, lambda n: '3 -> fc(1 if "' + "a" * n + '" else 2)'),
    "digits": ("NN906", 18, lambda n: "3 -> fc(" + "1" + "0" * (n - 1) + " // 10 ^ 17)"),
    "literal": ("NN912", 64, lambda n: "3 -> fc4 dropout 0." + "1" * (n - 2)),
    "nodes": ("NN907", 100_000, lambda n: repeated(n - 1)),
    "repeat": ("NN908", 10_000, lambda n: f"3 -> [relu]*{n}"),
    "steps": ("NN915", 500_000, stages),
    "files": ("NN914", 64, used),
    "blocks": ("NN913", 32, nested_blocks),
    "rank": ("NN909", 8, lambda n: "x".join(["1"] * n) + " -> relu"),
    "dimension": ("NN910", 2**31 - 1, lambda n: f"{n} -> relu"),
    "elements": ("NN911", 2**48, lambda n: f"{2**24}x{n // 2**24 + (n > 2**48)} -> relu"),
}


def codes(text: str, limits: Limits) -> list[str]:
    return [
        mistake.code for mistake in elaborate(Source("<limit>", text), limits, files=FILES).mistakes
    ]


@pytest.mark.parametrize("name", CASES)
def test_limit(name: str) -> None:
    code, limit, text = CASES[name]
    limits = Limits(**({name: limit} if name == "statements" else {}))
    assert getattr(limits, name) == limit
    assert codes(text(limit), limits) == []
    assert codes(text(limit + 1), limits) == [code]
    assert codes(text(limit + 1), Limits(**{name: limit * 2})) == []


def test_every_limit_is_tested() -> None:
    assert {field.name for field in fields(Limits)} == set(CASES)


def test_a_turn_that_changes_nothing_is_the_last() -> None:
    found = elaborate(Source("<turns>", "3 -> [[[fc4]*0 id]*10000]*10000 -> [fc3]*2"), Limits())
    assert found.graph is not None
    assert [node.name for node in found.graph.nodes] == ["input", "fc1", "fc2"]
    assert not found.mistakes


def test_a_turn_that_takes_a_name_is_not() -> None:
    """A block that makes nothing is counted all the same."""
    text = "block b(n) = [fc4]*n\n3 -> [b(0)]*3 -> b(1)"
    found = elaborate(Source("<turns>", text), Limits())
    assert found.graph is not None
    assert [node.name for node in found.graph.nodes] == ["input", "b4.fc1"]


def test_a_limit_within_a_block_says_nothing_wrong_of_what_is_outside() -> None:
    text = (
        'use "lib.nn" (other)\nblock local = fc4\nblock nowhere = local -> fc3\nlet k = 0.1\n'
        "8 -> other(5)\ntrain(optimizer=sgd(lr=k))"
    )
    library = {"lib.nn": "block other(w) = fc(w) -> fc4 -> fc4 -> fc4\n"}
    found = elaborate(Source("net.nn", text), Limits(nodes=3), files=library)
    assert [mistake.code for mistake in found.mistakes] == ["NN907"]
