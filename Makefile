# `make` alone lists the targets. PYTHON chooses the interpreter for a new environment: make test PYTHON=python3.13
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
ARGS   ?=
# Stamps: what is newer than them is installed again, everything else is taken as it is.
RUN    := $(VENV)/.installed
DEV    := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help serve demo test pictures soak soak-azure faults lint format types eval gate bench-gate log-check bench bench-cache bench-keys bench-governed bench-faults bench-resilience bench-overload bench-semantic bench-traces bench-tracing bench-trace-reads bench-overview bench-evals bench-dashboard bench-canary bench-rollouts bench-prompts test-ray bench-setup conformance docs interop-setup lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: $(RUN) ## start the gateway, by default with the mock provider, and the dashboard (ARGS="--port 9000", SERVE_DASHBOARD=0)
	@exec $(BIN)/llmops serve $(if $(filter 0,$(SERVE_DASHBOARD)),--no-dashboard,--dashboard) $(ARGS)

demo: $(RUN) ## play an hour of traffic within a minute and look at it (ARGS="--minutes 10")
	@exec $(BIN)/llmops demo $(ARGS)

test: $(DEV) ## run the tests (ARGS="tests/cli -k reload")
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS) || { [ $$? = 1 ] && \
	  echo "once more, one by one: what failed beside others" && \
	  $(BIN)/python -m pytest --last-failed --last-failed-no-failures none $(ARGS); }

test-ray: $(DEV) ## run evals on a real local Ray cluster, in an environment of its own
	@test -x .venv-ray/bin/python || $(PYTHON) -m venv .venv-ray
	@.venv-ray/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@.venv-ray/bin/python -m pip install --quiet --disable-pip-version-check "ray>=2.40" pytest pytest-asyncio pytest-timeout pytest-xdist hypothesis
	PYTHONPATH=src:. .venv-ray/bin/python -m pytest tests/evals/test_cluster.py $(ARGS)

soak: $(DEV) ## run the tests that take minutes
	$(BIN)/python -m pytest -m soak --timeout=3600 $(ARGS)
	HYPOTHESIS_PROFILE=random $(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)
	$(BIN)/python -m tests.faults

soak-azure: $(DEV) ## replay a trace amid faults, 200,000 calls (ARGS="--trace FILE.csv")
	$(BIN)/python -m tests.resilience_faults.azure $(ARGS)

faults: $(DEV) ## kill gateways, stores and clients amid load (ARGS="kill --runs 20")
	$(BIN)/python -m tests.faults $(ARGS)

pictures: $(DEV) ## play the demo and take the docs' pictures of every page anew
	$(BIN)/python -m pytest tests/dashboard/test_pictures.py --screenshots --timeout=900 $(ARGS)

lint: $(DEV) ## ruff, and pylint with its bar of 8.0
	$(BIN)/ruff check src tests evals benchmarks docs examples .ci
	$(BIN)/ruff format --check --quiet src tests evals benchmarks docs examples .ci
	$(BIN)/pylint --jobs 2 --fail-under=8.0 src/llmops evals

format: $(DEV) ## lay the code out and mend what ruff can mend
	$(BIN)/ruff check --fix --quiet src tests evals benchmarks docs examples .ci
	$(BIN)/ruff format src tests evals benchmarks docs examples .ci

types: $(DEV) ## mypy, strict
	$(BIN)/mypy

eval: $(RUN) ## run the cases and write evals/report.json
	$(BIN)/python -m evals.run_eval $(ARGS)

gate: $(DEV) ## run the example gate with the mock provider (ARGS="--summary gate.md --report gate.json")
	$(BIN)/llmops gate run evals/gate.yaml $(ARGS)

bench-gate: $(DEV) ## hold the gate against real paired answers (ARGS="--data answers.jsonl --http")
	$(BIN)/python -m benchmarks.gate $(ARGS)

log-check: $(RUN) ## is every line of the request log well-formed?
	$(BIN)/python .ci/check_log.py runs/logs/gateway.jsonl

bench: $(DEV) ## measure the gateway; results in benchmarks/results/
	$(BIN)/python -m benchmarks $(ARGS)

bench-cache: $(DEV) ## measure hits and misses of the exact cache (ARGS="--no-redis")
	$(BIN)/python -m benchmarks.cache $(ARGS)

bench-keys: $(DEV) ## measure a gateway that knows a million keys (ARGS="--postgres")
	$(BIN)/python -m benchmarks.million_keys $(ARGS)

bench-faults: $(DEV) ## play thirty upstream faults against ours and LiteLLM (ARGS="--calls 100")
	$(BIN)/python -m benchmarks.faults $(ARGS)

bench-governed: $(DEV) ## measure what keys, limits, a budget and the ledger cost (ARGS="--rounds 3")
	$(BIN)/python -m benchmarks.governed $(ARGS)

bench-resilience: $(DEV) ## measure what resilience costs while nothing fails (ARGS="--rounds 3")
	$(BIN)/python -m benchmarks.resilience $(ARGS)

bench-overload: $(DEV) ## measure what is left of the goodput at three times the load
	$(BIN)/python -m benchmarks.overload $(ARGS)

bench-semantic: $(DEV) ## measure the semantic cache's look-up, and its hits on labelled pairs (ARGS="--entries 10000")
	$(BIN)/python -m benchmarks.semantic $(ARGS)

bench-traces: $(DEV) ## measure how fast spans come in and are stored (BENCH_PHOENIX_VENV=… beside Phoenix)
	$(BIN)/python -m benchmarks.traces $(ARGS)

bench-tracing: $(DEV) ## measure what tracing and an export cost the gateway (ARGS="--rounds 3")
	$(BIN)/python -m benchmarks.tracing $(ARGS)

bench-trace-reads: $(DEV) ## measure finding and opening traces among a million calls (ARGS="--postgres")
	$(BIN)/python -m benchmarks.trace_reads $(ARGS)

bench-overview: $(DEV) ## measure the overview with a million calls and ten times as many (ARGS="--postgres")
	$(BIN)/python -m benchmarks.overview $(ARGS)

bench-dashboard: $(DEV) ## measure the dashboard's pages in a browser with a million calls (ARGS="--database URL --times 10")
	$(BIN)/python -m benchmarks.dashboard $(ARGS)

bench-canary: $(DEV) ## measure what a running canary costs the pipeline (ARGS="--rounds 3")
	$(BIN)/python -m benchmarks.canary $(ARGS)

bench-rollouts: $(DEV) ## simulate canaries and experiments that decide by themselves
	$(BIN)/python -m benchmarks.rollouts
	$(BIN)/python -m benchmarks.best_arm

bench-prompts: $(DEV) ## measure 10,000 prompts of 100 versions, and rendering (ARGS="postgresql://…")
	$(BIN)/python -m benchmarks.prompts $(ARGS)

bench-evals: $(DEV) ## measure the eval engine beside its peers (BENCH_INSPECT_VENV=… BENCH_PROMPTFOO=…)
	$(BIN)/python -m benchmarks.evals $(ARGS)

bench-setup: $(DEV) ## install what the benchmark compares with
	$(BIN)/python -m benchmarks.setup

conformance: $(DEV) ## chain through an independent gateway as the upstream
	$(BIN)/python -m tests.conformance $(ARGS)

docs: $(DEV) ## write the generated pages of docs/reference
	$(BIN)/python docs/generate.py

interop-setup: .venv-interop/.installed ## install the packages of others that tests/interop runs beside ours

.venv-interop/.installed: requirements-interop.txt
	$(PYTHON) -m venv .venv-interop
	@.venv-interop/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

lock: $(DEV) ## resolve the dependencies anew, with hashes and without index addresses
	$(PIP) uv
	$(BIN)/uv pip compile $(LOCKING) --extra dashboard --extra evals --extra jinja pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile $(LOCKING) -c requirements.txt --group build -o requirements-build.txt
	$(BIN)/uv pip compile $(LOCKING) -c requirements.txt -c requirements-build.txt --group dev -o requirements-dev.txt
	$(BIN)/uv pip compile $(LOCKING) --group interop -o requirements-interop.txt

clean: ## remove the environment, caches, builds and the eval report; logs stay
	rm -rf $(VENV) .venv-interop .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmark dist build evals/report.json evals/results
	find src tests evals benchmarks docs examples .ci -name __pycache__ -type d -prune -exec rm -rf {} +

LOCKING := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(RUN): $(BIN)/python requirements.txt requirements-build.txt pyproject.toml
	@echo "installing the gateway into $(VENV), this once"
	@$(PIP) --require-hashes -r requirements.txt -r requirements-build.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): $(RUN) requirements-dev.txt
	@echo "installing the tools for tests and checks, this once"
	@$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@
