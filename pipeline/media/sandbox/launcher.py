# SPDX-License-Identifier: Apache-2.0
"""This is where the child of a decode begins: it puts up its own walls, then becomes the decoder.

Run as `python -I -S launcher.py WORD… -- PROGRAM ARGUMENT…`; what the words are, `walls.Orders` says. It
starts before any byte of media is read, so it may import; standard library only, for it must start fast.
"""

import os
import sys


def main(arguments: list[str]) -> int:
    """Set the walls and become the program; returns, with a status for `sys.exit`, only when that fails."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)).removesuffix("/pipeline/media/sandbox"))  # noqa: PTH100, PTH120
    from pipeline.media.sandbox import walls

    end = arguments.index("--")
    orders, program = walls.read_orders(arguments[:end]), arguments[end + 1 :]
    if orders.figures["report"] and (child := os.fork()):
        return walls.report(child, orders)
    try:
        walls.put_up(orders)
    except OSError as error:
        sys.stderr.write(f"the sandbox cannot be set up: {error}\n")
        return 125
    return walls.become(program, orders)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
