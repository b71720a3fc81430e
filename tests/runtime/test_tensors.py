"""Files of arrays: what is written is read back, by the official library too; all else is refused.

NNSPEC_FUZZ_CASES is how many changed files are tried; `make fuzz` tries many more, and every bit.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import nnspec
from nnspec.__main__ import main
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime import file_errors
from nnspec.runtime.file_errors import OfFile
from nnspec.runtime.header import DTYPES
from nnspec.runtime.tensors import decode, encode
from nnspec.runtime.weights import FORMAT

from .hostile_files import NET, disagreeing, file, hostile, saved

ROOT = Path(__file__).parents[2]
EXPECTED = Path(__file__).with_suffix(".txt")
CASES = int(os.environ.get("NNSPEC_FUZZ_CASES", "1000"))
SECONDS = 5.0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return saved(tmp_path_factory.mktemp("whole"))


def refused(path: Path, content: bytes) -> str:
    """The code with which a file is refused; empty when it is read."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    begun = time.process_time()
    try:
        decode(path)
    except SpecError as error:
        (mistake,) = error.diagnostics
        return mistake.code
    finally:
        assert time.process_time() - begun < SECONDS
    return ""


# ------------------------------------------------------------------------------- what is whole


SHAPES: tuple[tuple[int, ...], ...] = ((), (0,), (3,), (2, 3), (0, 5), (1, 2, 3, 4))


def samples() -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    return {
        f"{name} {'x'.join(map(str, shape))}": rng.integers(0, 2, shape).astype(dtype)
        for name, dtype in DTYPES.items()
        for shape in SHAPES
    }


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "all"
    arrays = samples() | {
        "turned": np.arange(12.0).reshape(3, 4).T,
        "every other": np.arange(9)[::2],
    }
    arrays["of the other order"] = np.arange(3, dtype=">f8")
    metadata = {"spec": 'é "\\\n\t\0 💥', "": "", "a": "b" * 1000}
    path.write_bytes(b"".join(encode(arrays, metadata)))
    again, texts = decode(path)
    assert texts == metadata
    assert again.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array)
        assert again[name].shape == array.shape
        assert again[name].dtype == array.dtype.newbyteorder("=")
        assert again[name].flags.writeable


def test_numbers_that_are_none_come_back_to_the_bit(tmp_path: Path) -> None:
    path = tmp_path / "nan"
    bits = np.array([0x7FF8DEADBEEF0001, 0xFFF0000000000000, 1, 1 << 63], np.uint64)
    path.write_bytes(b"".join(encode({"w": bits.view(np.float64)}, {})))
    np.testing.assert_array_equal(decode(path)[0]["w"].view(np.uint64), bits)


def test_headers_of_every_length(tmp_path: Path) -> None:
    """The count that a file begins with may look like another format's beginning: 0x480 like a pickle's."""
    lengths = set()
    for letters in range(0, 1600, 8):
        content = b"".join(encode({"w": np.ones(1)}, {"spec": "x" * letters}))
        lengths.add(content[:2])
        assert not refused(tmp_path / "sound", content), letters
    assert {b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"} <= lengths


def test_nothing_at_all(tmp_path: Path) -> None:
    path = tmp_path / "none"
    path.write_bytes(b"".join(encode({}, {})))
    assert decode(path) == ({}, {})


def test_the_official_library_reads_what_we_write(tmp_path: Path) -> None:
    path = tmp_path / "ours"
    arrays = samples()
    path.write_bytes(b"".join(encode(arrays, {"spec": NET})))
    theirs = safetensors.numpy.load_file(path)
    assert theirs.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(theirs[name], array)


def test_what_the_official_library_wrote_again_is_ours_still(tmp_path: Path) -> None:
    path = tmp_path / "again.safetensors"
    net = nnspec.compile(NET, seed=3)
    net.save(path)
    with safetensors.safe_open(path, framework="numpy") as held:
        arrays, metadata = {n: held.get_tensor(n) for n in held.keys()}, held.metadata()  # noqa: SIM118
    safetensors.numpy.save_file(arrays, path, metadata)
    x = np.ones((2, 1, 6, 6))
    np.testing.assert_array_equal(nnspec.load(path)(x), net(x))


@pytest.mark.parametrize(
    ("arrays", "metadata"),
    [
        ({"w": np.ones(1, np.complex64)}, {}),
        ({"w": np.array(["a"])}, {}),
        ({"w": np.array([None])}, {}),
        ({}, {"crc32": ""}),
    ],
)
def test_what_has_no_place_in_a_file(
    arrays: dict[str, np.ndarray[Any, Any]], metadata: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=r"w|crc32"):
        b"".join(encode(arrays, metadata))


def test_arrays_begin_where_processors_like_it(whole: bytes) -> None:
    assert int.from_bytes(whole[:8], "little") % 8 == 0


# ----------------------------------------------------------------------------- what is hostile


def told(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What `nnspec evaluate` says of a file."""
    code = main(["evaluate", path.name, "--data", "iris"])
    out, err = capsys.readouterr()
    assert (code, out) == (2, ""), (path, out, err)
    return err


def test_messages(
    whole: bytes,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`test_tensors.txt` holds what a user reads of every hostile file; `make accept` writes it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    path = Path("w.safetensors")
    said = []
    for name, content in hostile(whole).items():
        path.write_bytes(content)
        said.append(f"== {name}\n{told(path, capsys)}")
    net = nnspec.compile(NET, seed=0)
    metadata = {"format": FORMAT, "spec": NET, "digest": net.graph.digest}
    metadata |= {"settings": "{}", "lets": "{}", "files": "{}"}
    for name, arrays in disagreeing({**net.weights, **net.state}).items():
        path.write_bytes(b"".join(encode(arrays, metadata)))
        said.append(f"== {name}\n{told(path, capsys)}")
    path.unlink()
    path.mkdir()
    said.append(f"== a folder\n{told(path, capsys)}")
    said.append(f"== no file\n{told(Path('none.safetensors'), capsys)}")
    said.append(f"== a name with NUL\n{told(Path('a' + chr(0)), capsys)}")
    os.mkfifo("pipe")
    said.append(f"== a pipe\n{told(Path('pipe'), capsys)}")
    text = "\n".join(said)
    if os.environ.get("NNSPEC_ACCEPT"):
        EXPECTED.write_text(text, "utf-8")
    assert text == EXPECTED.read_text("utf-8")
    codes = {
        k.code for k in vars(file_errors).values() if isinstance(k, type) and issubclass(k, OfFile)
    }
    assert {code for code in codes - {"", "NN533"} if code not in text} == set()


def test_a_checkpoint_is_called_one(tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_bytes(b"")
    with pytest.raises(SpecError, match=r"the checkpoint file .* cut short.*an earlier checkpoint"):
        decode(path, "checkpoint")


def test_cut_at_every_byte(whole: bytes, tmp_path: Path) -> None:
    assert 3500 < len(whole) < 6000
    path = tmp_path / "cut"
    for length in range(len(whole)):
        assert refused(path, whole[:length]) in ("NN535", "NN549"), length
    assert not refused(path, whole)


def test_every_bit_that_is_turned_is_noticed(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "turned"
    bits = Random(0).sample(range(8 * len(whole)), min(2 * CASES, 8 * len(whole)))
    for bit in bits:
        turned = bytearray(whole)
        turned[bit // 8] ^= 1 << bit % 8
        assert refused(path, bytes(turned)), bit


def spliced(rng: Random, content: bytes) -> bytes:
    """Bytes changed, taken out, doubled, or put in another place."""
    for _ in range(rng.randint(1, 4)):
        a, b, c = sorted(rng.randrange(len(content) + 1) for _ in range(3))
        content = rng.choice(
            (
                content[:a] + rng.randbytes(rng.randint(1, 9)) + content[b:],
                content[:a] + content[c:],
                content[:b] + content[a:],
                content[:a] + content[b:c] + content[a:b] + content[c:],
                content[:a] + rng.choice(WORDS) + content[a:],
            )
        )
        content = content or b"\0"
    return content


WORDS = [
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"null", b"true", b"-1", b"1e9", b"NaN", b"\\u0000",
    b"9" * 20, b'"shape":[1]', b'"__metadata__":{}', b'"F32"', b"\0" * 8, b" ",
]  # fmt: skip


def within_the_header(rng: Random, content: bytes) -> bytes:
    """The same in the header alone, whose length is put right."""
    length = int.from_bytes(content[:8], "little")
    return file(spliced(rng, content[8 : 8 + length]), content[8 + length :])


@pytest.mark.parametrize("change", [spliced, within_the_header])
def test_changed_files(
    whole: bytes, tmp_path: Path, change: Callable[[Random, bytes], bytes]
) -> None:
    """They are refused, unless a space in the header is all that changed: then nothing is lost."""
    path = tmp_path / "changed"
    rng = Random(change.__name__)
    path.write_bytes(whole)
    arrays, metadata = decode(path)
    for case in range(CASES // 2):
        if not refused(path, change(rng, whole)):
            again, texts = decode(path)
            assert texts == metadata, case
            assert again.keys() == arrays.keys(), case
            for name, array in arrays.items():
                np.testing.assert_array_equal(again[name], array, str(case))


MEASURED = """
import resource, sys
from pathlib import Path
from nnspec.grammar.diagnostics import SpecError
from nnspec.runtime.tensors import decode

def peak():
    # The largest this process ever was, in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

before = peak()
try:
    decode(Path(sys.argv[1]))
except SpecError as error:
    print(error)
print(peak() - before)
"""


def taken(path: Path) -> int:
    """Bytes that reading a file takes beyond what the process had."""
    environment = {"PYTHONPATH": str(ROOT / ".dev"), "PATH": ""}
    run = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path)],
        env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return int(run.stdout.split()[-1])


def test_memory_of_a_large_file(tmp_path: Path) -> None:
    path = tmp_path / "large"
    size = 100 * 2**20
    arrays = {"w": np.ones(size // 8), "v": np.ones(size // 8)}
    with path.open("wb") as stream:
        stream.writelines(encode(arrays, {}))
    assert taken(path) <= path.stat().st_size + 64 * 2**20


@pytest.mark.parametrize(
    "name", ["three million brackets", "two million numbers", "two million texts", "100,001 arrays"]
)
def test_memory_of_hostile_files(whole: bytes, tmp_path: Path, name: str) -> None:
    path = tmp_path / "hostile"
    path.write_bytes(hostile(whole)[name])
    assert taken(path) <= path.stat().st_size + 64 * 2**20


def test_a_file_that_shrinks_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "shrinking"
    path.write_bytes(b"".join(encode({"w": np.ones(100_000)}, {})))
    empty = np.empty

    def cut(*arguments: Any) -> np.ndarray[Any, Any]:
        os.truncate(path, 5000)
        return empty(*arguments)

    monkeypatch.setattr("nnspec.runtime.tensors.np.empty", cut)
    with pytest.raises(SpecError, match=r"NN535 .* but holds 5,000"):
        decode(path)
