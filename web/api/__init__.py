# SPDX-License-Identifier: Apache-2.0
"""This is where requests are answered: one noun a file. No step is run here: what came is taken down, workers go on."""
