# SPDX-License-Identifier: Apache-2.0
"""This is where the agency's recording catalog (音像记录事项清单) is read: which matters, in which mode."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from evidence.errors import BadInput
from evidence.term import Term, parse_term

DEFAULT = Path(__file__).parent / "data" / "recording-catalog-cn.yaml"
_LARGEST = 4 << 20
# The catalog's words for media, and ours.
_KINDS = {"video": "video", "audio": "audio", "image": "photo"}


@dataclass(frozen=True, slots=True)
class CatalogItem:
    """One matter to be recorded: its number, names, and the kinds of media its modes ask for."""

    id: str
    name_zh: str
    name_en: str
    type: str
    link: str
    kinds: frozenset[str]
    floor: Term
    """How long no one may dispose of such a recording, whatever rule is set."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """One version of a catalog; `id` holds its version and the digest of its text."""

    id: str
    items: Mapping[str, CatalogItem]

    @property
    def shortest_floor(self) -> Term:
        """The floor that holds for every recording, before its item is known."""
        return min((item.floor for item in self.items.values()), key=Term.order)


def load_catalog(path: Path = DEFAULT) -> Catalog:
    """The catalog in a YAML file.

    Raises:
        BadInput: the file cannot be read, or is not a catalog; the message says where.
    """
    try:
        data = path.read_bytes()
        if len(data) > _LARGEST:
            raise BadInput(f"{path} is too large for a catalog")
        body = yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  # both are safe
        modes = {name: mode["media"] for name, mode in body["recording_modes"].items()}
        floors = {name: parse_term(kept["hard_floor"]) for name, kept in body["retention_classes"].items()}
        items = {entry["id"]: _item(entry, modes, floors) for entry in body["items"] if entry.get("enabled", True)}
        if not items:
            raise BadInput(f"{path} has no item that is enabled")
        version = f"{body['catalog']['id']}@{body['catalog']['version']}"
    except OSError as error:
        raise BadInput(f"the catalog cannot be read: {error}") from error
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path.name} is not a recording catalog: {error}") from error
    return Catalog(f"{version}#{hashlib.sha256(data).hexdigest()[:12]}", items)


def _item(entry: Mapping[str, Any], modes: Mapping[str, list[str]], floors: Mapping[str, Term]) -> CatalogItem:
    kinds = frozenset(_KINDS[medium] for mode in entry["mode"] for medium in modes[mode])
    name = entry["name"]
    return CatalogItem(
        entry["id"], name["zh"], name["en"], entry["type"], entry["link"], kinds, floors[entry["retention"]]
    )
