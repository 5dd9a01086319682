# SPDX-License-Identifier: Apache-2.0
"""This is where recordings come to us from: watched docks, when a file is complete, makers' habits.

Nothing here decides what is evidence. A file that has settled becomes an Offer with every claim found about
it (name, side file, folder, file time) and where each claim came from; the pipeline takes it from there.
"""
