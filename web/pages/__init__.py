# SPDX-License-Identifier: Apache-2.0
"""This is where the console is served: the files that `make console` built, to any browser, by one route.

What the pages show they ask of `/v1` like any other client, as the person who is signed in; the files themselves
hold nothing of the agency's. Source and build: `web/console/`.
"""
