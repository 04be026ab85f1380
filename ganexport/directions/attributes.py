"""Attributes of pictures from a CSV file: which seeds show what."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import OptionError, shown

__all__ = ["Attributes", "read_attributes"]

MAX_BYTES = 64 << 20
MAX_ATTRIBUTES = 256
MAX_TITLE = 100
"""Characters of what people call a direction, such as the name of an attribute."""
SEED, LABEL = "seed", "label"


@dataclass(frozen=True)
class Attributes:
    """What some pictures show.

    Attributes:
        seeds: Seed of each picture.
        labels: Class of each picture, by index or name as it was written; None where the file has no such column.
        values: A number for each picture [N], by the name of the attribute.
    """

    seeds: list[int]
    labels: list[str] | None
    values: dict[str, NDArray[np.float64]]


def read_attributes(path: Path) -> Attributes:
    """Read a CSV file with the columns `seed`, maybe `label`, and one an attribute: 0 and 1, or any numbers.

    Raises:
        OptionError: It cannot be read, or says where a cell is wrong.
    """
    header, rows = _table(path)
    names = [name for name in header if name not in (SEED, LABEL)]
    at = {name: header.index(name) for name in header}
    for line, cells in rows:
        if len(cells) != len(header):
            raise OptionError(f"{path}, line {line}: {len(cells)} cells for {len(header)} columns")
    seeds, labels, values = [], [], np.zeros((len(rows), len(names)))
    for i, (line, cells) in enumerate(rows):
        seed = cells[at[SEED]].strip()
        if not (re.fullmatch("[0-9]{1,10}", seed) and int(seed) < 2**32):
            raise _wrong(path, line, SEED, seed, f"a whole number from 0 to {2**32 - 1}")
        seeds.append(int(seed))
        labels += [cells[at[LABEL]].strip()] if LABEL in at else []
        for k, name in enumerate(names):
            values[i, k] = _number(path, line, name, cells[at[name]])
    for name, column in zip(names, values.T, strict=True):
        if len(column) < 2 or column.min() == column.max():
            raise OptionError(f"{path}: column {shown(name)!r} must have different values, found only one")
    return Attributes(seeds, labels if LABEL in at else None, dict(zip(names, values.T, strict=True)))


def _table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Names of the columns, and the rows that are not empty with their line numbers."""
    try:
        if path.exists() and not path.is_file():
            raise OSError("it is no plain file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise OSError("it is larger than 64 MiB")
        lines = list(_lines(data.decode("utf-8-sig")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OptionError(f"cannot read the attributes in {path}: {error}") from None
    if not lines:
        raise OptionError(f"{path} is empty; its first line names the columns, such as seed,label,smile")
    header = [cell.strip() for cell in lines[0][1]]
    columns = {*header}
    once = len(columns) == len(header) and "" not in columns
    if SEED not in columns or not once or not 0 < len(columns - {SEED, LABEL}) <= MAX_ATTRIBUTES:
        found = shown(", ".join(header))
        raise OptionError(
            f"{path}, line {lines[0][0]}: columns are seed, maybe label, and 1 to {MAX_ATTRIBUTES} attributes, "
            f"each once; found {found}"
        )
    for name in header:
        if len(name) > MAX_TITLE or not name.isprintable():
            what = f"one line of at most {MAX_TITLE} characters"
            raise OptionError(f"{path}, line {lines[0][0]}: the name of a column is {what}, found {shown(name)!r}")
    return header, lines[1:]


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


def _number(path: Path, line: int, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not abs(value) < 1e100:
        raise _wrong(path, line, column, text.strip(), "a number")
    return value


def _wrong(path: Path, line: int, column: str, found: str, expected: str) -> OptionError:
    return OptionError(f"{path}, line {line}, column {shown(column)!r}: expected {expected}, found {shown(found)!r}")
