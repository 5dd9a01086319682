# SPDX-License-Identifier: Apache-2.0
"""This is where `evidock demo` is."""

from typing import Annotated

import typer

from app.cli.session import Home


def demo(
    once: Annotated[bool, typer.Option("--once", help="Run through, print a JSON summary, exit.")] = False,
    home: Home = None,
) -> None:
    """Show everything at work: simulated cameras, a dock, workers, two cases, a clip, and its proof.

    evidock demo --once
    evidock demo --home ./demo
    """
    raise NotImplementedError
