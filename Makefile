# make mix | curate | publish | ablate | test | lint | bench | train | evaluate | lock    (RECIPE=recipes/wellbeing.yaml, ARGS="--workers 4")
PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
BIN    := $(VENV)/bin

.PHONY: mix curate publish ablate test test-all lint bench train evaluate lock audit-deps sbom clean
.DEFAULT_GOAL := mix

# Everything comes from .ci/locks: one version, its files by sha256, nothing that is not listed.
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCKED := $(PIP) --require-hashes --no-deps -r .ci/locks

$(VENV)/.installed: pyproject.toml .ci/locks/base.txt
	$(PYTHON) -m venv $(VENV)
	$(LOCKED)/base.txt
	$(PIP) --no-deps --no-build-isolation -e .
	touch $@

# one package is built from source, with the setuptools of base.txt
$(VENV)/.dev: $(VENV)/.installed .ci/locks/dev.txt
	$(LOCKED)/dev.txt --no-build-isolation --use-pep517
	touch $@

# the CPU build where pip's settings lead to it, which is a tenth of the size; else that of the package index
$(VENV)/.torch: $(VENV)/.installed .ci/locks/torch.txt .ci/locks/torch-cpu.txt
	$(LOCKED)/torch-cpu.txt 2>/dev/null || $(LOCKED)/torch.txt
	touch $@

$(VENV)/.ablate: $(VENV)/.torch .ci/locks/ablate.txt
	$(LOCKED)/ablate.txt
	touch $@

$(VENV)/.train: $(VENV)/.torch .ci/locks/train.txt .ci/locks/teacher.txt
	$(LOCKED)/train.txt -r .ci/locks/teacher.txt
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

.bench/tools/.installed: .ci/locks/tools.txt
	$(PYTHON) -m venv .bench/tools
	.bench/tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .ci/locks/tools.txt
	touch $@

## the locks again, after a change of dependencies (ARGS=--upgrade or "--upgrade-package NAME": newer versions)
lock: .bench/tools/.installed
	.bench/tools/bin/python .ci/lock.py $(ARGS)

## known vulnerabilities of everything locked; asks the network
audit-deps: .bench/tools/.installed
	.bench/tools/bin/pip-audit --strict --disable-pip --progress-spinner off $(addprefix -r .ci/locks/,base.txt dev.txt torch.txt train.txt ner.txt s3.txt)

## a bill of materials of the environment: CycloneDX, .bench/sbom.json
sbom: .bench/tools/.installed $(VENV)/.installed
	.bench/tools/bin/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml --output-reproducible --of JSON -o .bench/sbom.json

clean:
	rm -rf $(VENV) .wellmix .bench build *.egg-info
