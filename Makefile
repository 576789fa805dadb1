# Every target works from a fresh clone with Python 3.11 or newer, a C++20 compiler and make. A target
# installs all other packages that it needs into .venv.

PYTHON ?= python3
# Further arguments of pip for PyTorch: an index, or a file to install it from.
TORCH ?=
# The Pythons that `make wheel-check` builds wheels for; by default every python3.N that it finds.
PYTHONS ?=
# The platforms of `make cross-compile`, or the targets of `make fuzz`; all by default.
TARGETS ?=
# How long `make soak` takes.
MINUTES ?= 10
# Tests run in a process for each CPU, a file's tests in one process.
PARALLEL := --numprocesses auto --maxprocesses 8 --dist loadfile
VENV := .venv
BIN := $(VENV)/bin
# --no-compile: Python writes the bytecode of a module when it is imported first.
PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --no-compile -c constraints.txt
# Without build isolation and with a fixed build directory, a rebuild compiles only changed files.
BUILD_OPTIONS := --no-build-isolation --config-settings=build-dir=build/{wheel_tag}
REQUIREMENTS := pyproject.toml constraints.txt
# TypeScript checks the types that the comments of the JavaScript give.
TSC := npm exec --yes --package=typescript@7.0.2 -- tsc
CXX_FILES = $(shell find src/gaussianimage/native tests benchmarks conformance -name '*.h' -o -name '*.cpp')

.PHONY: help demo test test-core lint format core develop conformance soak docs docs-links wheel wheel-check cross-compile clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 19

demo: core ## Encode and decode a photo; writes demo/side_by_side.png and demo/viewer.html
	$(BIN)/python examples/demo.py

test: core $(VENV)/.test $(VENV)/.torch ## Run all tests; installs PyTorch
	$(BIN)/python -m pytest $(PARALLEL)

test-core: core $(VENV)/.test ## Run all tests but those that need PyTorch
	$(BIN)/python -m pytest $(PARALLEL) --without-torch

conformance: core ## Hold the decoders to the conformance suite of the format: native, plain, JavaScript
	for isa in baseline avx2 avx512; do \
	  ! $(BIN)/python -c "import sys; from gaussianimage import _native; \
	    sys.exit(not _native.select_instruction_set('$$isa'))" \
	  || { echo "native, $$isa:" && $(BIN)/python conformance/run.py --exact \
	    --server "$(BIN)/python conformance/decoders/native_decoder.py $$isa"; } || exit 1; \
	done
	@echo plain: && $(BIN)/python conformance/run.py \
	  --server '$(BIN)/python conformance/decoders/plain_decoder.py'
	@if command -v node >/dev/null; then echo JavaScript: && $(BIN)/python conformance/run.py \
	    --server 'node conformance/decoders/javascript_decoder.mjs' --without paper; \
	  else echo 'Node is not installed: the decoder in JavaScript is not tested.'; fi

soak: core ## Put the package under load for some time (MINUTES=10): threads, processes, memory
	$(BIN)/python tools/soak.py --minutes $(MINUTES)

lint: core $(VENV)/.lint $(VENV)/.torch ## Check format, style and types; installs PyTorch for its types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@if command -v npm >/dev/null; then $(TSC) --noEmit -p src/gaussianimage/web/gimg; \
	  else echo 'npm is not installed: the types of the JavaScript are not checked.'; fi
	$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)

format: $(VENV)/.lint ## Rewrite the sources in the house format
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CXX_FILES)

core: $(VENV)/.build ## Install the package in place; run it again after a change of C++
	$(PIP_INSTALL) --quiet $(BUILD_OPTIONS) -e .

develop: core $(VENV)/.test $(VENV)/.lint $(VENV)/.torch ## Install the package and all tools for its development

wheel: $(VENV)/.build ## Build a wheel into dist/
	$(BIN)/python -m pip --disable-pip-version-check --quiet wheel --no-deps $(BUILD_OPTIONS) -w dist .

docs: core $(VENV)/.docs $(VENV)/.torch ## Build the documentation site into build/site; every warning is an error; installs PyTorch
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs build/site

docs-links: core $(VENV)/.docs $(VENV)/.torch ## Ask for every external link of the site
	$(BIN)/python -m sphinx --quiet -D plot_gallery=False -b linkcheck docs build/links

wheel-check: core $(VENV)/.wheels ## Build the wheels into wheelhouse/, audit them, install and try each in a clean environment
	$(BIN)/python tools/check_wheel.py $(PYTHONS)

cross-compile: core $(VENV)/.wheels ## Compile the C++ sources for other platforms (TARGETS=windows-x86_64)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tools/cross_compile.py $(TARGETS)

.PHONY: fuzz sanitize
# How long `make fuzz` runs each target, and how many it runs at the same time.
SECONDS ?= 60
JOBS ?= 1
# The sanitizers of `make sanitize`: address (with undefined behavior), thread or memory.
KIND ?= address
CXX_FILES += $(shell find fuzz -name '*.h' -o -name '*.cpp')

fuzz: core $(VENV)/.test ## Fuzz every target for a minute (SECONDS=600 TARGETS="layer tiled" JOBS=2); needs Clang
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python fuzz/run.py fuzz --seconds $(SECONDS) --jobs $(JOBS) $(TARGETS)

sanitize: $(VENV)/.build ## Run the native tests under sanitizers (KIND=thread, memory; address by default); needs Clang
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python fuzz/run.py sanitize $(KIND)

clean: ## Remove everything that was built or installed here
	rm -rf $(VENV) build dist wheelhouse demo .pytest_cache .mypy_cache .ruff_cache .hypothesis

# ------------------------------------------------------------------------------------------------

# The packages for each purpose. Each of these targets installs a part of pyproject.toml. It runs again
# if the requirements have changed, or if an install was interrupted.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

# scikit-build-core decides whether this machine's CMake is new enough or pip must install one.
$(VENV)/.build: $(REQUIREMENTS) | $(BIN)/python
	$(PIP_INSTALL) --quiet scikit-build-core nanobind ninja
	$(PIP_INSTALL) --quiet ninja $$($(BIN)/python -c \
	  'import scikit_build_core.build as build; print(*build.get_requires_for_build_wheel())')
	@touch $@

# `core` has installed the package, so these targets install its extras alone.
$(VENV)/.test: $(REQUIREMENTS) | core
	$(PIP_INSTALL) --quiet 'gaussianimage[test]'
	@touch $@

$(VENV)/.lint: $(REQUIREMENTS) | core
	$(PIP_INSTALL) --quiet 'gaussianimage[lint]'
	@touch $@

$(VENV)/.docs: $(REQUIREMENTS) | core
	$(PIP_INSTALL) --quiet 'gaussianimage[docs]'
	@touch $@

$(VENV)/.wheels: $(REQUIREMENTS) | core
	$(PIP_INSTALL) --quiet 'gaussianimage[wheels]'
	@touch $@

$(VENV)/.torch: $(REQUIREMENTS) | core
	@echo 'Installing PyTorch (a CPU build: 200 MB to download) and Triton (200 MB on Linux), unless they'
	@echo 'are installed. gaussianimage.torch and gaussianimage.paper, their tests and mypy need them.'
	@echo '`make test-core` tests everything else without them. If the index has only the build for CUDA'
	@echo '(gigabytes on Linux), name another source of a CPU build:'
	@echo "  make $(or $(MAKECMDGOALS),develop) TORCH='--index-url URL'   (the URL of PyTorch's CPU builds)"
	@echo '  make $(or $(MAKECMDGOALS),develop) TORCH=path/to/torch.whl'
	$(PIP_INSTALL) $(TORCH) torch
	$(PIP_INSTALL) 'gaussianimage[torch]'
	@touch $@
