# SPDX-License-Identifier: Apache-2.0
"""This is where the commands that end a recording's life get their clock."""

from datetime import datetime

from app import clocks
from pipeline.ports import Ports
from pipeline.steady import steady_now


def steady(ports: Ports) -> datetime:
    """Steady time: nothing is due, and no grace is over, because a clock was set."""
    return steady_now(ports.register, clocks.reading(ports.place)).counted
