# SPDX-License-Identifier: Apache-2.0
"""This is where a case is handed out: as a pack that an outsider can check alone."""

from pathlib import Path
from typing import Annotated

import typer

from app import clocks
from app.cli.session import AsJson, Home, out, progress_bar, report, session
from pipeline.export import export_case
from pipeline.pack.plan import what_of


def export(
    case: Annotated[str, typer.Option("--case", help="Number of the case.", show_default=False)],
    folder: Annotated[Path, typer.Option("-o", "--out", help="A folder that is not there yet.", show_default=False)],
    what: Annotated[
        str, typer.Option(help="`originals`: whole files; `clips`: exactly what the case links to.")
    ] = "originals",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write a pack of a case: footage, proofs and custody records that an outsider can check alone.

    - `evidock export --case 2026-017 -o pack-2026-017`
    - `evidock export --case 2026-017 --what clips -o pack-2026-017`
    """
    wanted = what_of(what)
    with session(home) as (ports, _), progress_bar("exporting", quiet=as_json) as progress:
        name, made = export_case(case, wanted, folder, ports=ports, now=clocks.now, progress=progress)
    body = {
        "export": name,
        "folder": str(folder),
        "manifest_sha256": made.manifest_sha256,
        "files": made.files,
        "size_bytes": made.size_bytes,
    }

    def show() -> None:
        out.print(f"{folder}: {made.files} files, {made.size_bytes:,} bytes, export {name}")
        out.print(f"  sha256 of its manifest: {made.manifest_sha256}")
        out.print(f"  check it with `evidock verify {folder} --keys agency.keys` (keys: `evidock log keys`)")

    report(body, as_json=as_json, show=show)
