# SPDX-License-Identifier: Apache-2.0
"""This is where everything is one value that signing in needs beside the register."""

from dataclasses import dataclass, field

from web.signin.figures import Figures, shipped_figures


@dataclass(frozen=True, slots=True)
class Means:
    """What a server signs people in with. `public_url`: where browsers reach it, as `https://HOST[:PORT]`."""

    figures: Figures = field(default_factory=shipped_figures)
    public_url: str = ""
