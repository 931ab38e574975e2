# The two commands: `make demo` and `make test`. Everything is installed into .venv, from requirements.lock alone.

PYTHON ?= $(firstword $(shell command -v python3.11 python3.10 python3 2>/dev/null) python3)
VENV := .venv
BIN := $(VENV)/bin
OUTPUT ?= runs/demo

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench images test-containers charts docs lock clean

help:  ## Show this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

demo: $(VENV)/.installed  ## Run the ranking pipeline on made data: report, metrics, Triton repository
	@$(BIN)/emrys run ranking --dataset synthetic --output $(OUTPUT)

test: $(VENV)/.installed  ## Run all tests
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

lint: $(VENV)/.installed  ## Check style, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/hadolint containers/*/Dockerfile

format: $(VENV)/.installed  ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.installed  ## Measure speed; prints ratios
	$(BIN)/python -m benchmarks.loader
	$(BIN)/python -m benchmarks.step_time

images:  ## Build the container images: preprocess, train, serve
	@containers/build

test-containers: $(VENV)/.installed  ## Run the built images for real; needs a Docker engine
	EMRYS_TEST_CONTAINERS=1 $(BIN)/python -m pytest -q tests/containers

charts: $(VENV)/.installed  ## Render and check the Helm charts
	$(BIN)/python -m pytest -q -n 2 tests/charts

docs: $(VENV)/.installed  ## Write the generated pages of docs anew
	$(BIN)/python docs/generate_api.py && $(BIN)/python docs/generate_components.py && $(BIN)/python docs/generate_schemas.py

# With extras, such as `tritonclient[grpc,http]`: pip before 23.1 does not find the hashes of such a line without them.
lock: $(VENV)/.installed  ## Write requirements.lock and the images' own files anew from pyproject.toml
	$(BIN)/uv pip compile --universal --python-version 3.10 --generate-hashes --no-header --upgrade --no-strip-extras \
	  --extra cpu --extra preprocess --extra train --extra pipelines --extra serve --extra ann --extra dev \
	  pyproject.toml -o requirements.lock
	$(BIN)/python containers/lock.py

clean:  ## Remove the environment and what runs have written
	rm -rf $(VENV) runs

# The stamp is written last: an installation that was cut off is gone on with.
$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if v in ((3, 10), (3, 11)) else \
	  "Emrys runs on Python 3.10 and 3.11, and this is %d.%d: make PYTHON=/path/to/python3.11 ..." % v)'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { rm -rf $(VENV); echo "Making $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing the locked dependencies into $(VENV) (some minutes the first time; log in $(VENV)/install.log)"
	@$(BIN)/python -m pip install --require-hashes -r requirements.lock >$(VENV)/install.log 2>&1 \
	  && $(BIN)/python -m pip install --no-deps --no-build-isolation -e . >>$(VENV)/install.log 2>&1 \
	  || { tail -n 15 $(VENV)/install.log; echo "The installation failed; the whole log is in $(VENV)/install.log"; exit 1; }
	@touch $@
