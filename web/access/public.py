# SPDX-License-Identifier: Apache-2.0
"""This is where the routes stand that ask for no act, each with the reason why not."""

from collections.abc import Mapping

PUBLIC: Mapping[str, str] = {
    "POST /v1/challenges": "how a dock begins to sign in; it tells nothing",
    "POST /v1/sessions": "how a dock signs in: the signature is the proof",
    "POST /v1/enrolments": "how an invited dock brings its key: the one-time code is the proof, and is counted",
    "OPTIONS /v1/uploads": "what the server speaks, as tus 1.0 has every client ask first",
    "OPTIONS /v1/uploads/{identifier}": "the same",
    "GET /auth/v1.0": "how a dock of another maker signs in: its password is the proof",
}
"""Method and path, and why everybody may ask."""
