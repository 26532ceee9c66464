# F1PA on this machine. `make` lists what there is.

PYTHON ?= python3
# `make VENV=/path up` uses a virtual environment that is there already, as it is.
OWN_VENV := $(if $(filter undefined,$(origin VENV)),yes)
VENV ?= $(ROOT).venv
DATASET ?=

ROOT := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
# `make -C` has changed the folder (and says so by its option w); $(PWD) is then the caller's.
CALLED_FROM := $(if $(findstring w,$(firstword -$(MAKEFLAGS))),$(PWD),$(CURDIR))
BIN = $(VENV)/bin
INSTALLED = $(if $(OWN_VENV),$(VENV)/.f1pa-installed)
STACK = cd "$(ROOT)" && exec "$(abspath $(BIN))/python" -m deploy.embedded
ABSOLUTE_DATASET = $(if $(DATASET),$(if $(filter /%,$(DATASET)),$(DATASET),$(CALLED_FROM)/$(DATASET)))

MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help
.PHONY: help up down restart status logs train traffic test lint check clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' "$(ROOT)Makefile"

up: $(INSTALLED) ## Start everything and wait until it is ready (DATASET=laps.csv.gz loads that file)
	@$(STACK) up --dataset "$(ABSOLUTE_DATASET)"

down: $(INSTALLED) ## Stop everything, keep the data
	@$(STACK) down

restart: $(INSTALLED) ## Stop everything, then start it
	@$(STACK) restart

status: $(INSTALLED) ## Show every service; fails unless all are healthy
	@$(STACK) status

logs: $(INSTALLED) ## Show the last lines of all logs (SERVICE=api shows one, FOLLOW=1 goes on)
	@$(STACK) logs $(SERVICE) $(if $(FOLLOW),--follow)

train: $(INSTALLED) ## Train a model on the loaded laps and promote it if it is better
	@$(STACK) pipeline train

traffic: $(INSTALLED) ## Send predictions to the running API
	@$(STACK) pipeline traffic

test: $(INSTALLED) ## Run the tests
	@cd "$(ROOT)" && "$(abspath $(BIN))/pytest" -n 2 tests

lint: $(INSTALLED) ## Check style, types and import directions
	@cd "$(ROOT)" && PATH="$(abspath $(BIN)):$$PATH" && ruff check . && ruff format --check . && mypy && lint-imports

check: lint test ## Everything that must hold before a commit

clean: $(INSTALLED) ## Stop everything and delete all data (asks first; YES=1 doesn't)
	@$(STACK) clean $(if $(YES),--yes)

$(VENV)/.f1pa-installed: $(ROOT)requirements.lock $(ROOT)setup.cfg $(ROOT)pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "F1PA needs Python 3.11 or newer as $(PYTHON); set PYTHON, e.g. make PYTHON=python3.12 up" >&2; exit 1; }
	@echo "... installing the locked packages into $(VENV) (once; it takes some minutes)"
	@$(PYTHON) -m venv "$(VENV)" >&2 \
	  || { echo "$(PYTHON) can't make $(VENV); on Debian the package python3-venv is missing" >&2; exit 1; }
	@cd "$(ROOT)" && "$(abspath $(BIN))/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock \
	  && "$(abspath $(BIN))/python" -m pip install --quiet --disable-pip-version-check --no-deps -e . \
	  || { echo "pip could not install the locked packages into $(VENV)" >&2; exit 1; }
	@touch "$@"
