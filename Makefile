# Two commands are the whole set-up: `make demo` and `make test`. The rest is for daily work.
.DEFAULT_GOAL := help
.PHONY: help demo test check sim mutations season blocked fuzz fix setup environments run docs clean python-is-there node-is-there compiler-is-there

PYTHON ?= $(shell sh tools/find-python.sh)
FUNCTIONS_PYTHON ?= $(shell sh tools/find-functions-python.sh)
BIN := .venv/bin
FAST := tests/core tests/house
NOT_SCANNED := ':!tests/payloads' ':!tests/histories' ':!*/package-lock.json' ':!*.svg' ':!*.png'
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help:  ## what there is to type
	@sed -n 's/^\([a-z][a-z-]*\):.*##/  make \1	/p' Makefile

demo: .venv/emulator.done .venv-scoring/done  ## a good canary is promoted, a bad one is rolled back
	$(BIN)/python -m demo

test: setup check  ## everything, real parts included, five hundred storms among it
	STORMS=$(or $(STORMS),500) $(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder --durations 12 \
		$(addprefix --ignore ,$(FAST)) $(if $(K),-k "$(K)")

check: .venv/dev.done  ## what a commit needs: style, types, layers, the fast tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive rollout emulator function_app.py
	git ls-files -z -- . $(NOT_SCANNED) | xargs -0 $(BIN)/detect-secrets-hook --no-verify
	$(BIN)/python -m tools.advisories
	$(BIN)/pytest -n 2 $(FAST) $(if $(K),-k "$(K)")

sim: .venv/dev.done  ## storms: make sim SEEDS=10000
	$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),1000) --page docs/reference/storms.md

mutations: .venv/dev.done  ## faults planted in the controller; the storms must find each
	$(BIN)/python -m tools.mutations --page

season: setup  ## rollouts over real parts, killed all the while: make season ROLLOUTS=100 PARTS=azure
	$(BIN)/python -m tests.journeys $(ROLLOUTS) --parts $(or $(PARTS),embedded)

blocked: setup  ## from an abort to its request, whatever is down, in pairs
	$(BIN)/python -m tests.journeys.blocked

fuzz: .venv/dev.done  ## the inbox and the policy parser under a fuzzer: make fuzz SECONDS=60
	$(BIN)/python -m tests.fuzz.seeds .fuzz/seeds
	$(BIN)/python -m tests.fuzz.fuzz_inbox .fuzz/seeds -max_total_time=$(or $(SECONDS),60) -artifact_prefix=.fuzz/ -print_final_stats=1

fix: .venv/dev.done  ## mend what tools can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup:  ## all environments, nothing run
	@$(MAKE) --no-print-directory -j 3 environments

environments: .venv/dev.done .venv-scoring/done .venv-sdk/done .venv-functions/done tools/azurite/node_modules/done

run: .venv/emulator.done  ## the emulator alone
	$(BIN)/python -m emulator --scoring-python .venv-scoring/bin/python $(ARGS)

docs: .venv/dev.done  ## draw the reference pages from the code
	$(BIN)/python -m tools.reference

clean:  ## remove what the targets made
	rm -rf .fuzz .venv .venv-scoring .venv-sdk .venv-functions .demo .rollout tools/azurite/node_modules

# -- environments: scoring processes, Microsoft's SDKs and its Functions runtime have their own ----

python-is-there:
	@sh tools/find-python.sh >/dev/null

compiler-is-there:
	@sh tools/find-compiler.sh

.venv/bin/python: | python-is-there
	$(PYTHON) -m venv .venv

.venv/emulator.done: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[emulator]'
	@touch $@

.venv/dev.done: pyproject.toml | compiler-is-there .venv/bin/python
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[emulator,azure,dev]'
	@touch $@ .venv/emulator.done

.venv-scoring/done: requirements-scoring.txt | python-is-there
	$(PYTHON) -m venv .venv-scoring
	.venv-scoring/bin/python -m pip install --quiet --requirement requirements-scoring.txt
	@touch $@

.venv-sdk/done: requirements-sdk.txt | python-is-there
	$(PYTHON) -m venv .venv-sdk
	.venv-sdk/bin/python -m pip install --quiet --no-compile --requirement requirements-sdk.txt
	@touch $@

# Azure's own runtime claims Python 3.13 alone; it works on older ones too.
.venv-functions/done: requirements.txt | python-is-there
	$(FUNCTIONS_PYTHON) -m venv .venv-functions
	.venv-functions/bin/python -m pip install --quiet --ignore-requires-python --requirement requirements.txt
	@touch $@

# -- Azure Storage in the tests ------------------------------------------------------------------

node-is-there:
	@sh tools/find-node.sh

tools/azurite/node_modules/done: tools/azurite/package-lock.json | node-is-there
	npm ci --prefix tools/azurite --ignore-scripts --no-audit --no-fund --silent
	@touch $@
