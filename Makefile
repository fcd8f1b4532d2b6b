# Everything runs in .venv, which make creates from requirements.txt when it is missing or older than that file.
# FITS checks for a Python that TensorFlow supports. PYTHON is the first of these names that runs and fits. The final
# `true` keeps make from reading exit code 127 as a missing shell.
FITS = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(firstword $(shell for each in python3 python3.13 python3.12 python3.11 python; do \
	$$each -c '$(FITS)' > /dev/null 2>&1 && echo $$each; done; true))
# How many variants train, or tests run, at the same time: one per core. With a GPU it is one,
# because TensorFlow takes all of its memory.
JOBS ?= $(shell command -v nvidia-smi > /dev/null && echo 1 || getconf _NPROCESSORS_ONLN)
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help setup anew git extra leftovers repro adopt test test-quick lint bench bench-full bench-growth reproducibility faults record elsewhere requirements clean-features

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

setup: $(VENV)/ready  ## create .venv with the pinned packages

# The scripts of an environment name its interpreter by its full path. SOUND is empty if the folder was moved or the
# interpreter is gone; make then creates the environment again.
SOUND := $(shell { cd $(VENV) && bin/python -c '' && head -n 2 bin/dvc | grep -F "$$(pwd -P)/bin/python"; } 2> /dev/null)

# Without compiled packages the first start of each takes seconds longer, and every start where Python may not keep
# bytecode (PYTHONDONTWRITEBYTECODE, as in many containers). What cannot be compiled is compiled when it is imported.
PIP = $(VENV)/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes
COMPILE = $(VENV)/bin/python -W ignore -m compileall -qq -j 0 $(VENV)/lib || true  # on all cores, which pip does not do

$(VENV)/ready: requirements.txt $(if $(SOUND),,anew)
	$(if $(SOUND),,@$(or $(PYTHON),false) -c '$(FITS)' || { echo 'error: Thaw needs Python 3.11, 3.12 or 3.13, for which' \
		'TensorFlow is made; install one, or name it: make PYTHON=/path/to/python3.13' >&2; exit 1; })
	$(if $(SOUND),,$(PYTHON) -m venv --clear $(VENV))
	$(PIP) -r requirements.txt
	$(COMPILE)
	$(VENV)/bin/python -m stages.plots_page
	touch $@

# `dvc repro` needs a git repository. Experiments need one that the user owns, and a name for their commits.
git:
	@said=$$(LC_ALL=C git rev-parse --git-dir 2>&1 > /dev/null) || case "$$said" in \
	*dubious*) echo "warning: this folder is another user's, so \`dvc exp\` and \`dvc metrics diff\` refuse it; to allow it:" \
		'`git config --global --add safe.directory "$(CURDIR)"`' >&2 ;; \
	*) echo "error: DVC needs a git repository here; clone it, or run \`git init\` ($$said)" >&2; exit 1 ;; esac
	@git config user.name > /dev/null && git config user.email > /dev/null || \
		echo 'warning: git has no name for you, so `dvc exp run --queue` cannot commit; to set it:' \
		'`git config user.name NAME` and `git config user.email ADDRESS`' >&2

extra: $(VENV)/extra  ## add to .venv the packages for clusters, JAX and ONNX

$(VENV)/extra: $(VENV)/ready requirements-extra.txt
	$(PIP) -r requirements-extra.txt
	$(COMPILE)
	touch $@

REPRO_ONE = dvc --wait-for-lock repro --single-item
# Sorts variants by the fine epochs in their names. Those with `rest`, and the trial, go first, since they may have many.
LONGEST_FIRST = sed -E -e 's/.*-([0-9]+|auto)-([0-9]+)(-.*)?$$/\2 &/' -e '/^[0-9]+ /!s/^/1000 /' | sort -nr | cut -d' ' -f2-

# First the data sets are prepared in parallel, then the variants are trained, then stages that read all of them run.
# `dvc repro` alone runs one stage at a time.
repro: leftovers  ## run the whole study, one variant per core (deletes results of removed variants)
	dvc stage list --name-only | grep -E '^(download|local)@' | xargs -r dvc repro
	dvc stage list --name-only | sed -n 's/^transfer@//p' | xargs -r -P $(JOBS) -I % $(REPRO_ONE) split@% features@% transfer@%
	dvc repro --dry train trial | sed -nE "s/^Running stage '(train@[^']*|trial)'.*/\1/p" | $(LONGEST_FIRST) | xargs -r -P $(JOBS) -I % $(REPRO_ONE) %
	printf '%s\n' export 'summarize figures' answer costs | xargs -P $(JOBS) -L 1 $(REPRO_ONE)
	dvc repro

# DVC keeps the files of a variant that is no longer in params.yaml. Leftover folders in `results` would change the hash
# of that dependency, and no clone could reproduce it.
leftovers: git setup  ## delete the results of variants and data sets that are not in params.yaml
	@stages=$$(dvc stage list --name-only | tr '\n' ' ') && test -n "$$stages" && for folder in results/*; do \
		name=$${folder#results/}; dataset=$${name%-converged}; \
		case " $$stages" in *" $$name "* | *" train@$$name "* | *" transfer@$$dataset "*) continue ;; esac; \
		rm -rf "$$folder" "models/$$name" "models/transfer/$$dataset" "metrics/$$name.json" "plots/$$name.csv" \
			"plots/seconds/$$name.csv" "plots/seconds/$$dataset-transfer.csv"; \
	done

adopt: setup  ## set up a study of your own pictures: make adopt PICTURES=/path/to/folder
	@python -m stages.adopt $(if $(PICTURES),"$(PICTURES)",$(error name the folder or archive: make adopt PICTURES=/path/to/folder))

PYTEST = python -m pytest -n $(JOBS) --no-loadscope-reorder

test: extra lint  ## run all tests
	$(PYTEST)

test-quick: extra lint  ## run the tests that start neither TensorFlow nor DVC and take no seconds each (a minute)
	$(PYTEST) --quick

lint: setup  ## check format and style
	ruff format --check .
	ruff check .

BENCH = python -m bench --source data/photos.yaml --jobs $(JOBS) --work work/bench

bench: setup  ## compare the pipeline's speed with plain Keras on a fifth of the photographs (a few minutes)
	$(BENCH) --share 0.2 --rounds 3 --out docs/bench

bench-full: setup  ## the same on all photographs (a quarter of an hour)
	$(BENCH) --share 1 --rounds 3 --out docs/bench/full

bench-growth: setup  ## measure how costs grow with images, epochs, variants and repeats (about a quarter of an hour)
	python -m bench.growth --source data/photos.yaml --dataset cats_dogs --work work/bench --out docs/bench

reproducibility: setup  ## measure how far other threads, kernels and number formats change results (ten minutes)
	python -m bench.reproducibility --source data/embedded.yaml --dataset roses_tulips --work work/embedded \
		--out docs/reproducibility.md

faults: extra  ## bring about every fault again and write docs/faults.md
	$(PYTEST) -m faults --fault-table=docs/faults.md

record: setup  ## write the finished run on the photographs into docs/paper
	python -m stages.record --source data/photos.yaml --paper data/paper.yaml --metrics metrics --plots plots \
		--results results --params params.yaml --raw data/raw --out docs/paper

elsewhere: setup  ## write the finished run on data/suite.yaml into docs/elsewhere: make elsewhere NETWORK=name
	python -m stages.elsewhere --source data/suite.yaml --paper data/paper.yaml --metrics metrics --histories plots \
		--results results --params params.yaml --costs plots/costs/costs.csv --network $(or $(NETWORK),$(error name the network)) \
		--leave-out "seedlings=the number on a tray's edge goes with the class, and a network can read it" --out docs/elsewhere

PIN = uv pip compile --universal --python-version 3.11 --generate-hashes --no-header

requirements:  ## pin the packages of requirements.in and requirements-extra.in again (needs uv)
	$(PIN) requirements.in -o requirements.txt
	$(PIN) requirements-extra.in -o requirements-extra.txt

clean-features:  ## delete the stored activations, which are computed again when needed
	rm -rf data/features/*/
