# SPDX-License-Identifier: Apache-2.0
"""This is where the routes stand that ask for no act, each with the reason why not."""

from collections.abc import Mapping

_TUS = "a dock's own protocol: its token is asked for by the route"
_LIVE = "a terminal's own protocol: its token is asked for by the route"

PUBLIC: Mapping[str, str] = {
    "POST /v1/challenges": "how a dock begins to sign in; it tells nothing",
    "POST /v1/sessions": "how a dock signs in: the signature is the proof",
    "POST /v1/enrolments": "how an invited dock brings its key: the one-time code is the proof, and is counted",
}
"""Method and path, and why everybody may ask."""
