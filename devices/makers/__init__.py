# SPDX-License-Identifier: Apache-2.0
"""This is where each maker's way of naming files is known: a small file each; `registry` reads them all."""
