# Everything runs in .venv, made from requirements.txt when it is missing or older.
# TensorFlow's range; an interpreter counts as installed if it runs (`true`: make takes a 127 at the end for no shell).
FITS = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(firstword $(shell for each in python3 python3.13 python3.12 python3.11 python; do \
	$$each -c '$(FITS)' > /dev/null 2>&1 && echo $$each; done; true))
# How many variants train, or tests run, at once: one a core, or one on a GPU, whose memory TensorFlow takes whole.
JOBS ?= $(shell command -v nvidia-smi > /dev/null && echo 1 || getconf _NPROCESSORS_ONLN)
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help setup anew git extra leftovers repro adopt test test-quick lint bench bench-full bench-growth reproducibility faults record requirements clean-features

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

setup: $(VENV)/ready  ## create .venv with the pinned packages

# Scripts in an environment name its interpreter by its whole path: one that moved with its folder is made anew, as is
# one whose interpreter is gone.
SOUND := $(shell { cd $(VENV) && bin/python -c '' && head -n 2 bin/dvc | grep -F "$$(pwd -P)/bin/python"; } 2> /dev/null)

$(VENV)/ready: requirements.txt $(if $(SOUND),,anew)
	$(if $(SOUND),,@$(or $(PYTHON),false) -c '$(FITS)' || { echo 'error: Thaw needs Python 3.11, 3.12 or 3.13, for which' \
		'TensorFlow is made; install one, or name it: make PYTHON=/path/to/python3.13' >&2; exit 1; })
	$(if $(SOUND),,$(PYTHON) -m venv --clear $(VENV))
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(VENV)/bin/python -m stages.plots_page
	touch $@

# `dvc repro` needs a git repository; experiments need one that is the user's, and a name to commit by.
git:
	@said=$$(LC_ALL=C git rev-parse --git-dir 2>&1 > /dev/null) || case "$$said" in \
	*dubious*) echo "warning: this folder is another user's, so that \`dvc exp\` and \`dvc metrics diff\` refuse it;" \
		'`git config --global --add safe.directory "$(CURDIR)"` lets them' >&2 ;; \
	*) echo "error: DVC needs a git repository here; clone it, or run \`git init\` ($$said)" >&2; exit 1 ;; esac
	@git config user.name > /dev/null && git config user.email > /dev/null || \
		echo 'warning: git knows no name for you, so that `dvc exp run --queue` refuses to commit;' \
		'`git config user.name NAME` and `git config user.email ADDRESS` tell it' >&2

extra: $(VENV)/extra  ## add to .venv what a cluster or another backend of Keras takes

$(VENV)/extra: $(VENV)/ready requirements-extra.txt
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-extra.txt
	touch $@

BESIDE = dvc --wait-for-lock repro --single-item
# By the fine epochs in their names; `auto`, `rest` and the trial may stand for many.
LONGEST_FIRST = sed -E -e 's/.*-([0-9]+|auto)-([0-9]+)(-.*)?$$/\2 &/' -e '/^[0-9]+ /!s/^/1000 /' | sort -nr | cut -d' ' -f2-

# Data sets are prepared side by side, then variants trained; `dvc repro` alone takes one by one.
repro: leftovers  ## run the study: download, split, features, transfer, train, trial, summarize, costs, figures, report, export
	dvc stage list --name-only | grep -E '^(download|local)@' | xargs -r dvc repro
	dvc stage list --name-only | sed -n 's/^transfer@//p' | xargs -r -P $(JOBS) -I % $(BESIDE) split@% features@% transfer@%
	dvc repro --dry train trial | sed -nE "s/^Running stage '(train@[^']*|trial)'.*/\1/p" | $(LONGEST_FIRST) | xargs -r -P $(JOBS) -I % $(BESIDE) %
	dvc repro

# DVC leaves what a variant wrote that is no longer in params.yaml. No stage reads it, but in `results` it would count:
# dvc.lock would hold a folder that no clone has.
leftovers: git setup  ## delete the results of variants and data sets that are not in params.yaml
	@stages=$$(dvc stage list --name-only | tr '\n' ' ') && test -n "$$stages" && for folder in results/*; do \
		name=$${folder#results/}; dataset=$${name%-converged}; \
		case " $$stages" in *" $$name "* | *" train@$$name "* | *" transfer@$$dataset "*) continue ;; esac; \
		rm -rf "$$folder" "models/$$name" "models/transfer/$$dataset" "metrics/$$name.json" "plots/$$name.csv" \
			"plots/seconds/$$name.csv" "plots/seconds/$$dataset-transfer.csv"; \
	done

adopt: setup  ## write the manifest and params of pictures of your own: make adopt PICTURES=/path/to/folder
	@python -m stages.adopt $(if $(PICTURES),"$(PICTURES)",$(error name the folder or archive: make adopt PICTURES=/path/to/folder))

PYTEST = python -m pytest -n $(JOBS) --no-loadscope-reorder

test: extra lint  ## run the tests
	$(PYTEST)

test-quick: extra lint  ## run the tests that train nothing and run no command of DVC's
	$(PYTEST) --quick

lint: setup  ## check format and style
	ruff format --check .
	ruff check .

BENCH = python -m bench --source data/photos.yaml --jobs $(JOBS) --work work/bench

bench: setup  ## measure the guide's way and the pipeline's on a fifth of the photographs, a few minutes
	$(BENCH) --share 0.2 --rounds 3 --out docs/bench

bench-full: setup  ## the same on all photographs, most of an hour
	$(BENCH) --share 1 --rounds 3 --out docs/bench/full

bench-growth: setup  ## measure how costs grow with images, epochs, variants and seeds, some ten minutes
	python -m bench.growth --source data/photos.yaml --dataset cats_dogs --work work/bench --out docs/bench

reproducibility: setup  ## measure how far results differ on other threads, kernels and number formats, ten minutes
	python -m bench.reproducibility --source data/embedded.yaml --dataset roses_tulips --work work/embedded \
		--out docs/reproducibility.md

faults: extra  ## try the faults again and write what happened into docs/faults.md
	$(PYTEST) -m faults --fault-table=docs/faults.md

record: setup  ## write the finished run of the photographs into docs/paper
	python -m stages.record --source data/photos.yaml --paper data/paper.yaml --metrics metrics --plots plots \
		--results results --params params.yaml --raw data/raw --out docs/paper

PIN = uv pip compile --universal --python-version 3.11 --generate-hashes --no-header

requirements:  ## pin requirements.in and requirements-extra.in anew (needs uv)
	$(PIN) requirements.in -o requirements.txt
	$(PIN) requirements-extra.in -o requirements-extra.txt

clean-features:  ## delete the stored activations; they are computed again when needed
	rm -rf data/features/*/
