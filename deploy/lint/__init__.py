# SPDX-License-Identifier: Apache-2.0
"""This is where the tools that check `deploy/` are had from: `python -m deploy.lint` puts them into `.boot/lint`.

They are locked by version and digest in `tools.txt` and never come near `.venv` or what is shipped.
"""
