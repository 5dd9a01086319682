# SPDX-License-Identifier: Apache-2.0
"""This is where `python -m app` begins: the same command line as `evidock`."""

from app.cli.main import run

if __name__ == "__main__":
    run()
