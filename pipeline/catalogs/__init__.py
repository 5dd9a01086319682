# SPDX-License-Identifier: Apache-2.0
"""This is where the agency's recording catalog (音像记录事项清单) is read, checked, compared and laid out as a table.

`text` reads YAML with a place for every value; `structure`, `references` and `meaning` say what is wrong with it;
`resolve` makes the values of `evidence.catalog`; `load` is the front door. `columns`, `rows`, `xlsx` and `csv_table`
are the tables that agencies publish. `diff` says what a new version changes.
"""
