# `make report` does the main job; `make test` proves the tool. Both need only Python, pip and make.
PYTHON ?= python3
STAMP := .venv/.installed

.PHONY: report test lint mutants layouts experiments gpu clean

report: $(STAMP)
	.venv/bin/twofold report --out report

test: lint
	.venv/bin/python -m pytest -n 2 --dist loadgroup

lint: $(STAMP) .links
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

# The package as the wheel has it, for a type checker, which does not follow the __path__ of twofold/__init__.py.
.links: twofold/__init__.py
	rm -rf .links && mkdir -p .links/twofold
	cd .links/twofold && ln -s ../../twofold/*.py ../../twofold/py.typed ../../scratch ../../reference ../../compare .
	@touch .links

# Changes scratch at every site, one at a time, and asks whether any check notices: some five minutes.
mutants: $(STAMP)
	.venv/bin/python -m tests.mutants

# Every layout of the tables, the slow ones too: some five minutes.
layouts: $(STAMP)
	.venv/bin/python -m pytest -m "slow or not slow" -n 2 --dist loadgroup tests/own/test_layouts.py tests/own/solving

# The sources' experiments, one after the other, and docs/experiments.md anew: some half an hour.
experiments: $(STAMP)
	.venv/bin/python -m pytest -m slow -n 2 tests/experiments
	.venv/bin/python -m tests.experiments.run

# What is to be run where there is a CUDA device, in order of value, each part with its time: some ten minutes.
gpu: $(STAMP)
	.venv/bin/python -m tests.device.gpu

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Twofold needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	@echo "Installing into .venv; torch is a download of some gigabytes, this takes a minute or more"
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(STAMP)

clean:
	rm -rf .venv .links report experiments
