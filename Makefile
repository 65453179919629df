# Targets for people and for CI; `make` alone lists them. Every target sets up what it needs.

# Your own settings (PYTHON, TOOTHWISE_DATA, TOOTHWISE_WEIGHTS, ...) may stand in local.mk, which git ignores.
-include local.mk

PYTHON ?= python3
VENV ?= .venv
BENCH ?= $(sort $(wildcard benchmarks/*.py))
SPEED := startup attention training inference
QUICK ?=
DEMO ?=
PYTEST ?=

BIN := $(VENV)/bin
READY := $(VENV)/.ready
DOCS_READY := $(VENV)/.ready-docs
comma := ,
# $(call install,WHAT): pip's own words go to a file, and are shown where it fails
install = $(BIN)/python -m pip --disable-pip-version-check install --no-input -c constraints.txt -e '$(1)' \
  > $(VENV)/pip.log 2>&1 || { tail -n 25 $(VENV)/pip.log >&2; echo "The whole log: $(VENV)/pip.log" >&2; exit 1; }

# Recordings and encoder weights are found beside the checkout unless the environment says where they are.
ifneq ($(wildcard ../shared/data),)
TOOTHWISE_DATA ?= $(abspath ../shared/data)
export TOOTHWISE_DATA
endif
ifneq ($(wildcard ../shared/weights),)
TOOTHWISE_WEIGHTS ?= $(abspath ../shared/weights)
export TOOTHWISE_WEIGHTS
endif

.PHONY: help setup demo test test-full lint bench bench-speed bench-all docs stranger paper clean
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(READY) ## only set up .venv (the other targets do it by themselves)

demo: $(READY) ## run the main job; report in runs/demo/ (DEMO="--seed 1" passes options)
	@$(BIN)/toothwise demo $(DEMO)

test: $(READY) ## run the tests (PYTEST="-k scan" passes options)
	@$(BIN)/python -m pytest -rs -m "not full" -n 2 --dist each $(PYTEST)

test-full: $(READY) ## run all tests, the long ones too
	@$(BIN)/python -m pytest -rs $(PYTEST)

lint: $(READY) ## check style, types and the order of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@PYTHONPATH= $(BIN)/lint-imports --no-cache --no-logo

bench: $(READY) ## quick benchmarks; ratios, and which moved by more than 20 % (QUICK="attention --strict" picks)
	@$(BIN)/python -W ignore benchmarks/quick $(QUICK)

bench-speed: $(READY) ## measure anew what docs/performance.md states (an idle machine; hours), and write the page
	@set -e; for name in $(SPEED); do echo "== $$name"; $(BIN)/python -W ignore benchmarks/$$name.py; done
	@$(BIN)/python -W ignore benchmarks/attention.py --quick --compile --output benchmarks/results/attention_compiled.json
	@$(BIN)/python -W ignore benchmarks/inference.py --threads 2
	@$(BIN)/python -W ignore benchmarks/quick --write
	@$(BIN)/python benchmarks/pages

bench-all: $(READY) ## all benchmarks, hours; results in benchmarks/results/ (BENCH=benchmarks/startup.py picks one)
	@set -e; for script in $(BENCH); do echo "== $$script"; $(BIN)/python $$script; done

docs: $(DOCS_READY) ## build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs --quiet build --strict && echo "Documentation: site/index.html"

stranger: $(READY) ## follow every page from new environments, as a newcomer does (half an hour)
	@$(BIN)/python benchmarks/stranger.py && $(BIN)/python benchmarks/pages

paper: $(READY) ## build the paper from the results: paper/main.pdf (needs latexmk)
	@$(BIN)/python paper/build.py

clean: ## remove .venv, caches and what was built (runs/ stays)
	@rm -rf $(VENV) site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# .ready is touched last and removed first: without it an install was interrupted, and the environment is made anew.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || \
	  { echo "toothwise needs Python 3.11, 3.12 or 3.13; $(PYTHON) is not: try make PYTHON=python3.11" >&2; exit 2; }
	@echo "Setting up $(VENV): about 8 GB of disk on Linux with PyTorch; some 3 minutes on a fast line"
	@if [ -f $@ ] && $(BIN)/python -c '' 2>/dev/null; then rm -f $@; else $(PYTHON) -m venv --clear $(VENV); fi
	@rm -f $(DOCS_READY)
	@$(call install,.[train$(comma)readers$(comma)lab$(comma)export$(comma)openvino$(comma)serve$(comma)fleet$(comma)dev])
	@touch $@

$(DOCS_READY): $(READY)
	@echo "Setting up the documentation tools: seconds"
	@$(call install,.[docs])
	@touch $@
