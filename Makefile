# Everything starts from Python 3.11 and make: `make demo`, `make test`.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2
# It asks for torchvision, which does not need it, and whose wheel is for another build of torch.
LAPLACE := laplace-torch==0.3 backpack-for-pytorch==1.7.1 curvlinops-for-pytorch==3.0.1 \
  unfoldNd==0.2.3 opt_einsum==3.4.0 einconv==0.1.0 einops==0.8.2 \
  asdfghjkl==0.1a4 linear-operator==0.6.1 jaxtyping==0.3.11 wadler-lindig==0.1.8
fuzz: N ?= 3000
kills: N ?= 300
mutants: N ?= 300
bench-uci: DATA ?= ../shared/uci
bench-uci: SPLITS ?= 5
bench-chain: DRAWS ?= 1000
bench: FILES ?= 100 1000
SEED ?= 0
BEFORE ?= HEAD~1

# More threads than cores only slow small tensors down.
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-laplace coverage lint format corpus survey owners proofs fuzz kills mutants bench compare bench-train bench-uci bench-chain walk docs site wheel clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(READY)  ## create or update .venv

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "No python3.11 on PATH; name one: make PYTHON=/path/to/python3.11"; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, $(PYTHON) is older; make PYTHON=/path/to/python3.11"; exit 2; }
	@echo "Setting up $(VENV) (torch comes with it, so this takes a few minutes the first time)"
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
	  --constraint constraints.txt torch pyro-ppl --editable '.[dev]'
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true  # as pip does, but on all cores
	@touch $@

demo: $(READY)  ## the whole tool on the example project: plan, rewrite, verify, emit, train
	@$(BIN)/python examples/demo.py

test: $(READY)  ## all tests
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test-laplace: $(READY)  ## the tests of `engine: laplace`, with its library; without it they are skipped
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(LAPLACE)
	@$(BIN)/python -m pytest tests/test_emit_laplace.py

coverage: $(READY)  ## all tests, with a coverage report
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term

lint: $(READY)  ## formatting, lint rules, types, layers, the action and the workflows
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache
	@$(BIN)/check-jsonschema -q --builtin-schema vendor.github-actions action.yml
	@$(BIN)/check-jsonschema -q --builtin-schema vendor.github-workflows .github/workflows/*.yml

format: $(READY)  ## format and fix what can be fixed by itself
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

corpus: $(READY)  ## rewrite public packages, compare outputs, refresh the coverage table
	@$(BIN)/python benchmarks/corpus.py
	@$(BIN)/python docs/generate.py

survey: $(READY)  ## count what is refused, and left to run time, in forty public packages
	@$(BIN)/python benchmarks/survey.py
	@$(BIN)/python docs/generate.py

owners: $(READY)  ## take whole projects through all commands, their own tests too; CHECKOUTS=DIR
	@$(BIN)/python benchmarks/owners.py $(if $(CHECKOUTS),--checkouts "$(CHECKOUTS)")
	@$(BIN)/python docs/generate.py

proofs: $(READY)  ## verify public packages by guesses, and by their tests; ONLY="unet ncps"
	@$(BIN)/python benchmarks/proofs.py $(ONLY)
	@$(BIN)/python docs/generate.py

fuzz: $(READY)  ## rewrite random programs, compare with what they really are; N=3000 SEED=0
	@$(BIN)/python -m benchmarks.fuzz -n $(N) --seed $(SEED) --figures
	@$(BIN)/python docs/generate.py

kills: $(READY)  ## kill rewrites and undos at random, fill the disk, run two at once; N=300 SEED=0
	@$(BIN)/python -m benchmarks.kills -n $(N) --seed $(SEED)

mutants: $(READY)  ## change the code in small ways, see if the tests find out; N=300 SEED=0
	@$(BIN)/python -m benchmarks.mutants -n $(N) --seed $(SEED) --jobs $(WORKERS) --figures
	@$(BIN)/python docs/generate.py

bench: $(READY)  ## speed beside ast, LibCST and a codemod, and the worst cases; FILES="100 1000"
	@$(BIN)/python benchmarks/speed.py --files $(FILES) $(if $(PART),--part $(PART))
	@$(BIN)/python docs/generate.py

compare: $(READY)  ## speed and text of the rewrite beside an earlier commit; BEFORE=HEAD~1
	@$(BIN)/python benchmarks/compare.py $(BEFORE)

bench-train: $(READY)  ## quality and speed of the emitted training script, beside bayesian-torch
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  bayesian-torch==0.5.0
	@$(BIN)/python benchmarks/train.py
	@$(BIN)/python docs/generate.py

bench-uci: $(READY)  ## the UCI protocol, beside other libraries; DATA=DIR SPLITS=5 ONLY="yacht default"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  bayesian-torch==0.5.0 tyxe==0.0.2 $(LAPLACE)
	@$(BIN)/python benchmarks/uci.py --data "$(DATA)" --splits $(SPLITS) $(if $(ONLY),--only $(ONLY))
	@$(BIN)/python docs/generate.py

bench-chain: $(READY)  ## the sd of predictions beside that of a long Markov chain; DRAWS=1000
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(LAPLACE)
	@$(BIN)/python benchmarks/uci.py --data . --hmc $(DRAWS)
	@$(BIN)/python docs/generate.py

walk: $(READY)  ## how far one layer travels through the code: modules, calls, forms of object
	@$(BIN)/python benchmarks/walk.py --figures
	@$(BIN)/python docs/generate.py

docs: $(READY)  ## regenerate the pages that come from the code
	@$(BIN)/python docs/generate.py

site: docs  ## build the website into build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

wheel: $(READY)  ## build the distributions into dist
	@$(BIN)/python -m build --no-isolation

clean:  ## remove what the targets above made, .venv included
	rm -rf $(VENV) build dist demo corpus .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
