# SPDX-License-Identifier: Apache-2.0
"""This is where facts are indexed: tables that custody events fill and can fill again from the log alone.

`schema` names the tables, `projection` is the one way an event changes them, `facts` is the one
way a step writes (state, event and next jobs in one transaction), `jobs` holds leases, `search`
reads. SQLAlchemy is imported in this folder and nowhere else.
"""
