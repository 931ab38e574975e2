# The two commands: `make demo` and `make test`. Everything is installed into .venv, from the two locks alone.

PYTHON ?= $(shell tools/find-python)
VENV := .venv
BIN := $(VENV)/bin
OUTPUT ?= runs/demo

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast lint format bench examples wheel images test-containers charts docs lock clean

help:  ## Show this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

demo: $(VENV)/.installed  ## Run the ranking pipeline on made data: report, metrics, Triton repository
	@$(BIN)/emrys run ranking --dataset synthetic --output $(OUTPUT)

test: $(VENV)/.installed  ## Run all tests
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

test-fast: $(VENV)/.installed  ## Run the tests that answer within two minutes
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m "not slow" --report-slower-than 2

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

examples: $(VENV)/.installed  ## Run the programs of examples/ whole
	@for program in examples/from_merlin/*.py; do echo "$$program"; $(BIN)/python -W ignore::DeprecationWarning "$$program" || exit 1; done

wheel: $(VENV)/.installed  ## Build the wheel into dist/
	$(BIN)/python -m hatchling build -t wheel

images:  ## Build the container images: preprocess, train, serve
	@containers/build

test-containers: $(VENV)/.installed  ## Run the built images for real; needs a Docker engine
	EMRYS_TEST_CONTAINERS=1 $(BIN)/python -m pytest -q tests/containers

charts: $(VENV)/.installed  ## Render and check the Helm charts
	$(BIN)/python -m pytest -q -n 2 tests/charts

docs: $(VENV)/.installed  ## Write the generated pages of docs anew
	for page in api components schemas recipe; do $(BIN)/python docs/generate_$$page.py || exit 1; done

lock: $(VENV)/.installed  ## Write requirements.lock and the images' own files anew from pyproject.toml
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --upgrade --no-strip-extras \
	  --overrides overrides.txt --extra all --extra dev pyproject.toml -o requirements.lock
	$(BIN)/python containers/lock.py

clean:  ## Remove the environment and what runs have written
	rm -rf $(VENV) runs

# Without dependencies: the lock is complete, and holds what overrides.txt replaces. The stamp is written last, so that an
# installation that was cut off is resumed.
$(VENV)/.installed: requirements.lock requirements-nvtabular.lock pyproject.toml
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { set -e; rm -rf $(VENV); python="$(PYTHON)"; test -n "$$python"; \
	  "$$python" -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else \
	    "Emrys runs on Python 3.11, 3.12 and 3.13, and this is %d.%d: make PYTHON=/path/to/python3.13 ..." % v)'; \
	  echo "Making $(VENV) with $$("$$python" --version)"; "$$python" -m venv $(VENV); }
	@echo "Installing the locked dependencies into $(VENV) (some minutes the first time; log in $(VENV)/install.log)"
	@{ $(BIN)/python -m pip install --no-deps --require-hashes -r requirements.lock \
	  && tools/install-nvtabular $(BIN)/python \
	  && $(BIN)/python -m pip install --no-deps --no-build-isolation -e .; } >$(VENV)/install.log 2>&1 \
	  || { tail -n 15 $(VENV)/install.log; echo "The installation failed; the whole log is in $(VENV)/install.log"; exit 1; }
	@touch $@
