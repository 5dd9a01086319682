# SPDX-License-Identifier: Apache-2.0
"""This is where the timecode that a camera counts frames by becomes exact seconds since its day began.

Written `hh:mm:ss:ff@rate`, with `;` before the frames when two numbers are dropped each minute but the tenth so that
29.97 keeps step with a clock. Source: SMPTE ST 12-1.
"""

import math
import re
from fractions import Fraction

_TIMECODE = re.compile(r"([0-9]{2}):([0-5][0-9]):([0-5][0-9])([:;.])([0-9]{2,3})@([0-9]{1,6})(?:/([1-9][0-9]{0,5}))?")


def told(timecode: str, rate: Fraction) -> str:
    """A timecode with the rate of its frames, as a claim holds it."""
    return f"{timecode}@{rate}"


def seconds_of(text: str) -> Fraction | None:
    """Exact seconds since the timecode was 0; None when the text is no timecode."""
    match = _TIMECODE.fullmatch(text)
    if match is None or match[6].strip("0") == "":
        return None
    rate = Fraction(int(match[6]), int(match[7] or 1))
    hours, minutes, seconds, frames = (int(match[number]) for number in (1, 2, 3, 5))
    counted = math.ceil(rate)
    if frames >= counted:
        return None
    whole = hours * 60 + minutes
    number = (whole * 60 + seconds) * counted + frames
    if match[4] in ";.":
        number -= 2 * (counted // 30) * (whole - whole // 10)
    return number / rate
