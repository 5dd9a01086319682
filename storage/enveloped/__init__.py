# SPDX-License-Identifier: Apache-2.0
"""This is where footage rests in envelopes: each original under a data key of its own, which can be destroyed.

`form` is the bytes of an envelope and their arithmetic, `keyring` wraps data keys under a key of the installation,
`sealing` and `opening` are the two ways through, `rooms` are private folders for drafts and for copies that programs
need as files, and `store` keeps the promises of the port by joining them. docs/formats.md has the form,
docs/adr/0012-per-recording-keys.md the reasons.
"""
