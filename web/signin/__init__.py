# SPDX-License-Identifier: Apache-2.0
"""This is where people and programs prove who they are: passwords, codes, passkeys, links, sessions, keys."""
