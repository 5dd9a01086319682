# SPDX-License-Identifier: Apache-2.0
"""This is where every claim of the project is held against running code.

Our own ports are never mocked: the embedded engines and the shipped simulator are the doubles. Time is a
value. A test whose server or footage is missing says so aloud on a laptop and fails in CI.
"""
