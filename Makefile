# Everything a developer or CI does with this checkout; `make` alone lists it. Needs Debian or Ubuntu with make, git and python3:
# what else is missing gets installed (scripts/engine.sh, scripts/dev-env.sh).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# One thing after the other: the targets share a container engine and a virtual environment.
.NOTPARALLEL:

# The Debian release of the images.
SUITE ?= trixie
# The application that `make run` builds and starts.
APP ?= examples/django-polls
# How many files of image tests run at the same time; they wait more than they compute.
WORKERS ?= 3
export SUITE APP

BIN := .venv/bin
# Shell scripts are those that say so in their first line.
SHELL_SCRIPTS = $(shell grep --files-with-matches --recursive --max-count=1 --extended-regexp \
  '^(\#!.*[/ ](ba)?sh|\# shellcheck shell=)' scripts s2i src test/run .ci/run examples/*/.taxiway 2>/dev/null)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## build the sample application (or APP=FOLDER) with s2i and start it
	@scripts/run-sample.sh run

.PHONY: stop
stop: ## stop the sample application
	@scripts/run-sample.sh stop

.PHONY: engine
engine: ## find or install a container engine
	@scripts/engine.sh

.PHONY: images
images: engine ## builder and runtime image, as far as they are out of date
	@scripts/images.sh

.PHONY: s2i
s2i: ## get the s2i tool and print its path
	@scripts/s2i-tool.sh

.PHONY: dev-env
dev-env: ## .venv with the locked tools for lint and tests
	@scripts/dev-env.sh

.PHONY: lint
lint: dev-env ## check format, types and style of Python, shell and Dockerfile
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/mypy test/unit
	$(BIN)/shellcheck -x $(SHELL_SCRIPTS)
	$(BIN)/hadolint Dockerfile Dockerfile.onbuild

.PHONY: format
format: dev-env ## format the Python code and fix what can be fixed
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

.PHONY: unit
unit: dev-env ## tests without containers
	$(BIN)/pytest --timeout 120 test/unit

.PHONY: fuzz
fuzz: dev-env ## read 100,000 damaged images, some minutes; `make unit` reads 2,000
	AUDIT_MUTATIONS=100000 $(BIN)/pytest -k mutated test/unit/test_audit_hostile.py

.PHONY: image-test
image-test: dev-env images ## tests with real containers and the real s2i, and those of the laptop
	@type -P podman >/dev/null || { \
	  echo "error: the image tests need Podman; this machine has Docker alone" >&2; \
	  echo "       install podman with your package manager, then type make image-test again" >&2; \
	  exit 1; \
	}
	@scripts/s2i-tool.sh || [[ $$? -eq 3 ]]
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile --timeout 900 test/image test/local

.PHONY: local-test
local-test: dev-env ## tests of the laptop alone: real environments and servers, no containers
	$(BIN)/pytest --numprocesses $(WORKERS) --timeout 300 test/local

.PHONY: test
test: lint unit image-test ## everything that CI checks

.PHONY: bench
bench: dev-env images ## measure builds, starts and images
	$(BIN)/python benchmarks

.PHONY: lock
lock: dev-env ## pin requirements/*.in anew, with hashes
	@cd requirements && for input in *.in; do \
	  echo "requirements/$${input}"; \
	  ../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --no-emit-find-links -o "$${input%.in}.txt" "$${input}"; \
	done

.PHONY: clean
clean: ## stop what was started, and remove what was made in this checkout (images and the cache stay)
	@scripts/run-sample.sh stop
	@scripts/podman-api.sh stop
	@scripts/docker-engine.sh stop
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache
	find src test scripts examples benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
