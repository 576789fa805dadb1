# Every target works from a fresh clone with Python 3.11 or newer, a C++20 compiler and make;
# everything else comes from PyPI into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help develop clean

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 14

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed (make PYTHON=...)")'
	$(PYTHON) -m venv $(VENV)

# The dependencies alone; the package itself is (re)built by `develop`.
$(VENV)/.dependencies: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet -c constraints.txt scikit-build-core nanobind cmake ninja
	$(PIP) install --quiet -c constraints.txt --no-build-isolation -C build-dir=build/{wheel_tag} -e '.[dev]'
	@touch $@

develop: $(VENV)/.dependencies ## Install in place, for work on the package; run again after a change of C++
	$(PIP) install --quiet --no-deps --no-build-isolation -C build-dir=build/{wheel_tag} -e .

clean: ## Remove everything that was built
	rm -rf $(VENV) build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
