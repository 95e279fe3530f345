# Everything runs in .venv; PYTHON is the interpreter that makes it (3.11 or 3.12).
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
BIN := .venv/bin
EXTRAS := cpu,server,train,direct,s3,demo,dev
# Older Sparks that are asked too; .venv has the newest.
SPARK := 3.5 4.0 4.1 4.2
# The oldest onnxruntime of builder/releases.py, that of the default target, and the newest.
ORT := 1.19.2 1.21.0 1.28.0

.DEFAULT_GOAL := help
.PHONY: help install demo test table conformance random kill deaths fuzz fuzz-models fuzz-requests mutants releases rollouts bench wide big lint

help:  ## what there is to make
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

install: .venv/installed  ## .venv with every extra, at the versions of constraints.txt

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

demo: install  ## the whole way on real flights: train, register, publish, serve, verify, measure (FULL=1: bigger models)
	$(BIN)/python -m demo $(if $(FULL),--full)

test: install .venv-perf/installed  ## every test, with real Spark and real Triton, in two processes
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

table: install  ## after a change of the rules: the support table, as data and in README
	$(BIN)/python -m tests.house.table

conformance: install $(SPARK:%=.venv-spark-%/installed) $(ORT:%=.venv-ort-%/installed)  ## every row of the table against every Spark version
	set -e; for spark in $(SPARK); do .venv-spark-$$spark/bin/python -m tests.conformance.record; done
	CONFORMANCE=all $(BIN)/python -m pytest tests/conformance

random: install  ## 200 pipelines drawn by a seed, fitted by Spark and compared (PIPELINES=1000: so many)
	PIPELINES=$(or $(PIPELINES),200) $(BIN)/python -m pytest tests/random

kill: install  ## 200 publishers killed while a server polls and clients read (KILLS=1000: so many)
	KILLS=$(or $(KILLS),200) $(BIN)/python -m pytest tests/faults/test_killed.py

deaths: install  ## the server and a stub killed 20 times each under a client: back within 10 s, no wrong answer (DEATHS=100: so many)
	DEATHS=$(or $(DEATHS),20) $(BIN)/python -m pytest -s tests/served/test_deaths.py

fuzz-requests: install  ## 100,000 malformed requests to the embedded server, a good client beside them (REQUESTS=5000 SEED=2)
	$(BIN)/python -m tests.fuzz.requests --requests $(or $(REQUESTS),100000) --seed $(or $(SEED),1)

fuzz-models: install  ## 10,000 spoilt saved models: converted or refused in words, in bounds; Spark judges 200 (MUTANTS=1000 SEED=2)
	$(BIN)/python -m tests.fuzz --mutants $(or $(MUTANTS),10000) --seed $(or $(SEED),1)

fuzz: fuzz-models fuzz-requests  ## both

mutants: install  ## each line of the rules spoilt in turn: some recorded answer must notice (MODULES=scaling: of these alone)
	$(BIN)/python -m tests.conformance.record
	$(BIN)/python -m tests.mutants $(MODULES)

.venv-spark-%/installed:
	$(PYTHON) -m venv .venv-spark-$*
	.venv-spark-$*/bin/python -m pip install --quiet 'pyspark==$*.*' 'numpy<2' 'pandas<3' 'pyarrow<22' setuptools \
		'xgboost-cpu==3.2.0' scikit-learn
	touch $@

releases: install $(ORT:%=.venv-ort-%/installed)  ## every row's graph on the oldest, the default and the newest Triton's onnxruntime
	CONFORMANCE=all RELEASES=all $(BIN)/python -m pytest tests/conformance/test_releases.py tests/conformance/test_unreadable_texts.py

.venv-ort-%/installed:
	$(PYTHON) -m venv .venv-ort-$*
	.venv-ort-$*/bin/python -m pip install --quiet 'onnxruntime==$*' 'numpy<2'
	touch $@

rollouts: install  ## 20 rollouts and 5 rollbacks on real servers under 8 busy clients: no request may fail
	ROLLOUTS=20 ROLLBACKS=5 $(BIN)/python -m pytest -s tests/rollout/test_together.py

# The last perf_analyzer that runs on glibc 2.36; it also wants Debian's libb64-0d.
.venv-perf/installed:
	$(PYTHON) -m venv .venv-perf
	.venv-perf/bin/python -m pip install --quiet --no-deps 'tritonclient==2.50.0' 'nvidia-cuda-runtime-cu12>=12,<13'
	touch $@

bench: install  ## where the README's numbers come from
	$(BIN)/python -m benchmarks

wide: install  ## 10, 100 and 500 columns, packed beside unpacked, in turns on one server
	$(BIN)/python -m benchmarks.wide

big: install  ## forests, vocabularies and factors of up to 2.1 GB, published and served
	$(BIN)/python -m benchmarks.big

lint: install  ## ruff, mypy, floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
