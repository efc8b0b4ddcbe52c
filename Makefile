# The environment lives in .venv, made from requirements.lock; everything else is built by the commands.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help rehearse test test-unit test-site test-upgrade test-deep lint check lock bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv==0.13.9'
	$(UV) pip sync --quiet --python $(BIN)/python --compile-bytecode --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(UV): $(STAMP)

rehearse: $(STAMP) ## install what is needed, build a whole site, run the exit on it, write the report
	$(BIN)/safe-harbor rehearse

test: $(STAMP) lint ## install what is needed, run all tests, those on the rehearsal site included
	$(BIN)/safe-harbor rehearse setup
	$(BIN)/python -m pytest -m 'not site and not quiet' -n 2
	$(BIN)/python -m pytest -m 'site or quiet' --durations=25

test-unit: $(STAMP) ## the tests that need no site
	$(BIN)/python -m pytest -m 'not site' -n 2 -q

test-site: $(STAMP) ## the tests on the rehearsal site
	$(BIN)/safe-harbor rehearse setup
	$(BIN)/python -m pytest -m site

test-deep: $(STAMP) ## the tests on QEMU machines: an hour and more where there is no KVM
	$(BIN)/safe-harbor rehearse setup
	$(BIN)/python -m pytest -m deep -s

test-upgrade: $(STAMP) ## an upgrade to its end, under load, on two nodes
	$(BIN)/safe-harbor rehearse setup
	$(BIN)/python -m pytest -m upgrade -s

lint: $(STAMP) ## format, lint, layers and types
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/lint-imports
	$(BIN)/mypy

check: lint ## lint, types, layers and unit tests, in under a minute
	$(BIN)/python -m pytest -m 'not site and not slow' -n 2 -q

# bench-ready is a deep rehearsal: an hour where there is no KVM.
bench: $(STAMP) ## the project beside its peers (without bench-ready); writes docs/benchmarks.md
	@ended=0; for subject in $(filter-out %/bench_ready.py, $(wildcard benchmarks/bench_*.py)); do \
	  $(BIN)/python -m benchmarks.$$(basename $$subject .py) || ended=$$?; \
	done; $(BIN)/python -m benchmarks.page && exit $$ended

bench-%: $(STAMP)
	$(BIN)/python -m benchmarks.bench_$*

# invoke serves `Match exec` of an ssh_config, which nothing here reads; paramiko imports it where it is there: 60 of the
# 145 ms that its own import takes.
lock: ## renew requirements.lock from pyproject.toml
	$(UV) pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --no-emit-package invoke \
	  --extra rehearsal --extra dev pyproject.toml --output-file requirements.lock

clean: ## remove what was built here (the cache of parts stays)
	rm -rf build $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
