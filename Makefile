# Every target works from a fresh clone with Python 3.11 or newer, a C++20 compiler and make;
# everything else comes from PyPI into .venv, as much of it as the target needs.

PYTHON ?= python3
# What pip is told beside the name of PyTorch: an index, or a file to install it from.
TORCH ?=
VENV := .venv
BIN := $(VENV)/bin
# Bytecode is written for what is imported, not for all that is installed.
PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --no-compile -c constraints.txt
# No build isolation and a kept build directory: a rebuild compiles only what changed.
BUILD_OPTIONS := --no-build-isolation --config-settings=build-dir=build/{wheel_tag}
REQUIREMENTS := pyproject.toml constraints.txt
CXX_FILES = $(shell find src/gaussianimage/native tests benchmarks -name '*.h' -o -name '*.cpp')

.PHONY: help demo test test-core lint format core develop wheel clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 19

demo: core ## Encode and decode a photo; writes demo/side_by_side.png
	$(BIN)/python examples/demo.py

test: core $(VENV)/.test $(VENV)/.torch ## Run all tests; installs PyTorch
	$(BIN)/python -m pytest

test-core: core $(VENV)/.test ## Run all tests but those that need PyTorch
	$(BIN)/python -m pytest --without-torch

lint: core $(VENV)/.lint $(VENV)/.torch ## Check format, style and types; installs PyTorch for its types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)

format: $(VENV)/.lint ## Rewrite the sources in the house format
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CXX_FILES)

core: $(VENV)/.build ## Install the package in place; again after a change of C++
	$(PIP_INSTALL) --quiet $(BUILD_OPTIONS) -e .

develop: core $(VENV)/.test $(VENV)/.lint $(VENV)/.torch ## Install in place with all that work on the package takes

wheel: $(VENV)/.build ## Build a wheel into dist/
	$(BIN)/python -m pip --disable-pip-version-check --quiet wheel --no-deps $(BUILD_OPTIONS) -w dist .

clean: ## Remove everything that was built or installed here
	rm -rf $(VENV) build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis

# ------------------------------------------------------------------------------------------------

# What is installed for what. Each stands for a part of pyproject.toml and is made again whenever
# the requirements change, and if an install was cut short.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

# The build's own rule whether this machine's CMake will do, or one from PyPI is needed.
$(VENV)/.build: $(REQUIREMENTS) | $(BIN)/python
	$(PIP_INSTALL) --quiet scikit-build-core nanobind ninja
	$(PIP_INSTALL) --quiet ninja $$($(BIN)/python -c \
	  'import scikit_build_core.build as build; print(*build.get_requires_for_build_wheel())')
	@touch $@

# The package is installed by now, so these install its extras alone.
$(VENV)/.test: $(REQUIREMENTS) | core
	$(PIP_INSTALL) --quiet 'gaussianimage[test]'
	@touch $@

$(VENV)/.lint: $(REQUIREMENTS) | core
	$(PIP_INSTALL) --quiet 'gaussianimage[lint]'
	@touch $@

$(VENV)/.torch: $(REQUIREMENTS) | core
	@echo 'Installing PyTorch (a CPU build: 200 MB to download) and Triton (200 MB on Linux), unless'
	@echo 'they are here: gaussianimage.torch and gaussianimage.paper need them, their tests and mypy.'
	@echo 'Everything else is tested by `make test-core` without them. Where the index has only the'
	@echo 'build for CUDA (gigabytes on Linux), name another source of a CPU build:'
	@echo "  make $(or $(MAKECMDGOALS),develop) TORCH='--index-url URL'   (the URL: pytorch.org, Get Started, CPU)"
	@echo '  make $(or $(MAKECMDGOALS),develop) TORCH=path/to/torch.whl'
	$(PIP_INSTALL) $(TORCH) torch
	$(PIP_INSTALL) 'gaussianimage[torch]'
	@touch $@
