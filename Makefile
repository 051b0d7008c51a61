# Two commands for newcomers: `make demo` and `make test`. Both install what is missing first.
PY := .venv/bin/python
export PYTHONDONTWRITEBYTECODE =

#: Test processes: most tests wait for the kernel or for containers, so more of them than the two cores of a small machine.
WORKERS ?= 3
SPREAD = -n $(WORKERS) --dist loadscope --no-loadscope-reorder

.PHONY: demo test test-quick test-full checks lint types imports e2e bench lock install install-dev

demo: install
	@$(PY) examples/hello/demo.py

# Every check. tests/support/lanes.py says which tests share a process.
test: install-dev checks
	@$(PY) -m pytest $(SPREAD)

# What needs no root: a few minutes.
test-quick: install-dev checks
	@$(PY) -m pytest -n 2 --dist loadscope --no-loadscope-reorder -m "not e2e and not node and not kernel and not vm"

# The same as `test` with every kubectl at hand, more examples and longer runs.
test-full: install-dev checks
	@PYBERNETES_TESTS=full $(PY) -m pytest $(SPREAD)

checks: lint types imports

lint:
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types:
	@.venv/bin/mypy

imports:
	@.venv/bin/lint-imports

e2e:
	@$(PY) -m pytest tests/e2e

bench: install-dev
	@$(PY) -m bench

install:
	@tools/install.sh

install-dev:
	@tools/install.sh dev

lock:
	@.venv/bin/pip-compile -q --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --strip-extras --no-header --no-annotate -o requirements.lock pyproject.toml
	@.venv/bin/pip-compile -q --extra dev --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --strip-extras --no-header --no-annotate -c requirements.lock -o requirements-dev.lock pyproject.toml
