# SPDX-License-Identifier: Apache-2.0
"""This is where `evidock verify` is: everything at rest, one recording, a clip alone with its proof, or a pack."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from app.cli.session import AsJson, Home, out, progress_bar, report, session
from app.plain import for_terminal
from app.settings import load_settings
from app.words import word
from evidence.errors import BadInput
from evidence.note import parse_vkey
from evidence.verdict import EXIT_STATUS, CheckReport, Verdict
from pipeline import audit
from pipeline.media.sandbox.probe import decided
from pipeline.pack.check import check_pack, is_pack
from pipeline.ports import Ports, Progress
from pipeline.tsa.port import TrustAnchors
from storage.signing import verifier_of

_COLOURS = {Verdict.PROVEN: "green", Verdict.TAMPERED: "red", Verdict.UNDECIDABLE: "yellow", Verdict.UNUSABLE: "red"}


def verify(
    thing: Annotated[
        str | None, typer.Argument(help="Id of a recording, a file, or the folder of a pack.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything at rest: log, originals, derivatives.")] = False,
    keys: Annotated[
        Path | None,
        typer.Option(
            help="File of public keys (`evidock log keys`): check a clip or pack with these alone, without a home."
        ),
    ] = None,
    anchors: Annotated[
        Path | None, typer.Option(help="PEM file of the time authority's root, to check time tokens too.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Check evidence, and name what does not hold and where.

    Exit status: 0 proven, 1 tampered, 2 undecidable, 3 unusable.

    - `evidock verify --all`
    - `evidock verify rec-abcdefghij2345678901`
    - `evidock verify out.mp4` (with out.mp4.proof.json beside it)
    - `evidock verify out.mp4 --keys agency.keys` (anywhere, by anyone)
    - `evidock verify pack-2026-017 --keys agency.keys --anchors root.pem`
    """
    if (thing is None) != everything:
        raise BadInput("give a recording's id, a file, or --all")
    if keys is not None and thing is not None:
        with progress_bar("verifying", quiet=as_json) as progress:
            found = _check_alone(Path(thing), keys, anchors, progress)
    else:
        with session(home) as (ports, _), progress_bar("verifying", quiet=as_json) as progress:
            found = _check(thing, ports, progress)
    report(audit.to_json(found), as_json=as_json, show=lambda: _show(found))
    raise typer.Exit(EXIT_STATUS[found.verdict])


def _check(thing: str | None, ports: Ports, progress: Progress) -> CheckReport:
    if thing is None:
        return audit.verify_all(ports, progress=progress)
    if is_pack(Path(thing)):
        return check_pack(Path(thing), trust=audit.trust_of(ports), progress=progress)
    if Path(thing).exists():
        return audit.verify_file(Path(thing), ports, progress=progress)
    return audit.verify_recording(ports, thing, progress=progress)


def _check_alone(thing: Path, keys: Path, anchors: Path | None, progress: Progress) -> CheckReport:
    """A clip or a pack by an auditor's own keys: nothing of this machine's installation is asked."""
    try:
        trusted = tuple(verifier_of(parse_vkey(line)) for line in keys.read_text("ascii").split())
        roots = None if anchors is None else TrustAnchors.from_pem(anchors.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the keys or anchors cannot be read: {error}") from error
    # How a stranger's clip may be decoded here is a matter of this machine, not of what is proven.
    with decided(load_settings().sandbox):
        trust = audit.Trust(trusted, roots)
        if is_pack(thing):
            return check_pack(thing, trust=trust, progress=progress)
        return audit.verify_clip(thing, thing.with_name(thing.name + ".proof.json"), trust=trust, progress=progress)


def _show(found: CheckReport) -> None:
    colour = _COLOURS[found.verdict]
    told = f" {found.objects} objects, {found.size_bytes:,} bytes checked"
    out.print(Text.assemble((word("verdict", found.verdict), f"bold {colour}"), told))
    for finding in found.findings:
        out.print(f"  {word('verdict', finding.verdict)}: {finding.object}: {finding.what} {finding.where}")
    for note in found.notes:
        out.print(Text(for_terminal(f"  note: {note}"), "dim"))
