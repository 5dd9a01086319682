# SPDX-License-Identifier: Apache-2.0
"""This is where a dock speaks with a device itself, through the program of its maker.

`<port>.control` beside the folder of the port is a Unix socket. One line of JSON asks, one answers; each
question is one connection, so that a program that hangs costs one question.

    {"ask": "identify"}                     {"serial": "…", "officer": "…", "battery": 80}      (all optional)
    {"ask": "clock"}                        {"at": "2026-06-19T04:00:00Z", "grain_ms": 1000}
    {"ask": "set-clock", "at": "…"}         {"is_set": true}

`{"error": "…"}` answers what the device does not know. Without the socket the device is a plain card.
"""

import json
import socket
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from evidence.errors import BadInput, SourceUnavailable
from evidence.instant import from_text, to_text

_LARGEST = 1 << 16
_PATIENCE_S = 2.0
_DEFAULT_GRAIN_MS = 1000


@dataclass(frozen=True, slots=True)
class Shown:
    """What a device's clock shows; two instants closer than `grain_ms` may be shown as the same."""

    at: datetime
    grain_ms: int


class Control:
    """The maker's program at a Unix socket."""

    def __init__(self, path: Path, *, patience_s: float = _PATIENCE_S) -> None:
        self._path, self._patience_s = path, patience_s

    @property
    def is_there(self) -> bool:
        """True when the port has such a program."""
        return self._path.is_socket()

    def identify(self) -> dict[str, str]:
        """What the device says of itself, text by field. Raises: SourceUnavailable."""
        return {name: value for name, value in self._ask(ask="identify").items() if isinstance(value, str)}

    def clock(self) -> Shown:
        """What its clock shows now. Raises: SourceUnavailable."""
        told = self._ask(ask="clock")
        try:
            grain = told.get("grain_ms", _DEFAULT_GRAIN_MS)
            if not isinstance(grain, int) or isinstance(grain, bool) or not 0 <= grain <= 86_400_000:
                raise BadInput(f"no grain of a clock: {grain!r}")
            return Shown(from_text(str(told["at"])), grain)
        except (KeyError, BadInput, ValueError) as error:
            raise SourceUnavailable(f"the device's clock cannot be read: {error}") from error

    def set_clock(self, at: datetime) -> None:
        """Set its clock. Raises: SourceUnavailable, also when the device cannot."""
        if self._ask(ask="set-clock", at=to_text(at)).get("is_set") is not True:
            raise SourceUnavailable("the device did not set its clock")

    def _ask(self, **question: str) -> dict[str, object]:
        try:
            with socket.socket(socket.AF_UNIX) as wire:
                wire.settimeout(self._patience_s)
                wire.connect(str(self._path))
                wire.sendall(json.dumps(question).encode() + b"\n")
                with wire.makefile("rb") as answers:
                    told = json.loads(answers.readline(_LARGEST))
        except (OSError, ValueError, RecursionError) as error:
            raise SourceUnavailable(f"the device does not answer: {error}", asked=question["ask"]) from error
        if not isinstance(told, dict) or "error" in told:
            raise SourceUnavailable(f"the device does not know {question['ask']!r}", asked=question["ask"])
        return told
