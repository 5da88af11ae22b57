# Two commands: make run, make test. The README shows their plain equivalents.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
# Compiled bytecode makes every start three times faster; what the caller's shell sets for a service is not for tests.
unexport PYTHONDONTWRITEBYTECODE
CLEAN = env $$(env | sed -n 's/^\(POCDIR_[A-Z_]*\)=.*/-u \1/p' | grep -v -e '-u POCDIR_TEST_' | tr '\n' ' ')

# Three processes, as browsers and servers are waited for, each with a PostgreSQL of its own and with files of its own as long
# as there are enough, so that what a file prepares is prepared once; one alone on a database that is given.
PYTEST = $(CLEAN) $(BIN)/python -m pytest -q --dist worksteal -n $(if $(POCDIR_TEST_DATABASE_URL),0,3)

.PHONY: run demo test test-long lint format bench pictures translations clean

run: $(VENV)/.run
	$(BIN)/pocdir up

demo: $(VENV)/.run
	$(BIN)/pocdir demo --up

test: $(VENV)/.test
	$(PYTEST) -m "not long"

test-long: $(VENV)/.test
	$(PYTEST)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit -q -r pocdir -c pyproject.toml

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.bench
	$(CLEAN) $(BIN)/python -m bench

pictures: $(VENV)/.test
	$(CLEAN) POCDIR_TEST_PICTURES=docs/images $(BIN)/python -m pytest -q tests/browser/test_demo.py

# Besides gettext's own calls: the sentence of a refusal, which the error page puts into the reader's language, and
# sentences that a rule leaves to whoever shows them.
REFUSALS = Phrase Invalid:2 Forbidden:2 NotFound:2 Conflict:2 Stale:2 Gone:2 TooMany:2 answer:3
translations: $(VENV)/.run
	mkdir -p build
	$(BIN)/pybabel -q extract -F pyproject.toml $(addprefix -k ,$(REFUSALS)) --add-location=file --sort-by-file \
		--project=pocdir -o build/messages.pot .
	$(BIN)/pybabel -q update --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date \
		-i build/messages.pot -d pocdir/translations
	$(BIN)/pybabel -q compile -d pocdir/translations

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

# Some systems ship Python without ensurepip: then the system's own pip fills the environment.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV) 2>/dev/null || $(PYTHON) -m venv --without-pip --clear $(VENV)

$(VENV)/.run: setup.cfg pyproject.toml | $(BIN)/python
	$(call install,-e .)
	touch $@

$(VENV)/.test: setup.cfg pyproject.toml | $(BIN)/python
	$(call install,-e '.[test]')
	touch $(VENV)/.run $@

$(VENV)/.bench: setup.cfg pyproject.toml | $(BIN)/python
	$(call install,-e '.[bench]')
	touch $(VENV)/.run $(VENV)/.test $@

$(VENV)/.dev: setup.cfg pyproject.toml | $(BIN)/python
	$(call install,-e '.[dev]')
	touch $(VENV)/.run $(VENV)/.test $@

define install
	@if [ -n "$(UV)" ]; then $(UV) pip install -q --compile-bytecode --python $(BIN)/python $(1); \
	elif $(BIN)/python -m pip --version >/dev/null 2>&1; then $(BIN)/python -m pip install -q --disable-pip-version-check $(1); \
	else $(PYTHON) -m pip --python $(BIN)/python install -q --disable-pip-version-check $(1); fi
endef
