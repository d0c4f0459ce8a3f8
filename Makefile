# Everything that is needed is set up in .venv; PYTHON names the interpreter that it is made from.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= 2

.PHONY: setup sensors demo test check format bench evaluate

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

# Suricata and tshark for the tests that run them, as packages of the distribution; needs root.
sensors:
	.ci/sensors

# Recorded logs through the whole pipeline: a table of alerts, and build/demo/alerts.ndjson.
demo: setup
	@mkdir -p build/demo
	@$(BIN)/aegis-enrich demo -o build/demo/alerts.ndjson

test: setup
	$(BIN)/pytest -n $(JOBS)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/aegis-enrich rules test

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# BENCH holds its options, such as BENCH="--only load --rows 5000000".
bench: setup
	$(BIN)/python tests/bench/bench.py $(BENCH)

# The figures and the page of detections anew; PUBLIC names a folder of public logs, else theirs stay as they were.
evaluate: setup
	$(BIN)/python docs/evaluate.py $(if $(PUBLIC),--public $(PUBLIC))
	$(BIN)/python docs/generate.py
