# SPDX-License-Identifier: Apache-2.0
"""This is where a recording catalog is loaded: read, checked and made into values, or refused line by line."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from evidence.catalog import Catalog
from evidence.errors import BadInput
from pipeline.catalogs.faults import Fault, Mark, refuse
from pipeline.catalogs.meaning import meaning_faults
from pipeline.catalogs.references import reference_faults
from pipeline.catalogs.resolve import resolved
from pipeline.catalogs.structure import structure_faults
from pipeline.catalogs.text import LARGEST, Document, read_text

DEFAULT = Path(__file__).parents[1] / "data" / "recording-catalog-cn.yaml"
"""The catalog that an installation begins with. Our tests hold it to the schema, so that loading it need not."""


def load_catalog(path: Path = DEFAULT, *, profile: str | None = None) -> Catalog:
    """The catalog in a YAML file, in one of its profiles; None: the first that it names.

    Raises:
        BadInput: the file cannot be read, or is not a catalog that makes sense; each fault with line and reason.
    """
    return parse_catalog(catalog_bytes(path), name=path.name, profile=profile, was_validated=path == DEFAULT)


def parse_catalog(data: bytes, *, name: str, profile: str | None = None, was_validated: bool = False) -> Catalog:
    """The catalog in a YAML text; `name` is what messages call it.

    `was_validated` says that this very text was held to the schema before (it was adopted, or is shipped): that is
    not done again. Whether it makes sense is asked every time.

    Raises:
        BadInput: as `load_catalog`.
    """
    document = read_text(data, name=name)
    check(document, was_validated=was_validated)
    return resolved(document.body, digest=hashlib.sha256(data).hexdigest(), profile=profile)


def check(document: Document, *, was_validated: bool = False) -> None:
    """Raise BadInput unless the document is a catalog that makes sense. Structure first, then codes, then meaning."""
    _refuse_any(document, [] if was_validated else structure_faults(document))
    _refuse_any(document, reference_faults(document))
    _refuse_any(document, meaning_faults(document))


def _refuse_any(document: Document, faults: Iterable[Fault]) -> None:
    found = list(faults)
    if found:
        refuse(document.name, found)


def catalog_bytes(path: Path) -> bytes:
    """The bytes of a catalog's file, no more of them than a catalog may have.

    Raises:
        BadInput: it cannot be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise BadInput(f"the catalog {path} cannot be read: {error.strerror}", file=str(path)) from error
    if len(data) > LARGEST:
        refuse(path.name, [Fault(Mark(0), f"larger than {LARGEST >> 20} MiB: no catalog is")])
    return data


def for_agency(catalog: Catalog, preset: str) -> Catalog:
    """The catalog with only the types that an agency of this kind exercises; other items count as disabled.

    Raises:
        BadInput: the catalog has no such preset, or it leaves no item.
    """
    if preset not in catalog.presets:
        raise BadInput(f"{catalog.id} has no preset {preset!r}; known: {', '.join(catalog.presets) or 'none'}")
    types = {code: name for code, name in catalog.types.items() if code in catalog.presets[preset]}
    kept = {one: item for one, item in catalog.items.items() if item.type in types}
    if not kept:
        raise BadInput(f"preset {preset!r} of {catalog.id} leaves no item")
    rest = {one: item for one, item in catalog.items.items() if one not in kept} | dict(catalog.disabled)
    return replace(
        catalog, types=MappingProxyType(types), items=MappingProxyType(kept), disabled=MappingProxyType(rest)
    )
