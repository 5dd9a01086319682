# SPDX-License-Identifier: Apache-2.0
"""This is where a checkout makes its own environment out of nothing but a Python >= 3.11.

Standard library only, since nothing else is there yet. In order:

- `prepare` (shell) finds a Python that runs and hands over to `__main__`.
- `environment` makes `.venv` hold exactly what the lock says, and nothing more often than needed.
- `installer` finds uv, or gets the pinned one through whatever pip can be had.
- `console` builds the pages people see, with a Node that is there or a pinned one.
- `surroundings` is the process environment those tools are started with, and starts them.

Nothing outside `.venv`, `.boot` and the tools' own caches is written, with one exception: as root on Debian
or Ubuntu, when no pip can be had otherwise, the distribution's package `python3-venv` is installed.
"""
