# SPDX-License-Identifier: Apache-2.0
"""This is where the tools that check `deploy/` are had from: `python -m deploy.lint` puts them into `.boot/lint`.

Locked by version and digest in `tools.txt`, or out of signed Debian packages; nowhere near `.venv` or what is shipped.
"""
