# SPDX-License-Identifier: Apache-2.0
"""This is where body cameras that are not there come from: their cards, their clocks, their footage.

A simulated camera has a serial, an officer and a clock that may be wrong. It writes recordings into
a folder as its maker would lay them out, with a number burnt into every frame that `counter.read`
gets back after any sane coding and scaling. The same seed gives the same pictures, sound and track.
Shipped, because the demo, the fault tests and the benchmarks all feed on it.
"""
