# make demo: see the method work. make test: run the tests. Both install into .venv first.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: demo demo-short test test-short lint clean

.venv/installed: setup.py
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[lite,test,lint]'
	# opencv-python, which MMEngine asks for too, needs the libraries of a screen; a server has none.
	$(BIN)/pip uninstall --quiet --yes opencv-python
	$(BIN)/pip install --quiet --no-deps --force-reinstall opencv-python-headless
	touch $@

demo: .venv/installed
	$(BIN)/python tools/demo.py

demo-short: .venv/installed
	$(BIN)/python tools/demo.py --short --out work_dirs/demo_short

test: .venv/installed
	$(BIN)/python -m pytest

test-short: .venv/installed
	$(BIN)/python -m pytest -m 'not slow'

lint: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check

clean:
	rm -rf .venv work_dirs
