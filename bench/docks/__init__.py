# SPDX-License-Identifier: Apache-2.0
"""This is where dock stations are measured: copying, and the way from the device to the receipt."""
