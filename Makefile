# Everything that is needed is set up in .venv; PYTHON names the interpreter that it is made from.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= 3

.PHONY: setup sensors demo test check format bench evaluate spark chaos fuzz kills

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

# Kills of a running watch, while its disk, its server and its logs fail too: `make chaos COUNT=1000 SEED=1`.
chaos: setup
	@PYTHONPATH=tests $(BIN)/python -m chaos --count $(or $(COUNT),200) --seed $(or $(SEED),1) $(CHAOS)

# Every detector and derived table on Spark beside DuckDB; needs Java.
spark: setup
	AEGIS_SPARK=1 $(BIN)/pytest -n0 tests/hunt/spark/test_conformance.py

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

# Mutated lines through the decoder: COUNT of them, from SEED (none: the clock's, which is printed); then huge files.
fuzz: setup
	$(BIN)/python tests/fuzz/run.py --count $(or $(COUNT),1000000) --jobs $(JOBS) $(if $(SEED),--seed $(SEED))
	AEGIS_FUZZ=1 $(BIN)/pytest -n0 tests/fuzz

# The figures and the page of detections anew; PUBLIC names a folder of public logs, else theirs stay as they were.
evaluate: setup
	$(BIN)/python docs/evaluate.py $(if $(PUBLIC),--public $(PUBLIC))
	$(BIN)/python docs/generate.py

# 200,000 rows through Kafka to two watches, one killed ten times; ship killed fifty times. (Small ones are among the tests.)
kills: setup
	AEGIS_KAFKA_ROWS=200000 AEGIS_KAFKA_KILLS=10 AEGIS_SHIP_KILLS=50 \
	    $(BIN)/pytest -n0 tests/kafka/test_fact.py tests/ship/test_kills.py
