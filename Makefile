# F1PA on this machine. `make` lists what there is. Run it in the checkout, or with -C.

PYTHON ?= python3
# `make VENV=/path up` uses a virtual environment that is there already, as it is.
OWN_VENV := $(if $(filter undefined,$(origin VENV)),yes)
VENV ?= .venv
ifneq ($(OWN_VENV),yes)
$(if $(wildcard $(VENV)/bin/python),,$(error VENV=$(VENV) has no bin/python))
endif
DATASET ?=

# `make -C` has changed the folder (and says so by its option w); $(PWD) is then the caller's.
CALLED_FROM := $(if $(findstring w,$(firstword -$(MAKEFLAGS))),$(PWD),$(CURDIR))
ABSOLUTE_DATASET = $(if $(DATASET),$(if $(filter /%,$(DATASET)),$(DATASET),$(CALLED_FROM)/$(DATASET)))
BIN = $(VENV)/bin
INSTALLED = $(if $(OWN_VENV),$(VENV)/.f1pa-installed)
STATE = $(or $(F1PA_STATE_DIR),.f1pa)
# embedded, or docker for compose.yaml.
RUNTIME ?= embedded
$(if $(filter embedded docker,$(RUNTIME)),,$(error RUNTIME is embedded or docker, not $(RUNTIME)))
STACK = "$(BIN)/python" -m deploy.$(RUNTIME)
# For what is of no use before the first installation, and shouldn't cause it.
IF_INSTALLED = test -e "$(or $(INSTALLED),$(BIN)/python)" || { echo "nothing is installed in $(VENV) yet; run make up"; exit $(1); };

MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help
.PHONY: help up down restart status logs train evaluate replay drift traffic test drill containers quiet lint bench check clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

up: $(INSTALLED) ## Start everything and wait until it is ready (DATASET=laps.csv.gz loads that file, RUNTIME=docker uses containers)
	@$(STACK) up --dataset "$(ABSOLUTE_DATASET)"

down: ## Stop everything, keep the data
	@$(call IF_INSTALLED,0) $(STACK) down

restart: $(INSTALLED) ## Stop everything, then start it
	@$(STACK) restart

status: ## Show every service; fails unless all are healthy
	@$(call IF_INSTALLED,1) $(STACK) status

logs: ## Show the last lines of all logs (SERVICE=api shows one, FOLLOW=1 goes on)
	@$(call IF_INSTALLED,1) $(STACK) logs $(SERVICE) $(if $(FOLLOW),--follow)

train: $(INSTALLED) ## Train a model on the loaded laps and promote it if it is better
	@$(STACK) pipeline train

evaluate: $(INSTALLED) ## Judge the model under four protocols (CARD=file writes the model card)
	@$(STACK) pipeline evaluate $(if $(CARD),--card "$(abspath $(CARD))")

replay: $(INSTALLED) ## Send a stored race through the API lap by lap (SESSION=key)
	@$(if $(SESSION),,echo "which race? make replay SESSION=key; /data/sessions lists them" >&2; exit 2;) \
	  $(STACK) pipeline replay --session $(SESSION) --output "$(STATE)/replays/$(SESSION).png"

drift: $(INSTALLED) ## Compare the predictions of the last 24 h with what the model learned (SINCE=7d)
	@$(STACK) drift report --since $(or $(SINCE),24h)

traffic: $(INSTALLED) ## Send predictions to the running API
	@$(STACK) pipeline traffic

test: $(INSTALLED) ## Run the tests, all but the drills and those of containers
	@"$(BIN)/pytest" -n 3 --dist loadgroup -m "not drill and not container" tests

drill: $(INSTALLED) ## Make alerts fire on a stack of its own, with shortened durations
	@"$(BIN)/pytest" -s -m drill tests/drills

containers: $(INSTALLED) ## Run the stack of compose.yaml and its tests (docs/containers.md)
	@"$(BIN)/pytest" -s -m container tests/containers

quiet: $(INSTALLED) ## Ten minutes of healthy traffic and small troubles, in which no alert may fire
	@"$(BIN)/python" -m benchmarks.quiet_run $(if $(MINUTES),--minutes $(MINUTES))

lint: $(INSTALLED) ## Check style, types and import directions
	@"$(BIN)/ruff" check . && "$(BIN)/ruff" format --check . && "$(BIN)/mypy" && "$(BIN)/lint-imports"

bench: $(INSTALLED) ## Measure speed, also of other servers (QUICK=1: of ours alone)
	@"$(BIN)/python" -m benchmarks.score_row
	@"$(BIN)/python" -m benchmarks.metric_writes
	@"$(BIN)/python" -m benchmarks.prediction_log $(if $(QUICK),--rounds 2 --seconds 1)
	@$(if $(QUICK),,"$(BIN)/python" -m benchmarks.metric_scrapes)
	@"$(BIN)/python" -m benchmarks.serving $(if $(QUICK),--only flask --only flask-loop --only f1pa --rounds 3 --seconds 1)

check: lint test ## Everything that must hold before a commit

clean: ## Stop everything and delete all data (asks first; YES=1 doesn't)
	@$(call IF_INSTALLED,0) $(STACK) clean $(if $(YES),--yes)

# The lock names every package, so pip resolves nothing (it would also ask for a hash of `pandas[parquet]`,
# which evidently requires beside the locked pandas).
$(VENV)/.f1pa-installed: requirements.lock setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "F1PA needs Python 3.11 or newer as $(PYTHON); set PYTHON, e.g. make PYTHON=python3.12 up" >&2; exit 1; }
	@echo "... installing the locked packages into $(VENV) (once; it takes some minutes)"
	@$(PYTHON) -m venv "$(VENV)" >&2 \
	  || { echo "$(PYTHON) can't make $(VENV); on Debian the package python3-venv is missing" >&2; exit 1; }
	@"$(BIN)/python" -m pip install -qq --disable-pip-version-check --require-hashes --no-deps -r requirements.lock \
	  && "$(BIN)/python" -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e . \
	  || { echo "pip could not install the locked packages into $(VENV)" >&2; exit 1; }
	@touch "$@"
