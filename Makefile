# Two commands: `make demo` and `make test`. Both make the environment first, from pyproject.toml alone.
# Needed: python3 (3.11 or newer), make, and a network that reaches PyPI and Maven Central.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DEMO   ?= demo-$(shell date +%Y%m%d-%H%M%S)

.PHONY: demo test faults java-faults bench wheel env display lint clean

demo: env
	$(BIN)/fibsem-ij demo $(DEMO)

test: env display lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

# What can go wrong, tried in full, as one table, which benchmarks/results/faults.md keeps. FAULTS is how many runs are killed.
FAULTS ?= 20
faults: env
	FIBSEM_IJ_FAULTS=$(FAULTS) $(BIN)/python -m pytest -m fault

# Java that dies, hangs or fills its heap in mid-call, in 20 runs.
java-faults: env
	$(BIN)/python benchmarks/java_faults.py

# All benchmarks side by side with their peers, into benchmarks/RESULTS.md: small, or with FULL=1 as a whole.
bench: env
	$(BIN)/python benchmarks/bench.py $(if $(FULL),--full)

# The wheel in an environment of its own, away from the sources: it installs, its doctor finds all it needs, its demo tells its story.
WHEEL := build/wheel
wheel:
	rm -rf $(WHEEL)
	$(PYTHON) -m venv $(WHEEL)/env
	$(WHEEL)/env/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(WHEEL)/env/bin/python -m pip wheel --quiet --no-deps --wheel-dir $(WHEEL) .
	$(WHEEL)/env/bin/python -m pip install --quiet $(WHEEL)/*.whl
	cd $(WHEEL) && export PYTHONPATH= && env/bin/fibsem-ij doctor && env/bin/fibsem-ij recipes && env/bin/fibsem-ij demo demo --minutes 0.2

lint: env
	$(BIN)/ruff check .
	$(BIN)/mypy

env: $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "fibsem_ij needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) --version 2>&1); say which with: make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3 cannot make an environment; on Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $(READY)

# The display tests want a screen that nobody sees, and a browser for the report. Installed where that can be done without asking;
# elsewhere the tests themselves say why they are skipped (and fail when CI=true).
display:
	@if { command -v Xvfb && { command -v chromium || command -v google-chrome; }; } >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then exit 0; fi; \
	 if [ "$$(id -u)" = 0 ]; then as=; elif sudo -n true 2>/dev/null; then as="sudo -n"; else echo "Xvfb and Chromium are not both installed and cannot be without a password"; exit 0; fi; \
	 echo "Installing Xvfb, Mesa and Chromium for the display tests"; \
	 { $$as apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$as apt-get install -y -qq --no-install-recommends \
	   xvfb fontconfig libfreetype6 libxext6 libxi6 libxrender1 libxtst6 libegl1 libgl1-mesa-dri chromium; } >/dev/null 2>&1 || echo "Not all of them could be installed"

clean:
	rm -rf $(VENV) demo-* build .mypy_cache .pytest_cache .ruff_cache .hypothesis
