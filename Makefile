# make mix | curate | publish | ablate | test | lint | bench | train | evaluate    (RECIPE=recipes/wellbeing.yaml, ARGS="--workers 4")
PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
BIN    := $(VENV)/bin

.PHONY: mix curate publish ablate test test-all lint bench train evaluate clean
.DEFAULT_GOAL := mix

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

$(VENV)/.ablate: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ablate]'
	touch $@

$(VENV)/.train: $(VENV)/.installed classifiers/teacher.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,evaluate,finetune,ablate]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r classifiers/teacher.txt
	touch $@

## make a mix: the embedded sample, or RECIPE
mix: RECIPE ?= recipes/sample.yaml
mix: $(VENV)/.installed
	$(BIN)/wellmix mix $(RECIPE) $(ARGS)

## make a fine-tuning or preference set: of the embedded sample, or RECIPE
curate: RECIPE ?= recipes/sample-set.yaml
curate: $(VENV)/.installed
	$(BIN)/wellmix curate $(RECIPE) $(ARGS)

## stage OUTPUT for the hub in TO (ARGS="--push owner/name" uploads it)
publish: OUTPUT ?= shards/sample
publish: TO ?= shards/$(notdir $(OUTPUT))-published
publish: $(VENV)/.installed
	$(BIN)/wellmix publish $(OUTPUT) --to $(TO) $(ARGS)

## find the right weights: of the embedded sample, or RECIPE
ablate: RECIPE ?= recipes/ablation/sample.yaml
ablate: $(VENV)/.ablate
	$(BIN)/wellmix ablate $(RECIPE) $(ARGS)

## all tests but the long ones
test: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not slow" $(ARGS)

## every test
test-all: $(VENV)/.dev
	$(BIN)/python -m pytest $(ARGS)

## style and types
lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

## speed against peers, in one run
bench: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.run $(ARGS)

## the shipped classifiers again, from WELLMIX_DATA
train: $(VENV)/.train
	$(BIN)/wellmix train $(ARGS)

## how good they are on corpora they never saw, from WELLMIX_DATA
evaluate: $(VENV)/.train
	$(BIN)/wellmix evaluate $(ARGS)

clean:
	rm -rf $(VENV) .wellmix .bench build *.egg-info
