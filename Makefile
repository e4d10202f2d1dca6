# `make demo` and `make up` need nothing but Python 3.11 or newer; each target sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo up test test-system check bench chaos fuzz

demo: $(READY)
	$(BIN)/columnline demo

up: $(READY)
	$(BIN)/columnline up

test: $(READY)
	$(BIN)/pytest -n 6

# With BROKER=rabbitmq, one that runs here; with POOLER=transaction, through a pgbouncer.
test-system: $(READY)
	TEST_BROKER=$(or $(BROKER),redis) TEST_POOLER=$(POOLER) $(BIN)/pytest -n 6 tests/system

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m tests.supply.licences
	$(BIN)/python -m tests.supply.audit requirements-dev.txt

bench: $(READY)
	$(BIN)/python -m tests.bench --json build/bench.json --plots build

# Two minutes, or SECONDS; another seed each time, or SEED; PAUSES=3: fewer faults for more runs.
chaos: $(READY)
	$(BIN)/python -m tests.chaos $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(if $(RUNS),--runs $(RUNS)) \
	  $(if $(PAUSES),--pauses $(PAUSES))

# A minute, or SECONDS: outputs that a fuzzer makes of real ones, guided by the code that each one reaches.
fuzz: $(READY)
	$(BIN)/python -m tests.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

$(READY): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; choose one: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "Setting up $(VENV), once; this takes about a minute"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	PYTHONWARNINGS='ignore:Editable installation' $(BIN)/pip install --quiet --disable-pip-version-check --no-deps \
	  --no-build-isolation --editable .
	@touch $@
