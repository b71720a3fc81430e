"""Data in Parquet files, as column stores and data frames write them. Needs the extra `parquet`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..grammar.diagnostics import SpecError
from ..grammar.near import nearest
from .data_errors import DataDamaged, EmptyData, MissingReader, NoSuchColumn
from .dataset import Dataset
from .kernels import Array
from .readers import Truth, affordable, features, finished, reading, unfit
from .rows import Rows

INDEX = "__index_level_"
"""How pandas names the columns that are its index."""


def read_parquet(path: Path, target: str | None = None, truth: Truth | None = None) -> Dataset:
    """Columns of numbers, the truth the last of them or the one called `target`, as in a .csv.

    The index of a data frame is left out. Words are classes, in sorted order; whole numbers and
    yes or no are labels, other numbers are values.
    """
    with _opened(path) as file:
        columns = _columns(path, file)
        chosen = _target(path, target, columns)
        table = _Columns(path, tuple(name for name in columns if name != chosen))
        x = table.read(file)
        y, classes = _named(path, chosen, _column(path, file, chosen))
    if truth == "values" and classes:
        raise unfit(path, f"holds text in column `{chosen}`", "values to predict are numbers")
    place, names = table.place, table.names
    return finished(path, x, y, classes, truth=truth, place=place, names=names)


def parquet_inputs(
    path: Path, width: int, target: str | None = None
) -> tuple[Array | Rows, tuple[str, ...]]:
    """`width` columns of numbers, and their names; a further one, the last or `target`, is left
    out."""
    with _opened(path) as file:
        columns = _columns(path, file)
        alone = target is None and len(columns) == width
        left_out = None if alone else _target(path, target, columns)
        table = _Columns(path, tuple(name for name in columns if name != left_out))
        return features(path, table.read(file), table.place), table.names


@dataclass(frozen=True)
class _Columns:
    """The columns of numbers, and where one of them stands."""

    path: Path
    names: tuple[str, ...]

    def read(self, file: Any) -> Array:
        rows = file.metadata.num_rows
        affordable(self.path, 8 * rows * len(self.names))
        numbers = np.empty((rows, len(self.names)))
        for place, name in enumerate(self.names):
            numbers[:, place] = _numbers(self.path, name, _column(self.path, file, name))
        return numbers

    def place(self, row: int, at: tuple[int, ...] = ()) -> str:
        return f"row {row + 1:,}" + "".join(f", column `{self.names[place]}`" for place in at)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file, with whatever its library says of it turned into our messages."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise SpecError([MissingReader(None, str(path), "pyarrow", "parquet")]) from None
    with reading(path):
        if not path.stat().st_size:
            raise SpecError([EmptyData(None, str(path), "bytes")])
        try:
            with pyarrow.parquet.ParquetFile(path) as file:
                text = [field.name for field in file.schema_arrow if _is_text(field.type)]
            # A word of a million letters may stand in a million rows: each is held once.
            with pyarrow.parquet.ParquetFile(path, read_dictionary=text) as file:
                groups = range(file.metadata.num_row_groups)
                affordable(path, sum(file.metadata.row_group(g).total_byte_size for g in groups))
                yield file
        except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
            if isinstance(error, SpecError) or getattr(error, "strerror", None):
                raise
            problem = "it is no Parquet file, or is cut short or damaged"
            raise SpecError([DataDamaged(None, str(path), problem)]) from None


def _columns(path: Path, file: Any) -> tuple[str, ...]:
    names = tuple(name for name in file.schema_arrow.names if not name.startswith(INDEX))
    if len(set(names)) < len(names):
        raise unfit(path, "has two columns of one name", "give each column a name of its own")
    if len(names) < 2 or not file.metadata.num_rows:
        raise SpecError([EmptyData(None, str(path), "rows of features and truth")])
    return names


def _target(path: Path, target: str | None, columns: tuple[str, ...]) -> str:
    if target is None:
        return columns[-1]
    if target not in columns:
        near = nearest(target, columns)
        raise SpecError([NoSuchColumn(None, str(path), target, near, columns)])
    return target


def _column(path: Path, file: Any, name: str) -> Any:
    """One column; raises SpecError where it is not as long as was said."""
    import pyarrow

    kind = file.schema_arrow.field(name).type
    if pyarrow.types.is_nested(kind):
        raise _unfit_column(path, name, kind)
    column = file.read(columns=[name]).column(name).combine_chunks()
    # A damaged file may point outside its own dictionary, which nothing else would notice.
    column.validate(full=True)
    if len(column) != file.metadata.num_rows:
        raise unfit(path, f"has {len(column):,} rows in column `{name}`, not the number it names")
    return column


def _numbers(path: Path, name: str, column: Any) -> Array:
    """A column as floats, NaN where it is empty."""
    import pyarrow

    kind = column.type
    known = pyarrow.types
    if known.is_boolean(kind):
        column = column.cast(pyarrow.int8())
    elif known.is_dictionary(kind) and not _is_text(kind.value_type):
        return _numbers(path, name, column.dictionary_decode())
    elif known.is_decimal(kind):
        column = column.cast(pyarrow.float64())
    elif not (known.is_integer(kind) or known.is_floating(kind)):
        raise _unfit_column(path, name, kind)
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)


def _is_text(kind: Any) -> bool:
    import pyarrow

    return bool(pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind))


def _unfit_column(path: Path, name: str, kind: Any) -> SpecError:
    import pyarrow

    kind = "text" if pyarrow.types.is_dictionary(kind) else kind
    advice = "features are numbers; the truth may be words, in the last column or `--target NAME`"
    return unfit(path, f"holds {kind} in column `{name}`, not numbers", advice)


def _named(path: Path, name: str, column: Any) -> tuple[Array, tuple[str, ...]]:
    """The truth as labels, values, or places among the sorted words."""
    import pyarrow

    known = pyarrow.types
    if column.null_count:
        row = column.is_null().index(True).as_py() + 1
        problem = f"has no truth in row {row:,}: column `{name}` is empty"
        raise unfit(path, problem, "every example has a class or a value")
    if known.is_dictionary(column.type) and _is_text(column.type.value_type):
        places = np.asarray(column.indices.to_numpy())
        used, codes = np.unique(places, return_inverse=True)
        words = [column.dictionary[int(place)].as_py() for place in used]
        classes = tuple(sorted(set(words)))
        rank = {word: label for label, word in enumerate(classes)}
        return np.array([rank[word] for word in words])[codes], classes
    if known.is_dictionary(column.type):
        column = column.dictionary_decode()
    if known.is_integer(column.type):
        return np.asarray(column.to_numpy()), ()
    if known.is_boolean(column.type):
        return np.asarray(column.to_numpy(zero_copy_only=False)), ("false", "true")
    return _numbers(path, name, column), ()
