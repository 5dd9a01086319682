# SPDX-License-Identifier: Apache-2.0
"""This is where people sign in who are known elsewhere, by OpenID Connect."""
