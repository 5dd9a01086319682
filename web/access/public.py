# SPDX-License-Identifier: Apache-2.0
"""This is where the routes stand that ask for no act, each with the reason why not."""

from collections.abc import Mapping

PUBLIC: Mapping[str, str] = {
    "GET /{address:page}": "the console's own files, which hold nothing of the agency's",
    "HEAD /{address:page}": "the same",
    "POST /v1/challenges": "how a dock begins to sign in; it tells nothing",
    "POST /v1/sessions": "how a dock signs in: the signature is the proof",
    "POST /v1/enrolments": "how an invited dock brings its key: the one-time code is the proof, and is counted",
    "OPTIONS /v1/uploads": "what the server speaks, as tus 1.0 has every client ask first",
    "OPTIONS /v1/uploads/{identifier}": "the same",
    "GET /v1/oidc/start": "how a browser is sent to the identity provider; it tells nothing",
    "GET /v1/oidc/callback": "how it comes back: the provider's signed word is the proof",
    "GET /auth/v1.0": "how a dock of another maker signs in: its password is the proof",
    "POST /v1/session": "how a person signs in: tries are counted before anything is looked at",
    "POST /v1/session/passkey/options": "how a passkey is asked: it names nobody, and is counted by address",
    "POST /v1/session/passkey": "how a person signs in by passkey: the signature is the proof",
    "GET /v1/session/ways": "by what means one signs in here: it tells of nobody",
    "GET /v1/session": "the session that the request itself is of, whatever roles its person has",
    "POST /v1/session/proof": "a person proves themselves anew: the session and the proof are asked for by the route",
    "DELETE /v1/session": "signing out: the session that the request itself is of",
    "POST /v1/session/link/look": "whom a link is for: its secret of 256 bits is the proof, and is counted",
    "POST /v1/session/link": "how an account begins: the link's secret is the proof, and is counted",
    "GET /v1/media/{token}/{file}": "the token is the leave: on record, for minutes, and for that session or key alone",
    "HEAD /v1/media/{token}/{file}": "the same",
    "POST /v1/media/{token}/watched": "the same",
}
"""Method and path, and why everybody may ask."""
