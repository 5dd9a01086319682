# SPDX-License-Identifier: Apache-2.0
"""This is where a catalog leaves and enters by a file, whose name's end says how: .yaml, .xlsx or .csv.

YAML and .xlsx carry all of it. CSV carries the items; what it lacks is taken from a base when it is read.
"""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import yaml

from evidence.errors import BadInput
from pipeline.catalogs.csv_table import read_csv, write_csv
from pipeline.catalogs.grid import Sheet
from pipeline.catalogs.load import check
from pipeline.catalogs.rows_in import Imported, imported
from pipeline.catalogs.rows_out import sheets_of, table_of
from pipeline.catalogs.text import Document, read_text

YAML_SUFFIXES = (".yaml", ".yml")
SUFFIXES = (*YAML_SUFFIXES, ".xlsx", ".csv")
_WIDTH = 120


def suffix_of(name: str) -> str:
    """The end of a file's name that says its form.

    Raises:
        BadInput: none that a catalog comes in.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise BadInput(f"{name}: a catalog is a file in {', '.join(SUFFIXES)}; an old .xls must be saved as .xlsx")
    return suffix


def exported(body: Mapping[str, Any], *, name: str) -> bytes:
    """A catalog as the bytes of a file of this name.

    Raises:
        BadInput: no form of ours, or a text does not go into a cell.
    """
    suffix = suffix_of(name)
    if suffix == ".csv":
        return write_csv(table_of(body))
    return _xlsx(body) if suffix == ".xlsx" else to_yaml(body).encode()


def _xlsx(body: Mapping[str, Any]) -> bytes:
    # The library takes longer to import than a catalog to load: only who needs it pays.
    from pipeline.catalogs.xlsx import write_xlsx

    return write_xlsx(sheets_of(body))


def checked_file(data: bytes, *, name: str, base: Mapping[str, Any]) -> Imported:
    """The catalog in a file, of whatever form, once it has passed every check; notes say how a table was read.

    Raises:
        BadInput: what is wrong with it, by line or by sheet, row and column.
    """
    suffix = suffix_of(name)
    if suffix in YAML_SUFFIXES:
        found = Imported(read_text(data, name=name), ())
    else:
        found = imported(_sheets(data, suffix, name), name=name, base=base)
    check(found.document)
    return found


def _sheets(data: bytes, suffix: str, name: str) -> list[Sheet]:
    if suffix == ".csv":
        return [read_csv(data, name=name)]
    from pipeline.catalogs.xlsx import read_xlsx

    return read_xlsx(data, name=name)


def with_head(document: Document, **changed: str | None) -> Document:
    """The document with some keys of `catalog` written anew; None leaves a key as it is."""
    head = {**document.body["catalog"], **{key: text for key, text in changed.items() if text is not None}}
    return Document(document.name, {**document.body, "catalog": head}, document.marks, document.keys)


def to_yaml(body: Mapping[str, Any]) -> str:
    """A catalog as YAML that our reader takes: no anchors, words that look like numbers in quotes."""
    return yaml.dump(body, Dumper=_Plain, allow_unicode=True, sort_keys=False, width=_WIDTH, default_flow_style=None)


class _Plain(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes each value out where it stands, though it stand in two places."""

    def ignore_aliases(self, _data: Any) -> bool:
        """True of everything: an alias is not plain."""
        return True
