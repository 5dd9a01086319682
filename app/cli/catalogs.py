# SPDX-License-Identifier: Apache-2.0
"""This is where the recording catalog (音像记录事项清单) is shown, checked, compared, and moved to tables and back."""

from pathlib import Path
from typing import Annotated, Any

import typer

from app import clocks
from app.cli.catalog_words import diff_body, item_body, show_diff, show_item, show_list
from app.cli.session import AsJson, Home, out, report, session
from evidence.catalog import Catalog
from evidence.errors import BadInput, NotFound
from pipeline.catalogs import exchange
from pipeline.catalogs.diff import diff
from pipeline.catalogs.in_force import catalog_of, in_force
from pipeline.catalogs.load import DEFAULT, catalog_bytes, check, load_catalog, parse_catalog
from pipeline.catalogs.text import Document, read_text
from storage.register import catalogs as versions

app = typer.Typer(no_args_is_help=True, help="The recording catalog: show, check and compare it; tables out and in.")

Which = Annotated[str | None, typer.Argument(metavar="[FILE|ID]", help="A file or a version; else what counts now.")]
Profile = Annotated[str | None, typer.Option(help="Profile to read a file in, such as strict; else its first.")]
Out = Annotated[Path, typer.Option("-o", "--out", help="The file to write.", show_default=False)]
Base = Annotated[Path, typer.Option(help="The catalog that a table is read against (YAML).")]


@app.command("show")
def show(
    which: Which = None,
    item: Annotated[str | None, typer.Option(help="Show one matter in full, such as JC-01.")] = None,
    profile: Profile = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show a catalog: its matters, how they are recorded, how soon handed in, how long kept.

    - `evidock catalog show`
    - `evidock catalog show catalog.yaml --profile strict --item JC-01`
    """
    catalog = _catalog(which, profile, home)
    if item is None:
        body: dict[str, Any] = {
            "id": catalog.id,
            "name": catalog.name_zh,
            "profile": catalog.profile,
            "types": dict(catalog.types),
            "items": [item_body(one) for one in catalog.items.values()],
            "disabled": list(catalog.disabled),
        }
        report(body, as_json=as_json, show=lambda: show_list(catalog))
        return
    one = catalog.items.get(item) or catalog.disabled.get(item)
    if one is None:
        raise NotFound(f"{item!r} is no item of the catalog {catalog.id}")
    report({"id": catalog.id, "item": item_body(one)}, as_json=as_json, show=lambda: show_item(catalog, one))


@app.command("diff")
def diff_command(
    old: Annotated[str, typer.Argument(metavar="FILE|ID", help="The old version.", show_default=False)],
    new: Annotated[str, typer.Argument(metavar="FILE|ID", help="The new one.", show_default=False)],
    profile: Profile = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Compare two versions: what comes, goes and changes, and whether keeping gets longer or shorter.

    - `evidock catalog diff old.yaml new.yaml`
    """
    found = diff(_catalog(old, profile, home), _catalog(new, profile, home))
    report(diff_body(found), as_json=as_json, show=lambda: show_diff(found))


@app.command("check")
def check_command(
    file: Annotated[Path, typer.Argument(help="A catalog: .yaml, .xlsx or .csv.", show_default=False)],
    base: Base = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Check a catalog before it is adopted: every fault with line and reason, or sheet, row and column.

    - `evidock catalog check catalog.yaml`
    """
    found = exchange.checked_file(catalog_bytes(file), name=file.name, base=_base(base))
    body = {"file": str(file), "items": len(found.document.body["items"]), "notes": list(found.notes)}
    words = f"{file.name} is a catalog of {body['items']} items that makes sense"
    report(body, as_json=as_json, show=lambda: _say(words, found.notes))


@app.command("export")
def export(which: Which = None, *, to: Out, home: Home = None, as_json: AsJson = False) -> None:
    """Write a catalog as .xlsx, .csv or .yaml: first the nine columns that agencies publish, then our codes.

    - `evidock catalog export -o catalog.xlsx`
    - `evidock catalog export catalog.yaml -o catalog.csv`
    """
    name, data = _text(which, home)
    document = read_text(data, name=name)
    check(document)
    _write_new(to, exchange.exported(document.body, name=to.name))
    body = {"file": str(to), "items": len(document.body["items"])}
    report(body, as_json=as_json, show=lambda: out.print(f"{body['items']} items are in {to}"))


@app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help="A table: .xlsx or .csv.", show_default=False)],
    *,
    to: Out,
    base: Base = DEFAULT,
    version: Annotated[str | None, typer.Option(help="Version of the new catalog, such as 2026.1.")] = None,
    identifier: Annotated[str | None, typer.Option("--id", help="Its id, such as avcat-example.")] = None,
    name: Annotated[str | None, typer.Option(help="Its Chinese name.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read a published list into a catalog (YAML), checked: a list with only the nine columns is read against --base.

    - `evidock catalog import list.xlsx -o catalog.yaml --version 2026.1`
    """
    if exchange.suffix_of(to.name) not in exchange.YAML_SUFFIXES:
        raise BadInput(f"{to}: a catalog is imported into YAML; end the name in .yaml")
    found = exchange.checked_file(catalog_bytes(file), name=file.name, base=_base(base))
    document = exchange.with_head(found.document, version=version, id=identifier, name_zh=name)
    check(document)
    text = exchange.to_yaml(document.body).encode()
    made = parse_catalog(text, name=to.name)
    _write_new(to, text)
    body = {"file": str(to), "id": made.id, "items": len(document.body["items"]), "notes": list(found.notes)}
    report(body, as_json=as_json, show=lambda: _say(f"{body['items']} items are in {to}", found.notes))


def _say(words: str, notes: tuple[str, ...]) -> None:
    for note in notes:
        out.print(f"note: {note}")
    out.print(words)


def _base(path: Path) -> dict[str, Any]:
    document: Document = read_text(catalog_bytes(path), name=path.name)
    check(document, was_validated=path == DEFAULT)
    return document.body


def _is_file(which: str) -> bool:
    return "@" not in which or Path(which).exists()


def _catalog(which: str | None, profile: str | None, home: Path | None) -> Catalog:
    """The catalog in a file, or the version that this installation knows by an id, or the one that counts now."""
    if which is not None and _is_file(which):
        return load_catalog(Path(which), profile=profile)
    if profile is not None:
        raise BadInput("--profile is for a file: a version counts in the profile that it was adopted in")
    with session(home) as (ports, _), ports.register.view() as connection:
        if which is None:
            return in_force(connection, clocks.now(), default=ports.catalog)
        return catalog_of(connection, which, default=ports.catalog)


def _text(which: str | None, home: Path | None) -> tuple[str, bytes]:
    """The text of the same, and what it is called."""
    if which is not None and _is_file(which):
        return Path(which).name, catalog_bytes(Path(which))
    with session(home) as (ports, _), ports.register.view() as connection:
        one = which or in_force(connection, clocks.now(), default=ports.catalog).id
        if one == ports.catalog.id:
            return one, ports.catalog_text
        return one, versions.text_of(connection, one).encode()


def _write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet: a table that someone worked on is not lost to a second export."""
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError as error:
        raise BadInput(f"{path} is there already: choose another name, or remove it") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from error


from app.cli import catalog_adopt as catalog_adopt  # noqa: E402  # its commands join ours
from app.cli import catalog_coverage as catalog_coverage  # noqa: E402  # its command joins ours
