# SPDX-License-Identifier: Apache-2.0
"""This is where hostile bytes are opened: the one room in which media libraries and programs are used.

What leaves it is plain values. Programs run with limits of time, memory and output; the demuxer is forced
from our own look at the bytes, since a file may claim to be anything.
"""
