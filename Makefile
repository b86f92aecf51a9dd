# Two commands for newcomers: `make demo` and `make test`; `./reelpack` for all others. See README.md and CONTRIBUTING.md.
SHELL := bash
.DELETE_ON_ERROR:
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
WORKERS ?= 2
BENCHES := $(filter-out test_%,$(basename $(notdir $(wildcard tests/bench/*.py))))
BUILD = ./reelpack build --cores $(CORES)

.PHONY: demo bair_toy build plan report test test-fast check format lint types \
	pytest bench clean

demo: .venv/ready  ## build the demo dataset's packs and show them
	$(BUILD) demo
	./reelpack show results/demo

bair_toy: .venv/ready  ## from a made-up BAIR to generated frames
	$(BUILD) bair_toy
	./reelpack show results/bair_toy
	@echo samples: results/bair_toy/train/samples/bair_toy/samples.png

build: .venv/ready  ## build all that config.yaml names
	$(BUILD) all

plan: .venv/ready  ## say what is left to do and what it may take
	./reelpack plan

report: .venv/ready  ## write results/report.html
	./reelpack report

test: check pytest  ## all checks and tests

check: format lint types

.venv/ready: requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet "$$(grep '^torch==' requirements.lock)"
	$(BIN)/pip install --quiet --no-deps -r requirements.lock
	touch $@

format: .venv/ready
	$(BIN)/ruff format --check --quiet scripts tests reelpack
	$(BIN)/snakefmt --check --compact-diff Snakefile rules

lint: .venv/ready
	$(BIN)/ruff check --quiet scripts tests reelpack
	$(BIN)/snakemake --lint

types: .venv/ready
	$(BIN)/mypy

pytest: .venv/ready
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --ignore tests/slurm --ignore tests/chaos $(PYTEST)
	$(BIN)/pytest tests/slurm tests/chaos

test-fast: .venv/ready  ## the tests that take seconds
	$(BIN)/pytest -n $(WORKERS) --dist loadfile -m "not slow" $(PYTEST)

bench: .venv/ready  ## print all figures: ratios, not verdicts
	set -e; for bench in $(BENCHES); do \
		echo "== $$bench"; PYTHONPATH=scripts $(BIN)/python -m tests.bench.$$bench $(BENCH); done

clean:  ## remove what the demo and the toy built, not the environment
	rm -rf results/demo resources/videos/demo resources/models/demo logs benchmarks
	rm -rf {results,resources/annotations,resources/models,resources/transformers}/bair_toy resources/annotations/bair_toy.json
