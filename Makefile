# `make report` does the main job; `make test` proves the tool. Both need only Python, pip and make.
PYTHON ?= python3
STAMP := .venv/.installed

.PHONY: report test lint mutants clean

report: $(STAMP)
	.venv/bin/twofold report --out report

test: lint
	.venv/bin/python -m pytest -n 2 --dist loadgroup

lint: $(STAMP)
	.venv/bin/ruff check .
	.venv/bin/mypy

# Changes scratch at every site, one at a time, and asks whether any check notices: some five minutes.
mutants: $(STAMP)
	PYTHONPATH=tests .venv/bin/python -m mutants

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Twofold needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	@echo "Installing into .venv; torch is a download of some gigabytes, this takes a minute or more"
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(STAMP)

clean:
	rm -rf .venv report
