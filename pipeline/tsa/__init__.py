# SPDX-License-Identifier: Apache-2.0
"""This is where a third party's word on the time is asked for and checked: RFC 3161 time-stamps.

The local authority makes one machine complete without a network; its tokens say *self*, and no more.
`port` is the promise, `local` and `http` keep it, `rfc3161` believes a token or not, with `signer`
finding who signed it; `exchange` spells requests and responses.
"""
