# SPDX-License-Identifier: Apache-2.0
"""This is where footage goes all the way: from a dock folder to a verified clip."""
