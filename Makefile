# make demo: the product at work on a small shop.  make test: the whole test suite.  make full: its long tests at full length.
# All set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test full lint bench clean

demo: $(VENV)/.demo
	@$(BIN)/python fixtures/run_demo.py

# manage.py processes are forked from one that has imported Django; with SCRIPTS_TRACKER_WARM=0 each starts by itself.
test: $(VENV)/.test
	SCRIPTS_TRACKER_WARM=$${SCRIPTS_TRACKER_WARM:-1} $(BIN)/python -X dev -m pytest -n auto --dist worksteal

# The long tests at full length, about an hour and a half on two cores: for a change of what they test. .ci/run does a tenth (LENGTH=0.1).
LENGTH ?= 1
LONG := SCRIPTS_TRACKER_FULL=$(LENGTH) SCRIPTS_TRACKER_MATRIX=1 SCRIPTS_TRACKER_WARM=1 $(BIN)/python
full: $(VENV)/.full
	$(LONG) -m tests.differential
	$(LONG) -m pytest -q -n auto --dist worksteal \
	  tests/analysis/fingerprint/test_fingerprint_properties.py tests/analysis/source/test_limits.py tests/analysis/diff tests/analysis/hostile \
	  tests/end_to_end/test_hostile_project.py tests/end_to_end/test_nothing_is_imported.py tests/end_to_end/test_build.py tests/reporting/test_charts.py
	# These wait more than they work.
	$(LONG) -m pytest -q -n 8 --dist worksteal tests/admin/test_admin_races.py $(addprefix tests/running/test_,$(addsuffix .py,\
	  races mixed_races sigkill takeovers held_scripts wrong_clocks lost_connections batch_kills))

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
	@test ! -f $(VENV) || rm $(VENV)  # tox leaves a file of this name that points to an environment of its own
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@touch $@

$(VENV)/.demo: $(VENV)/.pip pyproject.toml
	$(BIN)/python -m pip install --quiet --editable . "black>=26.1"
	@touch $@

$(VENV)/.test: $(VENV)/.pip pyproject.toml
	$(BIN)/python -m pip install --quiet --editable . --group test
	@touch $@

$(VENV)/.full: $(VENV)/.pip pyproject.toml
	$(BIN)/python -m pip install --quiet --editable . --group differential
	@touch $@

$(VENV)/.dev: $(VENV)/.pip pyproject.toml
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

clean:
	rm -rf $(VENV) .tox .demo
