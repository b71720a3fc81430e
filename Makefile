# `make` alone lists what there is. Every target sets up what it needs in $(VENV).

PYTHON ?= python3
VENV ?= .venv
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
BIN := $(VENV)/bin
OUT ?= $(VENV)/demo
export PYTHONPATH := .dev
# Two test processes with two BLAS threads each would wait for each other. Each takes one half of the
# files, so that what a file sets up or compiles is made once, and when done what the other has left.
test: export OPENBLAS_NUM_THREADS := 1
test: export OMP_NUM_THREADS := 1

.PHONY: help demo zoo memory stability test lint bench sklearn accept fuzz mutate safety clean

help:
	@echo "make demo    check, explain, train and judge a net on real handwritten digits"
	@echo "make zoo     count sixty-seven published nets: every number against its source"
	@echo "make memory  on the same nets: predicted memory against what is allocated, to the byte"
	@echo "make stability  float32 beside float64 where arithmetic is easily lost, computation by computation"
	@echo "make test    the linters, the types, the layers and all tests"
	@echo "make lint    only the linters, the types and the layers"
	@echo "make bench   time nnspec against PyTorch, JAX, onnxruntime and torchinfo, side by side (MNIST=folder)"
	@echo "make sklearn learn beside scikit-learn's multi-layer perceptron, with the same budget"
	@echo "make fuzz    a long run of the fuzzer (CASES=1000000)"
	@echo "make safety  cut trainings off, kill them, spoil their numbers: does all go on, to the bit? (KILLS=2000)"
	@echo "make mutate  break the code in small ways and count what the tests notice (ROOM=analyzers)"
	@echo "make accept  take the present messages as the expected ones"
	@echo "make clean   remove what the other targets made"

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit("nnspec needs Python 3.11 or newer") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"

$(VENV)/.installed: pyproject.toml | $(BIN)/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-bench: pyproject.toml $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --group bench
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --group dev
	@touch $@

demo: $(VENV)/.installed
	@mkdir -p $(OUT)
	@echo; echo "== The net is written as a paper's table prints it: specs/course/digits.nn"; echo
	@cat specs/course/digits.nn
	@echo; echo "== It is checked before it runs: nnspec check"; echo
	@$(BIN)/nnspec check specs/course/digits.nn
	@echo; echo "== Everything about it is known: nnspec summary"; echo
	@$(BIN)/nnspec summary specs/course/digits.nn
	@echo; echo "== And every number has its derivation: nnspec explain"; echo
	@$(BIN)/nnspec explain specs/course/digits.nn conv2
	@echo; echo "== NumPy trains it on 1,438 handwritten digits: nnspec train"; echo
	@$(BIN)/nnspec train specs/course/digits.nn --data digits --save $(OUT)/digits.safetensors
	@echo; echo "== It is loaded again and judged on the 359 it never saw: nnspec evaluate"; echo
	@$(BIN)/nnspec evaluate $(OUT)/digits.safetensors --data digits --held-out 0.2

zoo: $(VENV)/.installed
	@$(BIN)/python -m tests.zoo

stability: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.runtime.stability_table

memory: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.zoo.memory

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy | sed "s#^\.dev/nnspec/##"
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal -q

bench: $(VENV)/.installed-bench
	$(BIN)/python -m compileall -q grammar compiler analyzers runtime __init__.py __main__.py
	$(BIN)/python -m tests.bench $(if $(MNIST),--mnist $(MNIST)) --out tests/bench/README.md

sklearn: $(VENV)/.installed-dev
	$(BIN)/python tests/bench/versus_sklearn.py

fuzz: $(VENV)/.installed-dev
	NNSPEC_FUZZ_CASES=$(or $(CASES),1000000) $(BIN)/python -m pytest -n 2 -q tests/house/test_fuzz.py tests/runtime/test_tensors.py

mutate: export OPENBLAS_NUM_THREADS := 1
mutate: export OMP_NUM_THREADS := 1
mutate: $(VENV)/.installed-dev
	$(BIN)/python -m tests.mutation $(or $(ROOM),compiler/ops) --sample $(or $(SAMPLE),300) --seed $(or $(SEED),0)

safety: export OPENBLAS_NUM_THREADS := 1
safety: export OMP_NUM_THREADS := 1
safety: $(VENV)/.installed-dev
	$(BIN)/python -m tests.safety.resumed
	$(BIN)/python -m tests.safety.killed $(or $(KILLS),2000)
	$(BIN)/python -m tests.safety.broken_numbers 1000
	NNSPEC_SAME_BITS=20 $(BIN)/python -m pytest -q tests/safety/test_same_bits.py

accept: $(VENV)/.installed-dev
	NNSPEC_ACCEPT=1 $(BIN)/python -m pytest -q tests/test_cases.py tests/test_readme.py \
		tests/ops/test_facts.py tests/analyzers/test_equations.py tests/analyzers/test_words.py tests/runtime/test_tensors.py \
		tests/safety/test_run_folder.py

clean:
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
