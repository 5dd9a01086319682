# SPDX-License-Identifier: Apache-2.0
"""This is where it is decided who runs the steps, how many at once, and what happens when one of them dies.

Dramatiq and Redis are known in this package and nowhere else. A message is a hint that carries a job number;
the job itself (state, attempts, lease) is a row of the register, so a lost or doubled message alters nothing.
"""
