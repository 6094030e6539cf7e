# Everything a newcomer needs; `make` alone says what there is.
# The index is pip's own: its configuration and PIP_* variables are honoured.
PYTHON ?= python3
VENV   ?= .venv
TORCH_VENV ?= .venv-torch
# The CPU build of torch; an empty value takes it from pip's configured index alone.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
TORCH ?= torch==2.13.0
RUNNER ?= pytest
PIP = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check

.PHONY: help demo test test-torch coverage check format bench clean

help:
	@echo "make demo        the main job on real models, from models.toml to checked answers"
	@echo "make test        the whole test suite, without torch"
	@echo "make test-torch  the tests that need torch, in an environment of their own (CPU build)"
	@echo "make check       ruff and mypy"
	@echo "make format      put the code into its form"
	@echo "make bench       measure start-up and sync, beside plain Python"

$(VENV)/made:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/test: pyproject.toml $(VENV)/made
	$(PIP) --editable '.[test,check]'
	touch $@

$(VENV)/demo: pyproject.toml examples/quickstart/requirements.txt $(VENV)/made
	$(PIP) --editable '.[onnx]' --requirement examples/quickstart/requirements.txt
	touch $@

$(TORCH_VENV)/made: pyproject.toml
	$(PYTHON) -m venv $(TORCH_VENV)
	$(TORCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	  $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) '$(TORCH)'
	$(TORCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --editable '.[test-torch]' '$(TORCH)'
	touch $@

demo: $(VENV)/demo
	$(VENV)/bin/python examples/quickstart/demo.py

test: $(VENV)/test
	$(VENV)/bin/python -m $(RUNNER) -m "not torch" $(ARGS)

# After `make test RUNNER="coverage run -m pytest"`; workers count too.
coverage: $(VENV)/test
	$(VENV)/bin/python -m coverage combine --quiet
	$(VENV)/bin/python -m coverage report

test-torch: $(TORCH_VENV)/made
	$(TORCH_VENV)/bin/python -m pytest -m torch $(ARGS)

check: $(VENV)/test
	$(VENV)/bin/python -m ruff check .
	$(VENV)/bin/python -m ruff format --check .
	$(VENV)/bin/python -m mypy

format: $(VENV)/test
	$(VENV)/bin/python -m ruff check --fix-only .
	$(VENV)/bin/python -m ruff format .

bench: $(VENV)/test
	$(VENV)/bin/python benchmarks/startup.py

clean:
	rm -rf $(VENV) $(TORCH_VENV)
