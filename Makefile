# From equations to figures. `make help` lists the targets.
CONFIG ?= configs/van-der-pol.toml
OUT    ?= artifacts/$(basename $(notdir $(CONFIG)))
PYTHON ?= python3

VENV := .venv
BIN  := $(VENV)/bin
INSTALLED := $(VENV)/.installed
BENCH_INSTALLED := $(VENV)/.installed-bench
DOCS_INSTALLED := $(VENV)/.installed-docs

# Another config in the same folder makes everything in it stale, whatever its age.
CHANGED := $(if $(filter-out $(CONFIG),$(shell cat $(OUT)/config.txt 2>/dev/null)),FORCE)

# Files that appear only when their stage has ended well; an interrupted stage is gone on with.
DATASET := $(OUT)/dataset/manifest.json
TRAINED := $(OUT)/run/training.json
METRICS := $(OUT)/run/metrics.json
FIGURES := $(OUT)/run/figures/predictors.png

.PHONY: FORCE all help install data train evaluate plot test test-fast test-oldest lint study soak fuzz properties no-false-alarms bench bench-dysts tutorials docs look clean models tests pipeline
STUDY ?= lorenz
.DELETE_ON_ERROR:
# A stage writes its file whole or not at all, so make need not delete it on Ctrl-C.
.PRECIOUS: $(DATASET) $(TRAINED) $(METRICS) $(FIGURES)

all: plot            ## everything: environment, data, train, evaluate, plot

help:                ## these lines
	@grep -E '^[a-z-]+: .*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12
	@echo; echo "make CONFIG=configs/tutorial.toml OUT=artifacts/tutorial   chooses experiment and folder"

install: $(INSTALLED) ## build .venv, with what the tests need

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(BENCH_INSTALLED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,bench]'
	@touch $@

$(DOCS_INSTALLED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,docs]'
	@touch $@

data: $(DATASET)     ## integrate CONFIG into OUT/dataset

$(DATASET): $(CONFIG) $(CHANGED) | $(INSTALLED)
	@mkdir -p $(OUT) && echo '$(CONFIG)' > $(OUT)/config.txt
	$(BIN)/trajstore generate $(CONFIG) --out $(OUT)/dataset --overwrite
	@touch $@

train: $(TRAINED)    ## train on it, into OUT/run; goes on where it was interrupted

$(TRAINED): $(CONFIG) $(DATASET)
	$(BIN)/trajstore train $(CONFIG) --data $(OUT)/dataset --out $(OUT)/run --resume --overwrite
	@touch $@

evaluate: $(METRICS) ## judge the model on the test split

$(METRICS): $(TRAINED)
	$(BIN)/trajstore evaluate $(OUT)/run $(if $(TRUST),--trust-code)

plot: $(FIGURES)     ## draw OUT/run/figures

$(FIGURES): $(METRICS)
	$(BIN)/trajstore plot $(OUT)/run $(if $(TRUST),--trust-code)

test: $(INSTALLED)   ## the tests, a quarter of an hour or so on 2 cores
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-fast: $(INSTALLED) ## the tests that are not marked slow, a minute on 2 cores
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

study: $(INSTALLED)  ## STUDY=lorenz: train and judge all of studies/lorenz.toml, into artifacts/studies/lorenz
	$(BIN)/trajstore study studies/$(STUDY).toml --out artifacts/studies/$(STUDY)

soak: $(INSTALLED)   ## KILLS=100 kills at random times, against runs that nobody killed; about a quarter of an hour
	$(BIN)/python tests/soak.py

fuzz: $(INSTALLED)   ## CASES=100000 damaged files, each refused or found; about a quarter of an hour
	$(BIN)/python -W ignore tests/fuzz.py

no-false-alarms: $(INSTALLED) ## CONFIGS=200 sound datasets of random configs, none of which verify may accuse
	$(BIN)/python -W ignore tests/no_false_alarms.py

properties: $(INSTALLED) ## random equations against tiny steps, seeds from FIRST=0 on, COUNT=10000 of them; some hours
	$(BIN)/python -W ignore tests/properties.py --first $(or $(FIRST),0) --count $(or $(COUNT),10000)

# torch is large, and stays as it is; old packages warn of what newer ones below them will not do for ever.
test-oldest: $(INSTALLED) ## the fast tests with the oldest versions that pyproject.toml allows, in .venv-oldest
	rm -rf .venv-oldest && $(PYTHON) -m venv .venv-oldest
	ln -s $(CURDIR)/$(VENV)/lib/python3*/site-packages/torch $(CURDIR)/$(VENV)/lib/python3*/site-packages/torch-*.dist-info $(CURDIR)/$(VENV)/lib/python3*/site-packages/torchgen $(CURDIR)/$(VENV)/lib/python3*/site-packages/functorch .venv-oldest/lib/python3*/site-packages/
	$(BIN)/python tests/oldest_versions.py test >.venv-oldest/oldest.txt
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check -c .venv-oldest/oldest.txt -e '.[test]'
	.venv-oldest/bin/python -m pytest -n 2 --dist worksteal -m "not slow" -W ignore

lint: $(INSTALLED)   ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

bench: $(BENCH_INSTALLED) ## every benchmark, side by side with what you would use instead
	for name in engine generate loader tutorial; do $(BIN)/python benchmarks/$$name.py || exit 1; done

bench-dysts: $(INSTALLED) ## all flows of dysts, which is installed for it, beside its own make_trajectory
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,dysts]'
	$(BIN)/python -W ignore benchmarks/dysts_flows.py

tutorials: $(DOCS_INSTALLED) ## execute the tutorials and draw the gallery, for the site; minutes, and only what has changed
	$(BIN)/python docs/making/tutorials.py
	$(BIN)/python docs/making/gallery.py

# The notice is of the theme's successor; CONTRIBUTING.md has what there is to know of it.
docs: $(DOCS_INSTALLED) ## the site, from what `make tutorials` made, into artifacts/docs/site; seconds
	$(BIN)/python docs/making/pages.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	$(BIN)/python docs/making/outside.py

look: $(DOCS_INSTALLED) ## the site in Chromium at three widths: what is too wide, blurred, broken; pictures into artifacts/docs/look
	$(BIN)/python docs/making/look.py

clean:               ## remove what runs and builds produce; .venv stays
	rm -rf artifacts build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
