# Needs make and Python 3.11–3.14; everything else is set up in .venv. `make` lists the targets.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help setup demo test-fast test test-long audit wheel wheel-environment test-wheel lint format types check lock clean
SHELL := /bin/sh

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
# What an installed set of packages depends on; a stamp is renewed only when one of these changes.
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
WHEEL := .venv-wheel
# A test process that dies in native code is replaced (tests/support/scheduling.py). A process more than there are cores, since
# tests wait; two more where tests on brokers are among them, which wait most.
ON_TWO_CORES := -n 3 --max-worker-restart 3
WITH_BROKERS := -n 4 --max-worker-restart 3
# A run starts hundreds of processes of the project, and each would compile it anew.
unexport PYTHONDONTWRITEBYTECODE
# The sizes of tests that are marked `scaled`.
LONG := PIPELINES_JOB_EVENTS=200000 PIPELINES_FAULT_EVENTS=100000 PIPELINES_OVERLOAD_S=60 PIPELINES_EVERY_VALUE=1 PIPELINES_ALL_SEEDS=1 PIPELINES_EXAMPLES=5000
# What the compiled modules are part of. Everything else: make test-wheel ARGS=tests
ON_A_WHEEL := tests/minimize tests/keys tests/envelope tests/bench tests/relay/test_lane.py tests/relay/test_worker.py tests/faults/test_faults.py

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile
	@echo '  ARGS="…" passes arguments on: make test ARGS="tests/keys -x", make demo ARGS=--json'

setup: $(DEV) ## Create .venv with everything (the other targets do it when needed)

demo: $(RUNTIME) ## Run the whole thing on this machine, checked: broker, traffic, workers
	@$(BIN)/pipelines demo $(ARGS)

test-fast: $(DEV) ## Run the tests that need no broker and little time: before each commit
	@PIPELINES_EXAMPLES=$(or $(PIPELINES_EXAMPLES),20) $(BIN)/pytest $(ON_TWO_CORES) -m 'not (broker or container or slow or long)' $(ARGS)

test: $(DEV) ## Run all tests but those of test-long, on two cores; on a real Kafka, too
	@$(BIN)/pytest $(WITH_BROKERS) -m 'not long' $(ARGS)

test-long: $(DEV) ## Run chaos, the main job, corruption and properties at full size; writes docs/long-run.md
	@$(LONG) $(BIN)/pytest $(ON_TWO_CORES) -m 'long or scaled' --record docs/long-run.md $(ARGS)

audit: $(DEV) ## Run what docs/auditor.md names for each promise: a verdict and a duration each
	@$(BIN)/python -m tests.audit $(ARGS)

wheel: $(DEV) ## Build a wheel in dist/: compiled where a C compiler finds Python.h, pure elsewhere
	@rm -rf build; $(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w dist .
	@ls -t dist/*.whl | head -n 1

wheel-environment: $(WHEEL)/.wheel

# Without cwd on the import path, so that the installed package is what runs; a .pth file leads to the tests alone.
test-wheel: $(WHEEL)/.wheel ## Run the tests on the compiled wheel, installed in .venv-wheel; on a pure one, say so and skip
	@set -e; if ! $(WHEEL)/bin/python -P -c 'from pipelines.minimize import compiled; raise SystemExit(not compiled())'; then \
	  echo 'skipped: the wheel is pure, because no C compiler here finds Python.h; `make test` tested the same code'; exit 0; fi; \
	PYTHONSAFEPATH=1 PIPELINES_FAULT_EVENTS=10000 $(WHEEL)/bin/pytest $(ON_TWO_CORES) -m 'not long' -o pythonpath= $(or $(ARGS),$(ON_A_WHEEL))

lint: $(DEV) ## Check style, formatting, types, the imports between packages and the catalog; all findings, then a verdict
	@failed=; \
	for step in 'ruff check' 'ruff format --check' 'mypy' 'lint-imports --no-logo --no-cache' 'pipelines docs --check'; do \
	  echo "--- $$step"; $(BIN)/$$step || failed="$$failed, $$step"; \
	done; \
	if [ -n "$$failed" ]; then echo "lint failed: $${failed#, }" >&2; exit 1; fi

types: $(DEV) ## Check types only
	@$(BIN)/mypy $(ARGS)

format: $(DEV) ## Format, and fix what ruff can fix
	@$(BIN)/ruff check --fix-only --quiet; $(BIN)/ruff format

check: lint test ## Lint, then test

lock: $(VENV)/.lock ## Renew the hashed requirements from pyproject.toml (ARGS=--upgrade for newer versions)
	@set -e; compile() { out=$$1; shift; \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header $(ARGS) -o requirements/$$out "$$@"; }; \
	compile dev.txt --extra broker --group dev pyproject.toml; \
	compile runtime.txt --extra broker --group build --constraint requirements/dev.txt pyproject.toml; \
	compile image.txt --constraint requirements/dev.txt pyproject.toml; \
	compile wheel.txt --group wheel --constraint requirements/dev.txt; \
	compile lock.txt --group lock

clean: ## Remove what was built, installed and cached here (not .pipelines: it holds keys and broker data)
	rm -rf $(VENV) $(WHEEL) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
	find pipelines tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The newest fitting Python that is known to have wheels for everything; PYTHON=… chooses another.
$(BIN)/python:
	@for python in $(PYTHON) python3.13 python3.12 python3.11 python3.14 python3 python; do \
	  if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo 'make: no Python 3.11 to 3.14 on PATH; install one, or name it: make PYTHON=/path/to/python3' >&2; exit 1; fi; \
	if ! $$found -c 'import venv, ensurepip' 2>/dev/null; then \
	  echo "make: $$found has no venv module; install it (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; fi; \
	echo "Creating $(VENV) with $$($$found --version)"; rm -rf $(VENV); $$found -m venv $(VENV)

$(DEV): requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo 'Installing the packages of requirements/dev.txt'
	@$(INSTALL) --require-hashes -r requirements/dev.txt
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $(DEV) $(RUNTIME)

$(RUNTIME): requirements/runtime.txt pyproject.toml | $(BIN)/python
	@echo 'Installing the packages of requirements/runtime.txt'
	@$(INSTALL) --require-hashes -r requirements/runtime.txt
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $(RUNTIME)

# The wheel's own environment: the same locked packages, the wheel in place of the checkout.
$(WHEEL)/.wheel: requirements/dev.txt pyproject.toml setup.py $(shell find pipelines -name '*.py') | $(DEV)
	@[ -x $(WHEEL)/bin/python ] || $(BIN)/python -m venv $(WHEEL)
	@echo 'Building the wheel, and installing it in $(WHEEL)'
	@$(WHEEL)/bin/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r requirements/dev.txt
	@rm -rf build $(WHEEL)/dist $(WHEEL)/suite; mkdir -p $(WHEEL)/suite; ln -s ../../tests ../../bench $(WHEEL)/suite
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w $(WHEEL)/dist .
	@$(WHEEL)/bin/python -m pip install --quiet --disable-pip-version-check --no-input --no-deps --force-reinstall $(WHEEL)/dist/*.whl
	@$(WHEEL)/bin/python -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "suite.pth").write_text("$(CURDIR)/$(WHEEL)/suite\n")'
	@touch $@

$(VENV)/.lock: requirements/lock.txt | $(BIN)/python
	@$(INSTALL) --require-hashes -r requirements/lock.txt
	@touch $@
