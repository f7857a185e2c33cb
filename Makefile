# `make run` and `make test` need nothing but Python >= 3.11 and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# `make kusto` and `make test-shippers` add what needs more than that.
.PHONY: run test test-shippers kusto check unit wheel-test format bench clean

run: $(VENV)/.ready  ## the poller against the built-in demo console, rows on stdout
	@$(BIN)/sentinelone-source demo

test: check unit wheel-test  ## everything that needs nothing but Python

test-shippers: $(VENV)/.ready  ## with the real Fluent Bit, Vector and podman, where they are
	$(BIN)/pytest -m shippers

check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

unit: $(VENV)/.ready
	$(BIN)/pytest -n auto -m "not shippers"

wheel-test: $(VENV)/.wheel  ## the same tests against the installed wheel, the source tree out of the way
	$(VENV)/wheel/bin/pytest -n auto -m "not slow and not shippers"

kusto: $(VENV)/.ready  ## Microsoft's KQL language service, which some tests of deploy/azure use; needs npm
	npm install --silent --no-fund --no-audit --prefix $(VENV) @kusto/language-service-next@12

format: $(VENV)/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.ready  ## the table of docs/performance.md
	$(BIN)/python -m bench

$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=...")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[azure,dev]'
	@touch $@

$(VENV)/.wheel: $(VENV)/.ready $(shell find plugin mappings fluent-bit vector deploy/azure -type f -not -name '*.pyc')
	@rm -rf $(VENV)/dist && $(BIN)/hatchling build -t wheel -d $(VENV)/dist > /dev/null
	@$(PYTHON) -m venv $(VENV)/wheel
	@$(VENV)/wheel/bin/pip install --quiet --disable-pip-version-check --force-reinstall --no-deps $(VENV)/dist/*.whl
	@$(VENV)/wheel/bin/pip install --quiet --disable-pip-version-check "$$(echo $(VENV)/dist/*.whl)[azure,dev]"
	@touch $@

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
