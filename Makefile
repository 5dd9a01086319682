# SPDX-License-Identifier: Apache-2.0
# This is where the commands of a checkout are. Each makes what it needs by itself: see deploy/bootstrap.
# PYTHON=/path/to/python3 chooses the Python; ARGS=… is handed on to the command.

PREPARE = @sh deploy/bootstrap/prepare
IN = @.venv/bin/python -m
CONSOLE = @sh deploy/bootstrap/prepare console

.PHONY: help demo test check bench chaos docs console lock clean

help:  ## what there is
	@sed -n 's/^\([a-z]*\):.*##\(.*\)/make \1\t\2/p' Makefile

demo:  ## simulated cameras and docks, everything on; ARGS=--once runs through and prints a summary
	$(PREPARE) run
	@sh deploy/bootstrap/prepare console || echo "evidock: going on without the console; the API answers"
	@.venv/bin/evidock demo $(ARGS)

test:  ## all tests; ARGS="-k words" chooses
	$(PREPARE) dev
	$(CONSOLE)
	$(IN) pytest -q -n 3 --dist loadfile $(ARGS)

check:  ## the gates: format, lint, types, layers, house rules
	$(PREPARE) dev
	$(IN) ruff format --check
	$(IN) ruff check
	$(IN) mypy
	@.venv/bin/lint-imports
	$(IN) pytest -q tests/unit/test_house.py
	@sh deploy/bootstrap/prepare console check

bench:  ## benchmarks, each beside a known tool in the same run: a table, and JSON
	$(PREPARE) dev
	$(IN) bench $(ARGS)

chaos:  ## the long run of every fault: a release's numbers; seed and commit are printed
	$(PREPARE) dev
	@EVIDOCK_CHAOS=long .venv/bin/python -m pytest -q -s --timeout=3600 tests/faults tests/attacks tests/web tests/devices tests/console $(ARGS)

docs:  ## write the tables of docs/ that are made from the code
	$(PREPARE) dev
	$(IN) tests.support.error_table
	$(IN) tests.unit.test_docs

console:  ## build the pages people see; done by itself before demo, test and check
	$(CONSOLE)

lock:  ## make the locks anew from pyproject.toml; ARGS=--upgrade takes newer releases
	$(PREPARE) lock $(ARGS)

clean:  ## remove the environment and the caches, never footage
	rm -rf .venv .boot web/console/node_modules web/console/dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
