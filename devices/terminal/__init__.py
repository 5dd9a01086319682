# SPDX-License-Identifier: Apache-2.0
"""This is where handheld terminals (手持执法终端) come to us: footage that arrives while it is still recorded."""
