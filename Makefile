# The one entry: what a person runs is what the robots run. Everything works twice, as root and as an ordinary user.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-chaos bench lint format lock

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make .venv from requirements/dev.txt (PYTHON=python3.13 chooses the interpreter)
	@scripts/setup.sh

demo: ## show Bandstand at work: no agent, no key and no account needed
	@scripts/setup.sh sandbox
	@.venv/bin/band demo

test: ## the gate: every lint and every test
	@scripts/setup.sh sandbox
	@scripts/check.sh lint tests

test-fast: ## all tests but the end-to-end ones and those with real agents (ARGS="-k name" goes to pytest)
	@scripts/setup.sh sandbox
	@scripts/check.sh tests-fast $(ARGS)

test-chaos: ## every fault at every point of the main job: about half an hour (ARGS="-k name"; ARGS=--page keeps the table)
	@scripts/setup.sh sandbox
	@scripts/check.sh tests-chaos $(ARGS)

bench: ## measure the figures, each beside its floor (ARGS="NAME … --json FILE" chooses, and keeps what was found)
	@scripts/setup.sh sandbox
	@.venv/bin/python -m benchmarks $(ARGS)

lint: ## ruff, mypy and the floor plan
	@scripts/setup.sh
	@scripts/check.sh lint

format: ## let ruff put the code in order
	@scripts/setup.sh
	@.venv/bin/ruff check --fix-only --quiet .
	@.venv/bin/ruff format .

lock: ## write requirements/*.txt anew from pyproject.toml (UPGRADE=1 raises every version)
	@scripts/lock.sh $(if $(UPGRADE),--upgrade)
