# The book's commands; `make help` lists them. Everything is made from requirements.lock in $(VENV).
SHELL := /bin/bash
.SHELLFLAGS := -eo pipefail -c
.NOTPARALLEL:
.DEFAULT_GOAL := help

PYTHON ?= python3#   the Python (3.11 or later) from which .venv is made
VENV ?= .venv#       with INSTALL=no: an environment of your own, such as $CONDA_PREFIX
INSTALL ?= yes
JOBS ?= 2#           chapters at a time, and test processes
THREADS ?= 1#        threads of each of them
NAME ?=#             a chapter, such as mlp
CORPUS ?=#           for make full and report: another corpus, such as csv:reviews
OUTPUT ?= report.html#  for make report: the file to write
TEXT ?= text#        for make report: the column of texts
LABEL_COLUMN ?= label#  for make report: the column of labels
LABEL ?=#            for make full: what the run is called in the book
PROFILE ?= paper#    for make full: quick or paper
SET ?=#              for make full and report: more parameters, such as SET="epochs=50 second_corpus=csv:reviews"
FORCE ?=#            any value: execute also the chapters that are up to date
FRACTION ?= 1#       for make mutation: the share of the mutants to try
RESULT ?=#           for make mutation: a JSON file for the counts
JAX ?=#              for make benchmark: any value also compares with neural-tangents (jax, in its own environment)
ONLY ?=#             for make benchmark: names of comparisons, such as ONLY="mlp-jacobian training-free"
UPGRADE ?=#          any value: let `make lock` move to newer versions

# `#` comments above keep the blanks before them; strip takes those away.
PYTHON := $(strip $(PYTHON))
VENV := $(strip $(VENV))
JOBS := $(strip $(JOBS))
NAME := $(strip $(NAME))
CORPUS := $(strip $(CORPUS))
LABEL := $(strip $(LABEL))
FRACTION := $(strip $(FRACTION))
RESULT := $(strip $(RESULT))
PROFILE := $(strip $(PROFILE))
SET := $(strip $(SET))
OUTPUT := $(strip $(OUTPUT))
TEXT := $(strip $(TEXT))
LABEL_COLUMN := $(strip $(LABEL_COLUMN))
RUN := $(VENV)/bin/python
export OMP_NUM_THREADS := $(strip $(THREADS))
export MKL_NUM_THREADS := $(strip $(THREADS))
export OPENBLAS_NUM_THREADS := $(strip $(THREADS))
export NUMEXPR_NUM_THREADS := $(strip $(THREADS))
export VECLIB_MAXIMUM_THREADS := $(strip $(THREADS))

.PHONY: help book test test-deep chapter full report reproducible fetch environment lint format lock audit sbom coverage mutation pythons package browser browser-test screenshots pdf benchmark scale clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' Makefile
	@echo "Options: NAME=chapter FORCE=1 JOBS=$(JOBS) THREADS=$(THREADS) PYTHON=$(PYTHON) VENV=$(VENV) INSTALL=no UPGRADE=1"

book: environment fetch ## execute the chapters whose inputs changed, build the HTML, check it (FORCE=1: execute all)
	@$(RUN) -m pipeline.execute --jobs $(JOBS) $(if $(strip $(FORCE)),--force)
	@$(RUN) -m pipeline.build

test: environment fetch ## unit tests, doctests, and nbval over the committed executed notebooks
	@NTKLIB_PROCESSES=1 $(RUN) -m pytest --nbval --doctest-modules -n $(JOBS) --dist loadscope \
	  --jaxtyping-packages=ntklib,beartype.beartype tests book ntklib

test-deep: environment ## thousands of property cases, the longest documents, every kill; says how many there were
	@NTKLIB_DEEP=1 $(RUN) -m pytest -n $(JOBS) tests/properties tests/faults

chapter: environment fetch ## execute one chapter: make chapter NAME=mlp
	@test -n "$(NAME)" || { echo "make chapter: which one? For example: make chapter NAME=mlp"; exit 2; }
	@$(RUN) -m pipeline.execute --force $(NAME)

full: environment fetch ## a long run of one chapter, kept as figures: make full NAME=mlp CORPUS=csv:reviews LABEL=reviews
	@test -n "$(NAME)" -a -n "$(LABEL)" || { echo "make full: which chapter, and what is the run called? make full NAME=mlp LABEL=movie-reviews"; exit 2; }
	@$(RUN) -m pipeline.full_run $(NAME) --label "$(LABEL)" --profile $(PROFILE) $(if $(CORPUS),--corpus "$(CORPUS)") $(foreach pair,$(SET),--set "$(pair)")

report: environment ## a report on your own labelled texts: make report CORPUS=reviews.csv (OUTPUT=, TEXT=, LABEL_COLUMN=, SET=)
	@test -n "$(CORPUS)" || { echo "make report: on which texts? For example: make report CORPUS=reviews.csv"; exit 2; }
	@$(RUN) -m pipeline.report "$(CORPUS)" --output "$(OUTPUT)" --text "$(TEXT)" --label "$(LABEL_COLUMN)" --jobs $(JOBS) $(foreach pair,$(SET),--set "$(pair)")

reproducible: environment fetch ## execute NAME (or all) with one and two threads; the printed outputs must be equal
	@$(RUN) -m pipeline.reproducible $(NAME)

fetch: environment ## download the data and check it (once)
	@$(RUN) -m ntklib fetch

environment: ## make or renew .venv from requirements.lock (seconds when nothing changed)
	@test "$(strip $(INSTALL))" = no || $(PYTHON) pipeline/environment.py $(VENV)

lint: environment ## formatting, ruff over modules and chapters, types, freshness of the executed notebooks
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m pipeline.chapter_code
	@$(RUN) -m mypy
	@$(RUN) -m pipeline.freshness

format: environment ## format modules, tests and the chapters' code cells
	@$(RUN) -m ruff check --fix --exit-zero --quiet .
	@$(RUN) -m ruff format .
	@$(RUN) -m pipeline.chapter_code --fix

lock: environment ## write requirements.lock from pyproject.toml (UPGRADE=1: newer versions)
	@$(RUN) -m pipeline.lock $(if $(strip $(UPGRADE)),--upgrade)

audit: environment ## known vulnerabilities of the locked versions (exit code 3 of the audit: no database could be reached)
	@$(RUN) -m pipeline.audit

sbom: environment ## CycloneDX bill of materials of the environment, _build/sbom.json
	@$(RUN) -m pipeline.tools

coverage: environment fetch ## lines and branches of ntklib that the unit tests and doctests execute, without the notebooks
	@$(RUN) -m pytest --doctest-modules -n $(JOBS) --dist loadscope --cov --cov-report=term --cov-report=json:_build/coverage.json \
	  --jaxtyping-packages=ntklib,beartype.beartype tests ntklib

mutation: environment ## change ntklib's core a thousand ways and count what the tests notice (FRACTION=0.25: a sample, RESULT=file)
	@$(RUN) -m pipeline.mutation --fraction $(FRACTION) $(if $(RESULT),--result "$(RESULT)")

pythons: environment fetch ## execute NAME (default: mlp) on the other Pythons of this machine; outputs must equal the committed ones
	@$(RUN) -m pipeline.pythons $(or $(NAME),mlp)

package: environment ## build the wheel of ntklib and try it on its own in a fresh environment
	@$(RUN) -m pipeline.package

# Three fonts: Chromium alone has none, and reports quote texts of any script. Readers' own browsers have theirs.
browser: ## install Chromium from Debian's packages, where there is none (CHROMIUM=path names another)
	@test -n "$$CHROMIUM" || command -v chromium google-chrome >/dev/null \
	  || { apt-get update --quiet && apt-get install --yes --no-install-recommends \
	    chromium fonts-liberation fonts-wqy-microhei fonts-noto-color-emoji; }

browser-test: environment browser ## every built page in Chromium: offline, formulas, phone, dark mode, search, accessibility
	@test -f _build/html/index.html || { echo "make browser-test: run make book first"; exit 2; }
	@$(RUN) -m pytest tests/browser -n $(JOBS) --dist loadgroup

screenshots: environment browser ## pictures of every page (wide, phone, dark) in _build/screenshots; fails on what tests find
	@test -f _build/html/index.html || { echo "make screenshots: run make book first"; exit 2; }
	@$(RUN) -m pipeline.screenshots

benchmark: environment ## ntklib against what else computes the same, into benchmarks/results/speed.json (JAX=yes, ONLY=)
	@$(RUN) -m benchmarks.environment $(if $(strip $(JAX)),--jax)
	@.venv-benchmark/bin/python -m benchmarks.run $(ONLY)

scale: environment ## how counts, features and flow grow up to a million sentences, into benchmarks/results/scale.json
	@$(RUN) -m benchmarks.scale

pdf: environment browser ## the whole book as one PDF, _build/book.pdf, from the committed notebooks
	@$(RUN) -m pipeline.pdf

clean: ## remove what was built (not .venv, not the committed notebooks, not the data)
	@rm -rf _build/html _build/next _build/screenshots _build/pdf _build/book.pdf dist build mutants .mypy_cache .ruff_cache .pytest_cache
