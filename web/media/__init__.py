# SPDX-License-Identifier: Apache-2.0
"""This is where footage leaves the server: by leave for minutes, in ranges or as HLS, and never unrecorded."""
