# make demo: the product at work on a small shop.  make test: the whole test suite.  make full: its long tests at full length.
# All set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test full coverage lint docs linkcheck bench lock dist installed release-check pictures clean

demo: $(VENV)/.demo
	@$(BIN)/python fixtures/run_demo.py

# manage.py processes are forked from one that has imported Django; with SCRIPTS_TRACKER_WARM=0 each starts by itself.
# The workers of pytest-xdist get the development mode of Python from the environment only; without its checks of C memory, as in tox.ini.
test: $(VENV)/.test
	PYTHONDEVMODE=1 PYTHONMALLOC=default SCRIPTS_TRACKER_WARM=$${SCRIPTS_TRACKER_WARM:-1} $(BIN)/python -m pytest -n auto --dist worksteal

# The long tests at full length, about an hour and a half on two cores: for a change of what they test. .ci/run does a tenth (LENGTH=0.1).
LENGTH ?= 1
LONG := SCRIPTS_TRACKER_FULL=$(LENGTH) SCRIPTS_TRACKER_MATRIX=1 SCRIPTS_TRACKER_WARM=1 $(BIN)/python
full: $(VENV)/.full
	$(LONG) -m tests.differential
	$(LONG) -m pytest -q -n auto --dist worksteal \
	  tests/analysis/fingerprint/test_fingerprint_properties.py tests/analysis/facts/test_skeleton.py tests/analysis/source/test_limits.py tests/analysis/diff tests/analysis/hostile \
	  tests/end_to_end/test_hostile_project.py tests/end_to_end/test_nothing_is_imported.py tests/end_to_end/test_build.py tests/reporting/test_charts.py
	# These wait more than they work.
	$(LONG) -m pytest -q -n 8 --dist worksteal tests/admin/test_admin_races.py $(addprefix tests/running/test_,$(addsuffix .py,\
	  races mixed_races sigkill takeovers held_scripts wrong_clocks lost_connections batch_kills))

# The suite on every kind of database, with branch coverage, which takes half as long again.
coverage: $(VENV)/.test
	SCRIPTS_TRACKER_WARM=1 SCRIPTS_TRACKER_MATRIX=1 $(BIN)/python -m pytest -q -n 4 --dist worksteal --cov --cov-report=term:skip-covered

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions action.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/idea.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.readthedocs .readthedocs.yaml
	$(BIN)/zizmor --offline --quiet --no-progress .

# The site, in docs/_build/html; every warning is an error, and so is a link to a page or a heading that is not there.
SPHINX = $(BIN)/python -m sphinx -q -W --keep-going -n -b
docs: $(VENV)/.docs
	$(SPHINX) html docs docs/_build/html

# Links to other sites, which needs a network. CI does it once a week.
linkcheck: $(VENV)/.docs
	$(SPHINX) linkcheck docs docs/_build/linkcheck

# What a check costs, against django-scripts-tracker and others; about a quarter of an hour on a machine with nothing else to do.
bench: $(VENV)/.demo
	$(BIN)/python -m benchmarks $(BENCH)

# The pictures of the docs, from the demo and from the admin in a browser. Look at them before you commit them.
pictures: $(VENV)/.dev
	$(BIN)/python -m tests.pictures

# The versions that CI tests with; Django and libcst are what it tests, so tox.ini says their versions.
lock: $(VENV)/.pip
	$(BIN)/python -m pip install --quiet --group ci
	{ echo "# What CI installs, made by: make lock"; $(BIN)/uv pip compile --quiet --universal --python-version 3.10 pyproject.toml \
	  $(addprefix --group ,dev docs release ci differential mysqlclient) --no-annotate --no-header \
	  $(addprefix --no-emit-package ,django libcst scripts-tracker); } > .ci/constraints.txt

# The wheel and the sdist, of what git knows.
dist: $(VENV)/.release
	rm -rf dist build/clone
	git clone --quiet . build/clone
	# The address of the project, if pyproject.toml names none (hatch_build.py).
	origin=$$(git config --get remote.origin.url); test -z "$$origin" || git -C build/clone remote set-url origin "$$origin"
	$(BIN)/python -m build --outdir dist build/clone
	$(BIN)/python -m twine check --strict dist/*

# The wheel and the sdist, each installed in an empty environment, on the oldest and the newest Python and Django; the tutorial is
# played from there.
installed: $(VENV)/.release
	SCRIPTS_TRACKER_FULL=$(LENGTH) $(BIN)/python -m pytest -q -n 2 tests/end_to_end/test_build.py

# What must hold before a release: TAG=v1.0.0 is the version, every address is known, the wheel and the sdist install on the oldest
# and the newest Python and Django and play the tutorial, the site is built.
release-check: dist
	$(BIN)/python -m tests.release_check $(TAG)
	$(BIN)/python -m pytest -q tests/test_release.py
	$(MAKE) installed docs

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

$(VENV)/.docs: $(VENV)/.pip pyproject.toml
	$(BIN)/python -m pip install --quiet --group docs
	@touch $@

$(VENV)/.release: $(VENV)/.pip pyproject.toml
	$(BIN)/python -m pip install --quiet --editable . --group release
	@touch $@

clean:
	rm -rf $(VENV) .tox .demo build dist docs/_build
