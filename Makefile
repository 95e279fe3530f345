# Everything runs in .venv; PYTHON is the interpreter that makes it (3.11 or 3.12).
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
BIN := .venv/bin
EXTRAS := cpu,server,train,demo,dev

.DEFAULT_GOAL := help
.PHONY: help install demo test conformance bench lint

help:  ## what there is to make
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

install: .venv/installed  ## .venv with every extra, at the versions of constraints.txt

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

demo: install  ## the whole way on real flights: train, register, publish, serve, verify, measure (FULL=1: bigger models)
	$(BIN)/python -m demo $(if $(FULL),--full)

test: install  ## every test, with real Spark and real Triton
	$(BIN)/python -m pytest

conformance: install  ## every rule against every Spark version
	$(BIN)/python -m pytest tests/conformance --every-spark

bench: install  ## where the README's numbers come from
	$(BIN)/python -m benchmarks

lint: install  ## ruff, mypy, floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
