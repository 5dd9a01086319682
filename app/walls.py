# SPDX-License-Identifier: Apache-2.0
"""This is where it is said in words behind which walls footage is decoded on this machine, or that there are none."""

from app.agreed_walls import HOW
from app.settings import Settings
from evidence.errors import SandboxMissing
from pipeline.media.sandbox.command import has_filter
from pipeline.media.sandbox.probe import Sandbox, is_off, level_in_force, probe

_OFF = "media is decoded with limits only: a decoder that is taken over sees and sends what this account can"

_NOT_AGREED = f"two people agree on it first ({HOW}); until then media is decoded behind walls or waits"


def notice(settings: Settings) -> str | None:
    """What whoever starts a process here must be told; None when footage is decoded behind walls.

    Asked while the installation is open: only then is it known whether an agreement to do without walls stands.
    """
    if is_off():
        return f"EVIDOCK_SANDBOX is off: {_OFF}"
    if settings.sandbox == "off":
        return f"EVIDOCK_SANDBOX is off, and is not followed: {_NOT_AGREED}"
    sandbox = probe()
    if sandbox.level == "none":
        return f"no sandbox works on this machine, so media waits: {sandbox.why}"
    return None


def found(settings: Settings) -> str:
    """The walls of this machine, for `doctor`.

    Raises:
        SandboxMissing: they are required, and none stand.
    """
    if is_off():
        return f"OFF, as EVIDOCK_SANDBOX says: {_OFF}"
    if probe().level == "none":
        level_in_force()  # refuses, in the words that a job gets
        raise SandboxMissing("no sandbox works on this machine")
    ignored = f"; EVIDOCK_SANDBOX is off, and is not followed: {_NOT_AGREED}" if settings.sandbox == "off" else ""
    return _in_words(probe()) + ignored


def _in_words(sandbox: Sandbox) -> str:
    walls = ["bubblewrap"] if sandbox.level == "full" else []
    walls += [f"Landlock {sandbox.abi}"] if sandbox.abi else []
    walls += ["a filter of system calls"] if has_filter() else []
    holds = "no other file, no network" + ("" if sandbox.has_other_processes else ", no other process")
    better = f" (not better, for {sandbox.why})" if sandbox.why else ""
    return f"{sandbox.level}: {', '.join(walls)}: {holds}{better}"
