# SPDX-License-Identifier: Apache-2.0
"""This is where a body worn system of Axis gets its connection file, and where it is seen whom and what it told of."""

import base64
import json
import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer

from app import clocks
from app.cli.session import AsJson, Home, out, print_table, report, session
from app.settings import Settings
from evidence.errors import BadInput, WrongState
from pipeline import axis_docks, docks
from pipeline.axis_account import Account
from pipeline.axis_recording import DEVICES, USERS
from storage.private_file import create_private
from storage.register import search

_AUTH = "/auth/v1.0"
_LONGEST_URL, _MOST, _LARGEST_CERTIFICATE = 500, 10, 16 * 1024
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - asked, not bound
# The server's own identity is one file: its key must not go out with its certificate.
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_DEVICE = ("serial", "name", "model", "active", "registered")
_USER = ("user", "name", "number", "active", "registered")


def connect(
    name: Annotated[str, typer.Argument(help="What the system is called, such as its place.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the file goes.", show_default=False)],
    url: Annotated[
        list[str] | None, typer.Option(help="Where the system reaches us; may be repeated.", show_default=False)
    ] = None,
    unit: Annotated[str, typer.Option(help="Code or name of its unit.")] = "",
    again: Annotated[str | None, typer.Option(help="Id of a system that gets a new key.", show_default=False)] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Let a body worn system of Axis in, and write the connection file that its manager asks for. Keep it secret.

    - `evidock dock connection "Station 3" -o station3.json --url https://evidock.example:9443`
    """
    if output.exists():
        raise BadInput(f"{output} is there already: a key that somebody relies on may be in it")
    with session(home) as (ports, settings):
        told = _connection(name, url or [], settings)
        made = axis_docks.connect(name, unit=unit, again=again, ports=ports, now=clocks.now())
        body = told | {"BlobAPIUserName": made.dock, "BlobAPIKey": made.key}
        create_private(output, json.dumps(body, ensure_ascii=False, indent=1).encode())
    words = f"{made.dock}: {output} holds its key; give it to the system's manager, and keep no copy"
    report({"dock": made.dock, "file": str(output)}, as_json=as_json, show=lambda: out.print(words))


def show_told(
    dock: Annotated[str, typer.Argument(metavar="DOCK", help="Its id, or its name.", show_default=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show the cameras and users that a body worn system of Axis told of, and which of them are registered.

    - `evidock dock told "Station 3"`
    """
    with session(home) as (ports, _), ports.register.view() as connection:
        row = docks.named(connection, dock)
        if row["kind"] != axis_docks.KIND:
            raise WrongState(f"{row['id']} is a {row['kind']}: it tells of no cameras and users")
        account = Account(ports.received.with_name("axis"), row["id"])
        devices = [
            {
                "serial": one.name,
                "name": one.metadata.get("name", ""),
                "model": one.metadata.get("model", ""),
                "active": one.metadata.get("active", ""),
                "registered": search.device(connection, one.name) is not None,
            }
            for one in account.things(DEVICES)
        ]
        users = [
            {
                "user": one.name,
                "name": one.metadata.get("name", ""),
                "number": one.metadata.get("userid", ""),
                "active": one.metadata.get("active", ""),
                "registered": search.officer(connection, one.metadata.get("userid", "")) is not None,
            }
            for one in account.things(USERS)
        ]
    body = {"dock": row["id"], "devices": devices, "users": users}
    report(body, as_json=as_json, show=lambda: _show(devices, users))


def _show(devices: Sequence[dict[str, Any]], users: Sequence[dict[str, Any]]) -> None:
    for columns, rows, empty in ((_DEVICE, devices, "no cameras yet"), (_USER, users, "no users yet")):
        cells = [(*(one[name] for name in columns[:-1]), "yes" if one["registered"] else "no") for one in rows]
        print_table(columns, cells, empty=empty)


def _connection(name: str, urls: Sequence[str], settings: Settings) -> dict[str, Any]:
    """The connection file but for name and key.

    Source: Axis body worn integration API 1.6.10, "JSON file format".
    """
    from app.serve import identity_of

    certificates = [
        base64.b64encode(one.encode() + b"\n").decode()
        for one in _CERTIFICATE.findall(identity_of(settings).certificate.read_text("ascii", "replace"))
    ]
    if any(len(one) > _LARGEST_CERTIFICATE for one in certificates):
        raise BadInput("a certificate of the server is larger than a connection file may hold")
    return {
        "ConnectionFileVersion": "1.0",
        "SiteName": name,
        "ApplicationName": "evidock",
        "ApplicationVersion": _version(),
        "ContentDestinationAsNTPServer": False,
        "AuthenticationTokenURI": [f"{url}{_AUTH}" for url in _urls(urls, settings)],
        "HTTPSCertificate": certificates[:_MOST],
        "ContainerType": "mp4",
        "FullStoreAndReadSupport": False,
        "WantEncryption": False,
    }


def _urls(urls: Sequence[str], settings: Settings) -> list[str]:
    host, port = settings.serve
    if not urls and host in _EVERYWHERE:
        raise BadInput(f"the server answers at {host}, which is no address to call: name one with --url")
    found = [one.rstrip("/") for one in urls] or [f"https://{host}:{port}"]
    if len(found) > _MOST or any(not one.startswith("https://") or len(one) > _LONGEST_URL for one in found):
        raise BadInput(f"--url is https://HOST:PORT, at most {_MOST} times")
    return found


def _version() -> str:
    try:
        return version("evidock")
    except PackageNotFoundError:
        return "0"
