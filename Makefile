# The two commands of the README are `make demo` and `make test`; the others stand beside them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo install test test-slow lint bench bench-models browser clean
.DELETE_ON_ERROR:

demo: $(VENV)/core.installed            ## a simulated market, from raw minutes to live signals (core libraries only)
	$(BIN)/barsmith demo

install: $(VENV)/dev.installed          ## every extra, for the CPU

test: $(VENV)/dev.installed lint        ## everything that is not marked slow, lint, types and the architecture included
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

test-slow: $(VENV)/dev.installed browser ## what takes minutes; and the compiled kernels once more with their indices checked
	$(BIN)/python -m pytest -m slow
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=$(VENV)/numba-boundscheck $(BIN)/python -m pytest -q tests/features tests/conformance/test_features.py tests/labels tests/bars/test_ladder.py tests/bars/test_clocks.py -m "not slow and not real"

lint: $(VENV)/dev.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/bench.installed          ## peers side by side; writes bench/RESULTS.md
	$(BIN)/python bench/run.py

bench-models: $(VENV)/dev.installed     ## every model on a year, time and memory; writes bench/MODELS.md (some half an hour)
	$(BIN)/python bench/train_all.py

browser:                                ## Chromium, for the tests that look at a report as a reader does (Debian, Ubuntu)
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	  { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
	  echo "no Chromium here and none could be installed: the browser tests will fail and say so"

clean:
	rm -rf $(VENV) build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "barsmith needs Python 3.11 or newer: make PYTHON=python3.11 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/core.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/bench.installed: $(VENV)/dev.installed
	$(PIP) install --quiet --constraint constraints.txt --editable '.[bench]'
	@touch $@

$(VENV)/dev.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/core.installed
