# SPDX-License-Identifier: Apache-2.0
"""This is where a third party's word on the time is asked for and checked: RFC 3161 time-stamps.

The local authority makes one machine complete without a network; its tokens say *self*, and no more.
"""
