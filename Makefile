# What a fresh clone can do: `make demo` trains a model and shows what it reached, `make test` runs every check.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt
# A run folder is never written over, so that each demo has one of its own.
DEMO := runs/demo-$(shell date +%Y%m%d-%H%M%S)

.PHONY: demo test lint clean

demo: $(VENV)/train.stamp
	$(BIN)/digitforge data mnist
	$(BIN)/digitforge train express --budget 60s --out $(DEMO)
	$(BIN)/digitforge generate $(DEMO) --count 100 --out $(DEMO).png
	$(BIN)/digitforge evaluate $(DEMO)

test: lint
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/%.stamp: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[$*]'
	touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("digitforge needs Python 3.11 or newer, and \
	$(PYTHON) is {}.{}: name another one, as in make PYTHON=python3.12".format(*sys.version_info))'
	$(PYTHON) -m venv $(VENV)
