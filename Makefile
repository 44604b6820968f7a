# Needs Python 3.11 or newer, and this. `make help` lists what there is.

PYTHON ?= python3
ARGS ?=
VENV := .venv
PIP := -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help setup demo test check pr clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' Makefile | awk -F ':.*## ' '{printf "make %-8s %s\n", $$1, $$2}'

setup: ## Set up everything that running takes, and nothing twice
	@$(MAKE) --silent --no-print-directory -j2 $(VENV)/.runtime .tools/cloud/.ready
	@$(VENV)/bin/python -m infra.cloud.build catalogues

demo: setup ## Run a whole meeting day on this machine; ARGS="--once --out DIR"
	@exec $(VENV)/bin/parcours demo $(ARGS)

test: setup $(VENV)/.dev ## Run the whole test suite; ARGS="-k sentence"
	$(VENV)/bin/python -m pytest --numprocesses auto --dist loadgroup $(ARGS)

check: setup $(VENV)/.dev ## Lint, types, and the template as written and as translated
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/python -m infra.cloud.lint

pr: check test ## Everything CI asks for, but the demo

clean: ## Remove what was set up and built
	rm -rf $(VENV) .tools .build *.egg-info

# Stamps: older than what they were made from means made again.
$(VENV)/.runtime: pyproject.toml
	@echo "Setting up $(VENV) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer, please: make PYTHON=…"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python $(PIP) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	@echo "Setting up the development tools …"
	@$(VENV)/bin/python $(PIP) --editable '.[dev]'
	@touch $@

.tools/cloud/.ready: infra/requirements-cloud.txt
	@echo "Setting up the embedded cloud …"
	@$(PYTHON) -m venv .tools/cloud
	@.tools/cloud/bin/python $(PIP) --requirement $<
	@touch $@
