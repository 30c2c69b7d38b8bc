# make demo: the product at work on a small shop.  make test: the whole test suite.  Both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint bench clean

demo: $(VENV)/.demo
	@$(BIN)/python fixtures/run_demo.py

# manage.py processes are forked from one that has imported Django; with SCRIPTS_TRACKER_WARM=0 each starts by itself.
test: $(VENV)/.test
	SCRIPTS_TRACKER_WARM=$${SCRIPTS_TRACKER_WARM:-1} $(BIN)/python -X dev -m pytest -n auto --dist worksteal

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# What a check costs, against django-scripts-tracker and others; about a quarter of an hour on a machine with nothing else to do.
bench: $(VENV)/.demo
	$(BIN)/python -m benchmarks $(BENCH)

# A recent pip, for dependency groups.
$(VENV)/.pip:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@touch $@

$(VENV)/.demo: $(VENV)/.pip pyproject.toml
	$(BIN)/python -m pip install --quiet --editable . "black>=26.1"
	@touch $@

$(VENV)/.test: $(VENV)/.pip pyproject.toml
	$(BIN)/python -m pip install --quiet --editable . --group test
	@touch $@

$(VENV)/.dev: $(VENV)/.pip pyproject.toml
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

clean:
	rm -rf $(VENV) .tox .demo
