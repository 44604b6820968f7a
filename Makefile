# Needs Python 3.11 or newer, and this. `make help` lists what there is.

PYTHON ?= python3
ARGS ?=
VENV := .venv
PIP := -m pip install --quiet --disable-pip-version-check
PINS := infra/constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup demo test check pr pins clean

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

pins: ## Pin the newest versions that the ranges allow; run `make pr` afterwards
	rm -rf .build/pins
	$(PYTHON) -m venv .build/pins
	grep -v '^-c' infra/requirements-cloud.txt > .build/pins/requirements.txt
	.build/pins/bin/python $(PIP) --editable '.[dev]' --requirement .build/pins/requirements.txt
	grep '^#' $(PINS) > .build/pins/constraints.txt
	.build/pins/bin/python -m pip freeze --exclude-editable \
	  | awk -F== '{ name = tolower($$1); gsub(/[-_.]+/, "-", name); print name "==" $$2 }' | sort >> .build/pins/constraints.txt
	mv .build/pins/constraints.txt $(PINS)

clean: ## Remove what was set up and built
	rm -rf $(VENV) .tools .build build *.egg-info

# Stamps: older than what they were made from means made again.
$(VENV)/.runtime: pyproject.toml $(PINS)
	@echo "Setting up $(VENV): 30 packages, a minute or two, once …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer, please: make PYTHON=…"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python $(PIP) --editable '.[setup]' --constraint infra/constraints.txt
	@echo "… $(VENV) is ready"
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	@echo "Setting up the development tools: 70 packages, a minute or two, once …"
	@$(VENV)/bin/python $(PIP) --editable '.[dev]' --constraint infra/constraints.txt
	@echo "… $(VENV) is ready"
	@touch $@

.tools/cloud/.ready: infra/requirements-cloud.txt $(PINS)
	@echo "Setting up the embedded cloud: 30 packages, a minute or two, once …"
	@$(PYTHON) -m venv .tools/cloud
	@.tools/cloud/bin/python $(PIP) --requirement $<
	@echo "… .tools/cloud is ready"
	@touch $@
