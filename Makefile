# Every target works from a fresh clone with Python 3.11 or newer, a C++20 compiler and make;
# everything else comes from PyPI into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# No build isolation and a kept build directory: a rebuild compiles only what changed.
INSTALL := $(PIP) install -c constraints.txt --no-build-isolation --config-settings=build-dir=build/{wheel_tag}
CXX_FILES = $(wildcard src/gaussianimage/native/*.h src/gaussianimage/native/*.cpp \
	tests/native/*.cpp benchmarks/*.cpp)

.PHONY: help demo test lint format develop wheel clean

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

demo: develop ## Encode and decode a photo; writes demo/side_by_side.png
	$(BIN)/python examples/demo.py

test: develop ## Run all tests
	$(BIN)/python -m pytest

lint: $(VENV)/.dependencies ## Check format, style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)

format: $(VENV)/.dependencies ## Rewrite the sources in the house format
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CXX_FILES)

develop: $(VENV)/.dependencies ## Install in place, for work on the package; again after a change of C++
	$(INSTALL) --no-deps -e .

wheel: $(VENV)/.dependencies ## Build a wheel into dist/
	$(PIP) wheel --no-deps --no-build-isolation --config-settings=build-dir=build/{wheel_tag} -w dist .

clean: ## Remove everything that was built or installed here
	rm -rf $(VENV) build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis

# ------------------------------------------------------------------------------------------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

# Again whenever the requirements change, and if an install was cut short.
$(VENV)/.dependencies: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt scikit-build-core nanobind cmake ninja
	$(INSTALL) -e '.[dev]'
	@touch $@
