# On a fresh machine (Python 3.11 or later) `make demo` and `make test` do all the set-up themselves.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
FOR ?= 60s
FULL ?=
AGENTS ?=
JOBS ?= 1000000
ROUNDS ?= 200
MINUTES ?= 60
SPEED ?= 10
THOROUGH ?= 5
BIN := .venv/bin
# A real broker and a real browser; each package is named like its command.
PACKAGES := mosquitto chromium
PACKAGES_FOR := the tests
PACKAGES_ELSE := , or run make test-fast
export PATH := $(PATH):/usr/sbin

.PHONY: help setup packages demo test test-fast lint format bench soak lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.ready ## prepare .venv from pinned versions (then .venv/bin/agent-sim works)

.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: agent-sim needs Python 3.11 or later; try: make PYTHON=python3.11 setup"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "error: no virtual environment could be made; on Debian: apt-get install python3-venv"; exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/agent-sim schema > scenarios/scenario.schema.json
	@touch $@

demo: setup ## the whole idea in a minute: fleet, storms, verdict (FOR=20s AGENTS=500 change its size)
	@$(BIN)/agent-sim run scenarios/demo.yaml --param for=$(FOR) $(if $(AGENTS),--param agents=$(AGENTS))

packages: ## install the Debian packages that the tests need, where missing (needs root)
	@for package in $(PACKAGES); do command -v $$package >/dev/null || missing="$$missing $$package"; done; \
	test -z "$$missing" && exit 0; \
	echo "installing:$$missing"; \
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; } \
	|| { echo "error: $(PACKAGES_FOR) need$$missing; install them$(PACKAGES_ELSE)"; exit 2; }

test: setup packages lint ## lint, types, import contracts and every test but those that soak runs
	$(BIN)/python -m pytest -m "not long" -n 4 --dist loadfile

test-fast: setup ## only the tests that need no real processes: seconds
	$(BIN)/python -m pytest -m "not slow and not long" -n auto

lint: setup ## ruff, mypy --strict, import-linter
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Fleets are measured beside wrk: `packages` has it installed as well. One bench that fails does not keep the others.
bench: PACKAGES += wrk
bench: PACKAGES_FOR := the benches
bench: PACKAGES_ELSE :=
BENCHES = requests replay digests server durable mqtt storms 'fleet $(FULL)' outcomes 'report $(if $(FULL),,--jobs 100000)' page
bench: setup packages ## ratios with a baseline in the same run; FULL=--full: the fleets that the aims are about. A missed aim is no failure
	@for bench in $(BENCHES); do $(BIN)/python -m tests.bench.$$bench || failed="$$failed $${bench%% *}"; done; \
	test -z "$$failed" || { echo "error: these benches failed, or what they count is not as it must be:$$failed"; exit 1; }

soak: setup ## the long tests: kill -9 under load, ROUNDS times; JOBS jobs under every fault; properties; MINUTES of a demo
	$(BIN)/python -m pytest -m long -n 2 --dist loadfile
	AGENT_SIM_THOROUGH=$(THOROUGH) $(BIN)/python -m pytest tests/contract/test_state_machine.py tests/contract/test_schemathesis.py tests/query
	$(BIN)/python -m tests.end_to_end.kills.rounds --rounds $(ROUNDS)
	$(BIN)/python -m tests.mutations.menu --jobs $(JOBS)
	$(BIN)/python -m tests.bench.fleet --only soak --minutes $(MINUTES)
	$(BIN)/python -m tests.end_to_end.demo_soak --minutes $(MINUTES) --speed $(SPEED)

lock: ## renew requirements.lock from pyproject.toml (needs pip-tools on PATH)
	pip-compile --quiet --extra dev --extra broker --extra otel --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  --strip-extras --allow-unsafe --output-file requirements.lock pyproject.toml

clean: ## remove what was made
	rm -rf .venv scenarios/scenario.schema.json runs build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
