# SPDX-License-Identifier: Apache-2.0
"""This is where the application is put on a socket, with TLS, and with limits for who is slow or says too much."""
