# Everything runs in .venv, made from requirements.txt when it is missing or older.
PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help setup repro test lint record requirements clean-features

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

setup: $(VENV)/ready  ## create .venv with the pinned packages

$(VENV)/ready: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit("Thaw needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	touch $@

repro: setup  ## run the study: download, split, features, transfer, train, summarize, figures
	dvc repro

test: setup lint  ## run the tests
	python -m pytest

lint: setup  ## check format and style
	ruff format --check .
	ruff check .

record: setup  ## write the finished run of the photographs into docs/paper
	python -m stages.record --source data/photos.yaml --paper data/paper.yaml --metrics metrics --histories plots \
		--params params.yaml --raw data/raw --out docs/paper

requirements: setup  ## pin requirements.in anew in requirements.txt (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header requirements.in -o requirements.txt

clean-features:  ## delete the stored activations; they are computed again when needed
	rm -rf data/features/*/
