# Two commands for a newcomer: `make nightly` and `make test`. Needs python3 (3.11 or later), make
# and a package index; the system's Python is left alone.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := .tools/bin/uv
UV_VERSION := 0.13.9
NAME ?=
KILLS ?= 16
SEED ?=
export PATH := $(CURDIR)/$(BIN):$(PATH)
# A machine may forbid bytecode; without it every start is seconds slower.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help nightly test check exhaustive chaos airflow cluster bench lint format types imports docs lock sbom audit clean

help: ## Show this list.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

nightly: $(VENV)/.runtime ## Set up, run tonight's DAGs for the default city, print a summary. ARGS="--date 2026-11-20 --city FILE"
	@qala nightly $(ARGS)

test: $(VENV)/.dev ## Everything that CI runs.
	@scripts/test

check: $(VENV)/.dev lint types imports ## Format, lint, types, imports and the fast tests.
	@python -m pytest -q -n 2 -m "not slow and not airflow and not live" -p no:cacheprovider

exhaustive: $(VENV)/.dev ## The long forms of tests of which `make test` runs a short one.
	@python -m pytest -q -n 2 -m exhaustive -p no:cacheprovider

chaos: $(VENV)/.dev ## Kill toy nights and compare what comes of them. KILLS=100 SEED=7
	@python -m tests.chaos --kills $(KILLS) $(if $(SEED),--seed $(SEED))

airflow: $(VENV)/.runtime ## Start the real scheduler and UI on loopback.
	@python scripts/airflow_server.py

cluster: $(VENV)/.dev ## A night on PostgreSQL, Redis, S3 and Celery workers. ARGS="--date 2026-11-20 --workers 2 --keep"
	@python -m scripts.cluster $(ARGS)

bench: $(VENV)/.dev ## Run the benchmarks, or one: make bench NAME=trip_stats
	@python -m benchmarks $(NAME)

docs: $(VENV)/.dev ## Write the generated pages again.
	@python -m pipelines.feed_report.rules_page docs/feed-rules.md
	@python -m pipelines.drop_in_schemas docs/schemas/vehicles.schema.json
	@python -m pipelines.dictionary_page docs/dictionary.html
	@python -m pipelines.extract_schemas
	@python -m pipelines.open_tables sql/roles/open_tables.sql

sbom: $(VENV)/.dev ## Write sbom.json, the list of all parts of production (CycloneDX).
	@python -m scripts.parts requirements/production.lock sbom.json

audit: $(VENV)/.dev ## Ask the public database of vulnerabilities about the locks. Needs a network.
	@scripts/audit

lint: $(VENV)/.dev
	@ruff format --check .
	@ruff check .

format: $(VENV)/.dev ## Format and mend what can be mended.
	@ruff format .
	@ruff check --fix .

types: $(VENV)/.dev
	@mypy

imports: $(VENV)/.dev
	@lint-imports

lock: $(UV) ## Compile the locks again (hashes, no addresses).
	$(UV) pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 pyproject.toml --extra build -o requirements/runtime.lock
	$(UV) pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 pyproject.toml --extra build --extra production --extra dev -c requirements/runtime.lock -o requirements/dev.lock
	$(UV) pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 pyproject.toml --extra build --extra production -c requirements/runtime.lock -o requirements/production.lock

clean: ## Remove the environment and tools; data stays.
	rm -rf $(VENV) .tools

$(UV):
	@echo "Fetching uv $(UV_VERSION) ..."
	@$(PYTHON) -m venv .tools
	@.tools/bin/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION)

# One environment for both locks: the development lock holds the runtime lock's versions, so once it
# is installed it stays.
$(VENV)/.runtime: requirements/runtime.lock pyproject.toml | $(UV)
	@scripts/install $(if $(wildcard $(VENV)/.dev),dev,runtime)

$(VENV)/.dev: requirements/dev.lock pyproject.toml | $(UV)
	@scripts/install dev
