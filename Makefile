# Two commands for newcomers: `make demo` and `make test`. Both install what is missing first.
PY := .venv/bin/python
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test lint types imports unit e2e bench lock install install-dev

demo: install
	@$(PY) examples/hello/demo.py

# Tests on the real kernel, with real containers, can be late on a busy machine: what failed gets a second try, alone
# and in full view. A fault fails twice.
test: install-dev lint types imports
	@$(PY) -m pytest || { echo "once more, what failed:"; $(PY) -m pytest --last-failed; }

lint:
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types:
	@.venv/bin/mypy

imports:
	@.venv/bin/lint-imports

unit:
	@$(PY) -m pytest -m "not e2e and not node and not kernel"

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
