# SPDX-License-Identifier: Apache-2.0
"""This is where one module at a time is tested, with no server and in milliseconds."""
