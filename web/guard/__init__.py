# SPDX-License-Identifier: Apache-2.0
"""This is where answers and requests of every route are kept within rules that no route has to remember."""
