# make demo: see the method work. make test: run the tests. make docs: build the site in site/.
# Each installs into .venv first.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: demo demo-short test test-short test-newest lint docs clean

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[lite,test,lint,docs]'
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
	$(BIN)/python -m pytest -m 'not slow' --durations 60

# Beside .venv, which a fresh install makes of the newest, what MMPretrain 1.2.0 does not fit.
NEWEST := $(CURDIR)/.venv/newest

test-newest: .venv/installed
	$(BIN)/pip install --quiet --upgrade --target $(NEWEST) setuptools transformers pycocotools
	PYTHONPATH=$(NEWEST) $(BIN)/python -m pytest -m 'not slow' tests/test_compat.py \
		tests/test_registry.py tests/test_configs.py tests/models \
		tests/engine/test_push.py

lint: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: .venv/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf .venv work_dirs site
