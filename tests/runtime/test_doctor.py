"""`nnspec doctor`: nets of the course are well, and planted illnesses are found by name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnspec
from nnspec.__main__ import main
from nnspec.analyzers.lint import OBSTACLES, obstacles
from nnspec.analyzers.rule import rules
from nnspec.runtime.causes import FOLLOW
from nnspec.runtime.commands_doctor import as_json, letter, plain
from nnspec.runtime.data import fitted, load, split
from nnspec.runtime.dataset import Dataset
from nnspec.runtime.examination import Examination, examine
from nnspec.runtime.findings import CHECKS, Finding, findings
from nnspec.runtime.judge import guesses
from nnspec.runtime.memorise import bare, memorised
from nnspec.runtime.net import Net
from nnspec.runtime.portraits import COLOURS, PALE, as_grid, as_text, boundary, templates
from nnspec.runtime.rates import Rates, drawn

SPECS = Path(__file__).parents[2] / "specs" / "course"
DIGITS = load("digits")


def examined(
    spec: str | Path, data: str | Dataset = DIGITS, *, steps: int = 300, **settings: object
) -> Examination:
    graph = nnspec.graph(spec, settings=settings)
    loaded = load(data) if isinstance(data, str) else data
    learned, held = split(fitted(loaded, graph.inputs[0].value.shape))
    return examine(graph, learned, held, steps=steps)


def causes(found: Examination) -> list[str]:
    return [one.name for one in findings(found) if not one.follows]


def all_named(found: Examination) -> set[str]:
    return {one.name for one in findings(found)}


@pytest.mark.parametrize(
    ("spec", "data"),
    [
        (SPECS / "digits_mlp.nn", "digits"),
        (SPECS / "digits.nn", "digits"),
        (SPECS / "depth.nn", "digits"),
        (SPECS / "overfit.nn", "digits"),
        (SPECS / "spiral.nn", "spiral"),
        (SPECS / "spiral_power.nn", "spiral"),
        ("2 -> fc16 tanh -> fc1\ntrain(loss = bce, optimizer = adam(lr=1e-2))", "moons"),
        ("4 -> bn -> fc16 relu -> fc3\ntrain(optimizer = adam(lr=1e-2), epochs = 20)", "iris"),
        ("13 -> bn -> fc16 relu -> fc3\ntrain(optimizer = adam(lr=1e-2), epochs = 20)", "wine"),
    ],
)
def test_healthy_nets_get_a_clean_bill(spec: str | Path, data: str) -> None:
    assert findings(examined(spec, data)) == ()


MLP = "64 -> fc32 relu -> fc32 relu -> fc10\ntrain(loss = cross_entropy, epochs = 10"
RARE = np.concatenate([np.flatnonzero(DIGITS.y != 3), np.flatnonzero(DIGITS.y == 3)[:10]])
ILLNESSES: dict[str, tuple[str, str | Dataset]] = {
    "inputs-not-scaled": (MLP + ")", replace(DIGITS, x=DIGITS.x * 255)),
    "targets-not-scaled": ("10 -> bn -> fc16 relu -> fc1", "diabetes"),
    "begins-alike": ("64 -> fc32(init=zeros) relu -> fc10", DIGITS),
    "signal-fades": ("64 -> [fc32(init=normal(0.01)) tanh]*6 -> fc10", DIGITS),
    "signal-grows": ("64 -> [fc32(init=normal(1)) relu]*3 -> fc10", DIGITS),
    "first-loss": ("64 -> fc32 relu -> fc10(init=normal(3))", DIGITS),
    "rate-too-high": (MLP + ", optimizer = sgd(lr=50))", DIGITS),
    "rate-too-low": (MLP + ", optimizer = adam(lr=1e-7))", DIGITS),
    "saturated": ("64 -> [fc64(init=normal(1)) tanh]*3 -> fc10", DIGITS),
    "no-gradient": ("64 -> fc32 step -> fc10", DIGITS),
    "vanishing-gradient": ("64 -> [fc32 sigmoid]*8 -> fc10", DIGITS),
    "exploding-gradient": (
        "64 -> bn -> fc8(init=normal(1e-6)) -> bn -> fc10\ntrain(loss = cross_entropy)",
        DIGITS,
    ),
    "cannot-memorise": (str(SPECS / "spiral_linear.nn"), "spiral"),
    "unbalanced": (MLP + ", optimizer = adam(lr=5e-3))", DIGITS.taken(RARE)),
    "overfits": (
        "64 -> fc128 relu -> fc128 relu -> fc10\ntrain(epochs = 80, loss = cross_entropy)",
        replace(
            DIGITS.taken(np.arange(300)),
            y=np.where(
                np.arange(300) % 3 == 0, np.random.default_rng(0).permutation(DIGITS.y[:300]),
                DIGITS.y[:300],
            ),
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ILLNESSES)
def test_planted_illnesses_are_found_by_name(name: str) -> None:
    spec, data = ILLNESSES[name]
    found = examined(spec, data)
    assert name in causes(found), findings(found)
    (one,) = [finding for finding in findings(found) if finding.name == name]
    assert one.says
    assert any(letter.isdigit() for letter in one.evidence) or name in ("begins-alike",)
    assert one.advice


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (MLP + ", optimizer = sgd(lr=50))", "dead-units"),
        (MLP + ", optimizer = sgd(lr=50))", "learns-nothing"),
        ("64 -> fc32 -> fc32 -> fc10\ntrain(loss=mse, optimizer = sgd(lr=1e5))", "diverges"),
    ],
)
def test_what_follows_is_told_with_its_cause(spec: str, name: str) -> None:
    data = DIGITS if "mse" not in spec else replace(DIGITS, y=np.eye(10, dtype="f")[DIGITS.y])
    found = findings(examined(spec, data))
    assert [one.follows for one in found if one.name == name] == ["rate-too-high"]


def doctored(spec: str, data: str = "spiral") -> list[Finding]:
    """As the command does it: the linter is asked too."""
    found = examined(spec, data, steps=200)
    return list(findings(found, obstacles(found.graph)))


DEEP = "2 -> fc50 sigmoid -> fc50 sigmoid -> fc50 sigmoid -> fc50 sigmoid -> fc3"


def test_a_faint_gradient_is_the_cause_where_nothing_is_learned() -> None:
    (cause, *after) = doctored(f"{DEEP}\ntrain(optimizer = sgd(lr=0.01))")
    assert (cause.name, cause.follows) == ("vanishing-gradient", "")
    assert "first/last 2.0e-03" in cause.evidence
    assert {one.name for one in after} == {"rate-too-low", "learns-nothing"}
    assert {one.follows for one in after} == {"vanishing-gradient"}
    assert any("adam(lr=0.01): it learned 16 examples" in text for text in cause.advice)


@pytest.mark.parametrize(
    ("spec", "there"),
    [
        (f"{DEEP}\ntrain(optimizer = sgd(lr=0.01))", "sgd(lr=0.01)"),
        (f"{DEEP}\ntrain(optimizer = adam(lr=0.01), epochs = 1)", "adam(lr=0.01)"),
        ("2 -> fc9 relu -> fc3\ntrain(optimizer = sgd(lr=1e4), clip = 1.0)", "clip = 1.0"),
        ("2 -> bn -> fc9 relu -> fc3\ntrain(optimizer = sgd(lr=1e30))", "scale the inputs"),
        ("2 -> bn -> fc8(init=normal(1e-6)) -> bn -> fc3", "put `bn`"),
        ("2 -> [fc8 sigmoid]*9 -> fc3", "init="),
        ("2 -> fc9 relu -> fc3\ntrain(optimizer = sgd(lr=1e-9), epochs = 9000)", "more epochs"),
    ],
)
def test_no_advice_is_what_is_there_already(spec: str, there: str) -> None:
    found = doctored(spec)
    assert found
    assert all(one.advice for one in found)
    assert not [text for one in found for text in one.advice if there in text]


def test_what_the_linter_knows_comes_first() -> None:
    """Also of a spec without `train(...)`: here it is trained."""
    first, *others = doctored("2 -> fc8 relu -> fc3 softmax")
    assert first.name == "activation-in-the-loss"
    assert "contains the `softmax`" in first.says
    assert first.evidence == "NN403, seen by reading the spec: <text>:1:22"
    assert {one.follows for one in others} == {"activation-in-the-loss"}
    silenced = "2 -> fc8 relu -> fc3 softmax  # nnspec: ignore[NN403]"
    assert "activation-in-the-loss" not in [one.name for one in doctored(silenced)]


def test_what_the_linter_knows_reaches_every_door(capsys: pytest.CaptureFixture[str]) -> None:
    spec = "2 -> fc8 relu -> fc3 softmax"
    _, out, _ = ran(["doctor", spec, "--data", "spiral", "--steps", "20"], capsys)
    assert "1. activation-in-the-loss:" in out
    assert nnspec.doctor(spec, "spiral", steps=20)[0].name == "activation-in-the-loss"


def test_obstacles_are_rules() -> None:
    assert rules().keys() >= OBSTACLES


def test_an_update_that_moved_nothing_is_not_told() -> None:
    """Dead units leave no update; what is told is the largest that was seen."""
    found = doctored("2 -> fc100 relu -> fc3\ntrain(optimizer = sgd(lr=1000))")
    (one,) = [finding for finding in found if finding.name == "rate-too-high"]
    assert "0.0e+00" not in one.evidence
    assert "moved" not in one.evidence
    (one,) = [
        finding
        for finding in doctored("2 -> fc9 tanh -> fc3\ntrain(optimizer = sgd(lr=1000))")
        if finding.name == "rate-too-high"
    ]
    assert "updates moved weights by up to" in one.evidence


def test_zero_weights_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["doctor", "2 -> fc9 relu -> fc9 relu -> fc3", "--data", "spiral", "--steps", "20"]
    _, out, _ = ran([*words, "--init", "zeros"], capsys)
    text = " ".join(out.split())
    assert "zero weights give no gradient to the layers below" in text
    assert "it reaches none of 3 layers, before any training; the weights of `fc1`" in text
    assert "only one layer learns" not in text


def test_a_last_layer_of_zeros_is_well() -> None:
    """It passes nothing on at first, and does after one step."""
    spec = "64 -> fc32 relu -> fc10(init=zeros)\ntrain(optimizer = adam(lr=5e-3), epochs = 20)"
    assert findings(examined(spec)) == ()


def test_few_examples_of_one_class_are_no_guessing() -> None:
    assert guesses(0.34, [20, 20, 20])
    assert not guesses(0.4, [20, 20, 20])
    assert not guesses(0.995, [99, 1])
    assert guesses(0.99, [99, 1])
    assert not guesses(1.0, [60])


def test_letters_of_any_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["doctor", "2 -> fc8 relu -> fc3 softmax", "--data", "spiral", "--steps", "20"]
    for columns, widest in ((30, 40), (60, 60), (200, 92)):
        monkeypatch.setenv("COLUMNS", str(columns))
        _, out, _ = ran(words, capsys)
        assert widest - 12 <= max(map(len, out.splitlines())) <= widest
        assert not any(line.lstrip().startswith("%") for line in out.splitlines())


def test_causes_go_in_no_circle() -> None:
    graph = {name: list(after) for name, after in FOLLOW.items()}
    TopologicalSorter(graph).prepare()


def test_the_advice_helps() -> None:
    """Taken, it gives a net that learns."""
    found = examined(ILLNESSES["rate-too-high"][0])
    (one,) = [finding for finding in findings(found) if finding.name == "rate-too-high"]
    (advice,) = one.advice
    net = nnspec.compile(MLP + ")", seed=0, optimizer=advice.removeprefix("optimizer = "))
    learned, held = split(fitted(DIGITS, (64,)))
    net.fit(learned)
    accuracy = net.evaluate(held).accuracy
    assert accuracy is not None
    assert accuracy > 0.9


def test_the_loss_of_saying_nothing() -> None:
    """-log(1/C), C - 1 margins, log 2, the mean square: what the course expects at first."""
    found = examined("64 -> fc10\ntrain(loss = hinge, epochs = 1)")
    assert found.silent == pytest.approx(9.0)
    assert examined("64 -> fc10\ntrain(epochs = 1)").silent == pytest.approx(np.log(10))
    moons = examined("2 -> fc1\ntrain(loss = bce, epochs = 1)", "moons")
    assert moons.silent == pytest.approx(np.log(2))


def test_rates_of_a_quadratic() -> None:
    """A linear fit diverges where the rate passes 2 over the largest curvature."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((256, 2)).astype("f")
    data = Dataset("line", x, (x @ [[1.0], [-2.0]]).astype("f"))
    found = examined("2 -> fc1\ntrain(loss = mse, optimizer = gd(lr=0.1), epochs = 5)", data)
    curvature = 2 * np.linalg.eigvalsh(x.T @ x / len(x)).max()
    assert 0.01 / curvature < found.rates.lowest < found.rates.highest < 4 / curvature
    assert found.rates.lowest < found.rates.suggested < found.rates.highest
    assert len(drawn(found.rates).splitlines()[0]) == 56


def test_examples_learned_by_heart() -> None:
    """Noise and penalties are left out; contradictions are counted."""
    graph = nnspec.graph("64 -> dropout0.5 fc32 relu dropout0.9 -> fc10\ntrain(l2 = 10)")
    plain = bare(graph)
    assert [node.op.name for node in plain.nodes] == ["", "fc", "relu", "fc"]
    assert plain.training.l2 == 0
    assert Net(plain).weights.keys() == Net(graph).weights.keys()
    data = fitted(DIGITS, (64,))
    found = memorised(graph, data, float(np.log(10)))
    assert found.ok
    assert found.loss <= found.goal == pytest.approx(0.05 * np.log(10))
    same = replace(data, x=np.zeros_like(data.x))
    assert memorised(graph, same, float(np.log(10))).contradictions == 16


@pytest.mark.parametrize(
    ("spec", "shape", "truth"),
    [
        ("7 int -> embed9 4 -> lstm5 last -> fc3", (7,), "labels"),
        ("1x6x6 -> conv4 3x3 p1 relu -> conv3 1x1\ntrain(loss = cross_entropy)", (1, 6, 6), "map"),
        ("6 -> fc8 relu -> fc4\ntrain(loss = bce)", (6,), "answers"),
        ("6 -> fc8 relu -> fc4\ntrain(loss = mse)", (6,), "answers"),
        ("6 -> fc8 relu -> fc3\ntrain(augment = mixup, ensemble = 2)", (6,), "labels"),
        ("6 -> fc8 freeze relu -> fc3\ntrain(early_stop = 2)", (6,), "labels"),
        ("a: 6 -> fc8 relu\noutput b: @a -> fc2\n@a -> fc3", (6,), "labels"),
        ("6 -> fc3 relu", (6,), "labels"),
    ],
)
def test_nets_of_every_kind_are_examined(spec: str, shape: tuple[int, ...], truth: str) -> None:
    rng = np.random.default_rng(0)
    x: Any = rng.standard_normal((60, *shape)).astype("f")
    if " int " in spec:
        x = rng.integers(0, 9, (60, *shape))
    y: Any = rng.integers(0, 3, 60)
    if truth == "map":
        y = rng.integers(0, 3, (60, 6, 6))
    elif truth == "answers":
        y = rng.integers(0, 2, (60, 4)).astype("f")
    found = examined(spec, Dataset("some", x, y), steps=20)
    assert found.trial.epochs
    assert isinstance(findings(found), tuple)


def test_every_finding_is_tried_here() -> None:
    source = Path(findings.__code__.co_filename).read_text("utf-8")
    tried = {*ILLNESSES, "dead-units", "learns-nothing", "diverges"}
    assert all(f'"{name}"' in source for name in tried)
    assert FOLLOW.keys() <= tried
    assert set().union(*FOLLOW.values()) <= tried
    assert len(CHECKS) == 15


def ran(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(words)
    out, err = capsys.readouterr()
    return code, out, err


def test_letter(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["doctor", str(SPECS / "digits_mlp.nn"), "--data", "digits", "--steps", "200"]
    code, out, err = ran(words, capsys)
    assert (code, err) == (0, "")
    assert "Nothing is wrong with it." in out
    assert "a net that says nothing has 2.3" in out
    code, out, _ = ran([*words, "--optimizer", "sgd(lr=50)"], capsys)
    assert code == 1
    assert "One thing is wrong;" in out
    assert "1. rate-too-high: the learning rate 50 is too high" in out
    assert "→ optimizer = sgd(lr=" in out
    assert max(map(len, out.splitlines())) <= 100
    assert "\x1b" not in out
    assert "\x1b[1m" in ran([*words, "--color", "always"], capsys)[1]
    assert ran([*words, "--held-out", "3"], capsys)[0] == 2
    assert ran(["doctor", "64 -> relu", "--data", "digits"], capsys)[0] == 1


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["doctor", "64 -> fc10 step", "--data", "digits", "--steps", "50", "--format", "json"]
    code, out, _ = ran(words, capsys)
    found = json.loads(out)
    assert code == 1
    assert found["healthy"] is False
    assert "no-gradient" in [one["name"] for one in found["findings"]]
    assert found["data"] == {"name": "digits", "learned": 1438, "held_out": 359}
    assert len(found["rates"]["rates"]) == len(found["rates"]["losses"])


def test_pictures(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "seen"
    spec = ["doctor", str(SPECS / "spiral_power.nn"), "--data", "spiral", "--steps", "100"]
    ran([*spec, "--plot", str(folder)], capsys)
    assert sorted(path.name for path in folder.iterdir()) == ["boundary.png", "rates.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in folder.iterdir())
    words = ["doctor", str(SPECS / "digits_mlp.nn"), "--data", "digits", "--steps", "50"]
    _, out, _ = ran([*words, "--plot", str(folder), "--format", "json"], capsys)
    assert {Path(path).name for path in json.loads(out)["pictures"]} == {
        "rates.png",
        "templates.png",
    }
    assert "The first templates" in ran([*words, "--plot", "-"], capsys)[1]


def test_templates() -> None:
    """The weights of a neuron, as the picture it looks for; 0 is grey."""
    net = nnspec.compile("64 -> fc5 relu -> fc10", seed=0)
    net.weights["fc1.weight"][0] = 0
    net.weights["fc1.weight"][0, 8] = -2
    found = templates(net, (1, 8, 8))
    assert found is not None
    assert found.shape == (5, 1, 8, 8)
    assert found[0, 0, 1, 0] == 0
    assert (found[0].ravel()[np.arange(64) != 8] == 0.5).all()
    assert as_grid(found).dtype == np.uint8
    assert len(as_text(found).splitlines()) == 8
    assert templates(nnspec.compile("4 -> fc3"), (4,)) is None
    image = nnspec.compile("3x8x8 -> conv6 3x3 relu -> flatten -> fc2")
    assert (found := templates(image, (3, 8, 8))) is not None
    assert found.shape == (6, 3, 3, 3)


def test_boundary() -> None:
    """Class 1 is said right of 0, or above it."""
    x = np.array([[-1.0, -1.0], [1.0, 1.0]])
    two = Dataset("two", x, np.array([0, 1]))
    net = nnspec.compile("2 -> fc2")
    zero, one = (np.rint(255 - PALE * (255 - np.array(COLOURS[label]))) for label in (0, 1))
    for axis in (0, 1):
        net.weights["fc1.weight"][:] = 0
        net.weights["fc1.weight"][:, axis] = [-1, 1]
        found = boundary(net, two)
        assert found is not None
        assert (found[300, 100] == zero).all()
        assert (found[10, 220] == one).all()
        assert (found[26, 293] == COLOURS[1]).all()  # the example of class 1, above on the right
        assert (found[293, 26] == COLOURS[0]).all()
    assert boundary(nnspec.compile("3 -> fc2"), Dataset("a", np.zeros((2, 3)), x[:, 0])) is None


def test_where_the_loss_falls() -> None:
    """From a tenth of the descent on to the lowest; the suggestion stays a tenth below that."""
    losses = (2.0, 1.7, 1.9, 1.0, 0.5, 3.0)
    found = Rates((1e-3, 1e-2, 0.1, 0.2, 10.0, 20.0), losses, losses)
    assert (found.lowest, found.highest, found.suggested) == (0.2, 10.0, 1.0)
    assert found.ends
    assert found.learns
    flat = Rates((1e-3, 1e-2), (2.0, 1.99), (2.0, 1.99))
    assert not flat.learns
    assert not flat.ends


def test_findings_are_plain() -> None:
    one = Finding("a", "b", "c 1", ("d",))
    assert replace(one, follows="e").follows == "e"


def test_from_python(tmp_path: Path) -> None:
    """Also of a set that stays in its file."""
    (one,) = [
        f for f in nnspec.doctor(MLP + ", optimizer = sgd(lr=50))", "digits") if not f.follows
    ]
    assert one.name == "rate-too-high"
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.standard_normal((4500, 4000), np.float32))
    np.save(tmp_path / "y.npy", rng.integers(0, 2, 4500))
    assert isinstance(nnspec.doctor("4000 -> fc2", tmp_path / "x.npy", steps=20), tuple)


@pytest.mark.parametrize(
    ("spec", "data", "name"),
    [
        (MLP + ")", replace(DIGITS, x=DIGITS.x * np.float32(1e30)), "inputs-not-scaled"),
        (MLP + ")", replace(DIGITS, x=DIGITS.x * 0), "inputs-not-scaled"),
        (MLP + ", optimizer = sgd(lr=1e30))", DIGITS, "rate-too-high"),
        ("64 -> fc16(init=zeros) relu -> fc10(init=zeros)", DIGITS, "begins-alike"),
        ("4 -> fc2", Dataset("few", np.eye(4, dtype="f"), np.array([0, 1, 0, 1])), ""),
        ("1 -> fc1", Dataset("huge", np.ones((9, 1), "f"), np.full((9, 1), 1e30, "f")), "targets"),
    ],
)
def test_numbers_at_the_edge_make_a_letter(spec: str, data: Dataset, name: str) -> None:
    found = examined(spec, data, steps=20)
    wrong = findings(found)
    assert any(one.name.startswith(name) for one in wrong) or not name
    assert "Measured" in letter(found, wrong, colour=False)
    text = json.dumps(plain(as_json(found, wrong)), allow_nan=False)
    assert json.loads(text)["healthy"] is not bool(wrong)
