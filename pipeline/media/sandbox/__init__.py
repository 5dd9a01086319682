# SPDX-License-Identifier: Apache-2.0
"""This is where a program that decodes hostile bytes is walled in.

`command` puts the walls around a command line, `launcher` (a program of its own) sets them in the child and
becomes the decoder: `walls` are limits and Landlock, `calls` a filter of system calls. `probe` finds out, by trying,
which walls stand on this machine.
"""
