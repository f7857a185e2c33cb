# `make run` and `make test` need nothing but Python >= 3.11 and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# `make helm`, `make nfpm`, `make prometheus`, `make kusto`, `make test-shippers` and `make test-long` use more if it is there.
.PHONY: run test docs reference test-long test-shippers helm nfpm prometheus kusto check unit smoke coverage format bench clean
WORKERS := $(shell $(PYTHON) -c 'import os; print(3 * (os.cpu_count() or 2) // 2)')
SUITE   := -n $(WORKERS) --dist worksteal -m "not slow and not shippers"

run: $(VENV)/.ready  ## the poller against the built-in demo console, rows on stdout
	@$(BIN)/sentinelone-source demo

test: check smoke $(VENV)/.wheel  ## the suite, once: against the wheel, the source tree out of the way
	$(VENV)/wheel/bin/python -m pytest $(SUITE)

test-long: $(VENV)/.wheel test-shippers  ## kill loops, property tests at full depth, the real shippers
	$(VENV)/wheel/bin/python -m pytest -n auto -m "(slow or hypothesis) and not shippers" \
		--hypothesis-profile=deep --timeout=1800

test-shippers: $(VENV)/.wheel  ## with the real Fluent Bit, Vector and podman, where they are
	$(VENV)/wheel/bin/python -m pytest -m shippers

check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/deptry plugin --optional-dependencies-dev-groups dev,docs
	$(BIN)/deptry plugin tests bench

unit: $(VENV)/.ready  ## the suite against the source tree
	$(BIN)/pytest $(SUITE)

smoke: $(VENV)/.ready  ## a part of the suite against the source tree
	$(BIN)/pytest -q tests/cli/test_map.py

coverage: $(VENV)/.ready  ## lines and branches that the suite runs, in its processes too
	@rm -rf $(VENV)/coverage && mkdir $(VENV)/coverage
	$(BIN)/coverage run -m pytest $(SUITE) -m "not slow and not shippers and not untraced"
	@$(BIN)/coverage combine --quiet && $(BIN)/coverage report

docs: $(VENV)/.docs  ## the site, below .venv/site; a warning or a dead link is an error
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env docs $(VENV)/site

reference: $(VENV)/.ready  ## the pages of the reference that are made from the code
	PYTHONPATH=tests $(BIN)/python -m support.reference

helm: $(VENV)/.ready  ## Helm, which the tests of deploy/helm use; needs Go
	GOBIN=$(CURDIR)/$(BIN) go install helm.sh/helm/v3/cmd/helm@v3.22.0

nfpm: $(VENV)/.ready  ## nfpm, which the tests of deploy/packages use; needs Go
	GOBIN=$(CURDIR)/$(BIN) go install github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.41.0

prometheus: $(VENV)/.ready  ## Prometheus and promtool, which the tests of deploy/monitoring use; needs apt-get
	mkdir -p $(VENV)/prometheus && cd $(VENV)/prometheus && apt-get --quiet download prometheus \
		&& dpkg-deb --extract prometheus_*.deb . && rm prometheus_*.deb
	ln -sf ../prometheus/usr/bin/prometheus ../prometheus/usr/bin/promtool $(BIN)

kusto: $(VENV)/.ready  ## Microsoft's KQL language service, which some tests of deploy/azure use; needs npm
	npm install --silent --no-fund --no-audit --prefix $(VENV) @kusto/language-service-next@12

format: $(VENV)/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.ready  ## the table of docs/explanation/performance.md
	$(BIN)/python -m bench

$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=...")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[azure,dev]'
	@touch $@

$(VENV)/.docs: $(VENV)/.ready
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

$(VENV)/.wheel: $(VENV)/.ready $(shell find plugin mappings fluent-bit vector deploy/azure -type f -not -name '*.pyc')
	@rm -rf $(VENV)/dist $(VENV)/wheel && $(BIN)/hatchling build -t wheel -d $(VENV)/dist > /dev/null
	@$(PYTHON) -m venv $(VENV)/wheel
	@$(VENV)/wheel/bin/pip install --quiet --disable-pip-version-check --no-deps $(VENV)/dist/*.whl
	@$(BIN)/python tests/support/dependencies.py $(VENV)/wheel
	@touch $@

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
