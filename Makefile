# Everything a person does in this checkout. `make` alone lists the targets.
#
# Each target does all its own set-up. Nothing but a supported Python is needed; name another with
# `make PYTHON=python3.13 …`.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed
T ?=
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup run test check format fuzz bench interop soak chaos docs verifier lock clean
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(firstword $(MAKEFILE_LIST)) | awk -F ':.*## ' '{ printf "  make %-10s %s\n", $$1, $$2 }'

setup: $(STAMP) ## create .venv with everything, as locked

$(STAMP): requirements-dev.txt setup.py
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	  || { echo "Python 3.11, 3.12 or 3.13 is needed; '$(PYTHON)' is another. Say: make PYTHON=python3.13 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' \
	  || { echo "This Python lacks venv or ensurepip (on Debian: apt-get install python3-venv)." >&2; exit 1; }
	@version='import sys; print(sys.version_info[:2])'; \
	  wanted=$$($(PYTHON) -c "$$version"); found=$$($(BIN)/python -c "$$version" 2>/dev/null || echo none); \
	  $(PYTHON) -m venv $$([ "$$found" = "$$wanted" ] || echo --clear) $(VENV)
	@echo "Installing into $(VENV), as locked with hashes; this takes a minute the first time."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q alembic api archive_core policies signing storage_backends tests
	@touch $(STAMP)

run: setup ## start the server on http://127.0.0.1:8080 (home: archive-home); ARGS="--port 9000"
	@$(BIN)/trusted-archive init
	@exec $(BIN)/trusted-archive serve $(ARGS)

test: setup ## run the tests; T=tests/unit for a part, SLOW=1 for the slow ones too
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(if $(SLOW),--slow) $(T)

check: setup ## format, lint, types, imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

fuzz: setup ## fuzz every parser for SECONDS=20 each, or ARGS="TARGET --seconds 600"; atheris where there is a wheel
	$(BIN)/python -m tests.fuzz $(or $(ARGS),all --seconds $(or $(SECONDS),20))

interop: setup ## let programs that are not ours judge what we write (installs them: apt, Maven)
	tests/interop/install.sh
	$(BIN)/python -m pytest -m interop --slow tests

bench: setup ## measure throughput beside restic, bagit and bare loops, some 40 minutes; ARGS="a f --rounds 5" for a part
	$(BIN)/python -m benchmarks $(ARGS)

soak: setup ## every fault at every step, for hours; STRIDE=20 for each 20th case, T=tests/lifetimes/test_crash_power.py
	SOAK_STRIDE=$(STRIDE) $(BIN)/python -m pytest -n $(WORKERS) --soak -m soak $(or $(T),tests)

chaos: setup ## everybody at work while processes die, bytes rot and S3 goes away; SECONDS=3600, ARGS="--seed 7 --report r.json"
	$(BIN)/python -m tests.soak.chaos --seconds $(or $(SECONDS),180) $(ARGS)

docs: setup ## build the documentation as a site, build/site/index.html
	$(BIN)/python tools/configuration_page.py
	$(BIN)/python tools/problem_page.py
	$(BIN)/mkdocs build --strict --quiet

verifier: setup ## build dist/trusted-archive-verify.pyz, the verifier that needs no server
	$(BIN)/python tools/build_verifier.py

lock: setup ## resolve requirements*.in again into hashed locks
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --custom-compile-command "make lock" requirements.in -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --custom-compile-command "make lock" -c requirements.txt requirements-dev.in \
	  -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --custom-compile-command "make lock" benchmarks/requirements.in -o benchmarks/requirements.txt

clean: ## remove what was built, but no environment and no archive
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
