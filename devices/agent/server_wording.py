# SPDX-License-Identifier: Apache-2.0
"""This is where what a dock says and hears is JSON on the one side and values on the other."""

from collections.abc import Iterator, Mapping
from typing import Any

from devices.agent.server_port import Answer, Docking, Known, Refusal
from evidence import instant
from evidence.errors import ServerUnavailable


def docking_body(docking: Docking) -> dict[str, Any]:
    """What is told of a docking."""
    clock, listed = docking.clock, docking.manifest
    return {
        "docking": docking.id,
        "port": docking.port,
        "device": docking.device,
        "began_at": instant.to_text(docking.began_at),
        "clock": None
        if clock is None
        else {
            "at": instant.to_text(clock.at),
            "offset_ms": clock.offset_ms,
            "uncertainty_ms": clock.uncertainty_ms,
            "after_ms": clock.after_ms,
        },
        "problem": docking.problem,
        "manifest": {
            "sha256": listed.digest.hex if listed.digest else None,
            "names": listed.names,
            "taken": listed.taken,
            "taken_bytes": listed.taken_bytes,
        },
    }


def answer_of(told: Mapping[str, Any]) -> Answer:
    """What the server said to a docking. Only a plain yes is one.

    Raises:
        ServerUnavailable: it is no answer of our server.
    """
    is_taken, refusal = told.get("is_taken"), told.get("refusal")
    if not isinstance(is_taken, bool):
        raise ServerUnavailable("what answers there does not speak as the server does")
    return Answer(
        is_taken=is_taken,
        refusal=Refusal(str(refusal.get("code")), str(refusal.get("text"))) if isinstance(refusal, dict) else None,
        erases=told.get("erases") is True,
        is_priority=told.get("is_priority") is True,
    )


def known_of(told: Mapping[str, Any]) -> Iterator[Known]:
    """The offers that the server has heard of.

    Raises:
        ServerUnavailable: it is no answer of our server.
    """
    try:
        for one in told["offers"]:
            yield Known(
                id=str(one["id"]),
                recording=one["recording"],
                outcome=one["outcome"],
                sha256=one["sha256"],
                is_sealed=one["is_sealed"] is True,
            )
    except (KeyError, TypeError) as error:
        raise ServerUnavailable("what answers there does not speak as the server does") from error
