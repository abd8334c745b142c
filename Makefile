# Two commands on a machine with Python 3.11, pip and make: `make audit` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
DATA ?= data
UV := $(shell command -v uv)
# a night and the suite start dozens of processes: what they import is compiled once, and not by each of them
unexport PYTHONDONTWRITEBYTECODE

.PHONY: audit test lint types docs bench clean

audit: $(VENV)/.installed
	@$(BIN)/hubfit nightly --source snapshot --data $(DATA)

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/mypy

docs: $(VENV)/.installed-test
	$(BIN)/hubfit run --source snapshot --model openai-community/gpt2 --data build/docs
	$(BIN)/python docs/generate.py build/docs/published/latest/hubfit.duckdb
	$(BIN)/python docs/diagram.py build/docs/published/latest/hubfit.duckdb
	$(BIN)/python docs/coverage.py

bench: $(VENV)/.installed-test
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "installing into $(VENV) …"
ifdef UV
	@test -x $(BIN)/python || uv venv --quiet --python $(PYTHON) $(VENV)
	@uv pip install --quiet --python $(BIN)/python -c constraints.txt -e .
else
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
endif
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
ifdef UV
	@uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[test,lint]'
else
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,lint]'
endif
	@touch $@

clean:
	rm -rf $(VENV) $(DATA) .pytest_cache .mypy_cache .ruff_cache .hypothesis
