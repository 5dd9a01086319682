# SPDX-License-Identifier: Apache-2.0
"""This is where the front doors are: settings, wiring, the command line, and what each process starts.

It alone knows every other package, reads the clock and chooses the engines; whatever it calls is handed its
ports and the time. What a command decides is decided below; here arguments become values and results become
text, JSON and an exit status.
"""
