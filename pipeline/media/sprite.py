# SPDX-License-Identifier: Apache-2.0
"""This is where thumbnails share one picture: how many, how far apart, and where each of them lies.

Index (canonical JSON): `columns`, `height` and `width` of one tile in pixels, `interval` in whole
seconds, `kind` "evidock/sprite-index/v1", `tiles`. Tile k shows the frame seen at k × interval, and
lies at x = k mod columns × width, y = k div columns × height.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from pipeline.media.ffmpeg import Stream

MAX_TILES = 100
COLUMNS = 10
TILE_WIDTH = 192


@dataclass(frozen=True, slots=True)
class Sheet:
    """A plan: at most `columns` × `rows` tiles, one every `interval_s` seconds."""

    interval_s: int
    columns: int
    rows: int

    def filters(self, picture: Stream) -> Stream:
        """The sheet as a filter on `picture`."""
        # round=up: a tile is the frame on show at its instant, not the nearest one.
        sampled = picture.filter("fps", f"1/{self.interval_s}", round="up", start_time="0")
        small = sampled.filter("scale", w=str(TILE_WIDTH), h=f"max(2,min({2 * TILE_WIDTH},2*trunc({TILE_WIDTH}/a/2)))")
        return small.filter("tile", f"{self.columns}x{self.rows}")

    def index(self, sheet_size: tuple[int, int], shown_s: Fraction) -> dict[str, object]:
        """The index of a sheet of that size in pixels, made from a video of `shown_s` seconds."""
        tiles = math.ceil(shown_s / self.interval_s)
        return {
            "kind": "evidock/sprite-index/v1",
            "interval": self.interval_s,
            "columns": self.columns,
            "width": sheet_size[0] // self.columns,
            "height": sheet_size[1] // self.rows,
            "tiles": min(max(1, tiles), self.columns * self.rows),
        }


def sheet_for(duration: Fraction) -> Sheet:
    """The plan for a video of `duration` seconds: whole seconds apart, at most 100 tiles."""
    interval_s = max(1, math.ceil(duration / MAX_TILES))
    tiles = max(1, math.ceil(duration / interval_s))
    columns = min(COLUMNS, tiles)
    return Sheet(interval_s, columns, math.ceil(Fraction(tiles, columns)))
