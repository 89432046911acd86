# Curbside. `make help` prints what stands behind each `##`. ARGS= passes options on.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
ARGS ?=
PYTHON := .venv/bin/python
UV := $(shell command -v uv || echo .make/uv/bin/uv)
CURBSIDE := .venv/bin/curbside

.PHONY: help setup check test demo up up-kafka up-full bench audit chart chaos soak gpu-test

help: ## Print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ready ## Install everything into .venv, the exact versions of constraints.txt

# uv itself, where the machine has none: from the package index, by the system's Python.
.make/uv/bin/uv:
	@deploy/system-packages
	@for python in python3.11 python3; do \
	  $$python -c 'import ensurepip, venv' 2>/dev/null && $$python -m venv .make/uv && break; \
	done || { echo "curbside: no Python 3 here makes a virtual environment: install uv, then run make again." >&2; exit 2; }
	@.make/uv/bin/pip install --quiet --disable-pip-version-check uv

.venv/.ready: constraints.txt pyproject.toml | $(filter .make/%,$(UV))
	@deploy/system-packages
	@test -x $(PYTHON) || $(UV) venv --quiet --python 3.11 .venv
	@echo "installing the pinned packages (about 6 GB on disk: torch brings its CUDA libraries)"
	@$(UV) pip install --quiet --python $(PYTHON) --require-hashes -r constraints.txt
	@$(UV) pip install --quiet --python $(PYTHON) --no-deps --no-build-isolation -e .
	@touch $@
	@echo "ready: make demo, make test, or .venv/bin/curbside --help"

check: setup ## Format, lint, types, generated code, lock files: under a minute
	@.venv/bin/ruff format --check --quiet libs services tests benchmarks proto deploy
	@.venv/bin/ruff check --quiet libs services tests benchmarks proto deploy
	@$(PYTHON) proto/generate.py --check
	@.venv/bin/mypy
	@$(PYTHON) -m pytest tests/architecture $(ARGS)

test: setup ## Every test but chaos, which has its own target (ARGS="-n 0" in one process)
	@$(PYTHON) -m pytest tests --ignore=tests/chaos -n 2 --dist loadfile $(ARGS)

demo: setup ## The main job: reports in, an opinion out (ARGS=--exit stops the services at the end)
	@$(CURBSIDE) demo $(ARGS)

up: setup ## Every service on this machine, until Ctrl-C
	@$(CURBSIDE) up $(ARGS)

up-kafka: setup ## Apache Kafka on this machine, until Ctrl-C (9092 in plaintext, 9094 with TLS and password)
	@$(PYTHON) -m curbside.testing.servers.kafka $(ARGS)

up-full: setup ## As up, on Kafka, PostgreSQL and S3 of this machine, each service in a process of its own
	@$(CURBSIDE) up --full $(ARGS)

bench: setup ## Benchmarks; each prints a ratio against a named peer or limit (ARGS=--quick)
	@for benchmark in benchmarks/[a-z]*.py; do echo "== $$benchmark"; $(PYTHON) $$benchmark $(ARGS); done

audit: setup ## Known vulnerabilities of the pinned packages, and secrets in the tree
	@$(PYTHON) deploy/audit.py $(ARGS)

chart: setup ## Lint, render and strictly validate the Helm chart, the Dockerfile and skaffold.yaml
	@$(PYTHON) deploy/chart/validate.py $(ARGS)

chaos: setup ## Kill every process at random moments during ingestion; the ledger must stay whole
	@$(PYTHON) -m pytest tests/chaos $(ARGS)

soak: setup ## Keep posting reports for an hour (ARGS=--minutes=N), and watch memory and the ledger
	@$(PYTHON) tests/chaos/soak.py $(ARGS)

gpu-test: setup ## The fine-tuning tests on a GPU, where there is one
	@$(PYTHON) -m pytest tests/unit/test_finetune.py --gpu $(ARGS)
