# Each target sets up .venv by itself when needed (install.py). Another Python: make PYTHON=python3.12 report
PYTHON ?= python3
ifeq ($(OS),Windows_NT)
VENV := .venv/Scripts
else
VENV := .venv/bin
endif

.PHONY: install report test lab lint

install:
	@$(PYTHON) install.py

report: install  ## run the notebooks with the built-in faces, write reports/quick/index.html; ARGS="--profile full" for real data
	@$(VENV)/python -m labkit report $(ARGS)

test: install  ## run the tests
	@$(VENV)/python -m pytest $(ARGS)

lab: install  ## open JupyterLab on this machine only
	@$(VENV)/python -m jupyter lab --ip=127.0.0.1 notebooks

lint: install  ## check style
	@$(VENV)/python -m ruff check . && $(VENV)/python -m ruff format --check .
