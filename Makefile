# Everything a developer and CI run. `make` alone lists it.
# Works on Debian 12, Ubuntu 24.04 and later; the parts that are missing are installed by `make system` as root.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export PATH := $(PATH):/usr/sbin:/sbin

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-bench
FUZZ_STAMP := $(VENV)/.installed-fuzz
RELEASE_STAMP := $(VENV)/.installed-release
# Processes that share the tests, each with a containerd and a registry of its own.
WORKERS ?= 2
# How long all parsers are fuzzed together, and the only one to be.
FUZZ_SECONDS ?= 600
FUZZ_TARGET ?=
# More words for the benchmarks: parts, or --rounds N.
BENCH ?=
# More words for the faults: --fault NAME, --seed N, --runs N.
FAULTS ?=
SOAK_SECONDS ?= 600
# The first interpreter that is new enough and can make virtual environments; looked for when it is needed.
PYTHON = $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)

.PHONY: help system bench-system install demo test lint check proto proto-check docs bench bench-check bench-plots fuzz faults soak clean
.PHONY: lock wheel pyz deb sbom audit package-check release-system

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

# $(1) is a test for each part, one line each: what is there, or the package that has it.
# What is missing is installed from this system's packages, without starting any service.
define install-missing
	@missing=(); \
	need() { missing+=("$$1"); }; \
	$(1) \
	if (( $${#missing[@]} == 0 )); then exit 0; fi; \
	if (( EUID != 0 )) || ! command -v apt-get >/dev/null; then \
		echo "missing: $${missing[*]}" >&2; \
		echo "as root: apt-get install --no-install-recommends $${missing[*]}" >&2; exit 1; fi; \
	echo "installing from this system's packages, without starting any service: $${missing[*]}"; \
	guard=/usr/sbin/policy-rc.d; \
	if [[ ! -e $$guard ]]; then \
		trap 'rm -f "$$guard"' EXIT; printf '#!/bin/sh\nexit 101\n' > $$guard; chmod 755 $$guard; fi; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get update -q; \
	apt-get install -q -y --no-install-recommends "$${missing[@]}"
endef

SYSTEM = \
	command -v containerd >/dev/null && command -v containerd-shim-runc-v2 >/dev/null || need containerd; \
	command -v runc >/dev/null || need runc; \
	command -v docker-registry >/dev/null || need docker-registry; \
	command -v nginx >/dev/null || need nginx-light; \
	command -v gcc >/dev/null || need gcc; \
	[[ "$$(gcc -print-file-name=libc.a 2>/dev/null)" == /* ]] || need libc6-dev; \
	command -v openssl >/dev/null || need openssl; \
	command -v systemd-analyze >/dev/null || need systemd; \
	[[ -x $(BIN)/python || -n '$(PYTHON)' ]] || need python3-venv;

BENCH_SYSTEM = \
	command -v socat >/dev/null || need socat; \
	command -v h2load >/dev/null || need nghttp2-client;

RELEASE_SYSTEM = \
	command -v mmdebstrap >/dev/null || need mmdebstrap;

system: ## install containerd, runc, docker-registry, nginx, gcc, openssl, systemd-analyze where they are missing (needs root)
	$(call install-missing,$(SYSTEM))

bench-system: system ## install what the benchmarks need besides: socat, h2load (needs root)
	$(call install-missing,$(BENCH_SYSTEM))

release-system:
	$(call install-missing,$(RELEASE_SYSTEM))

install: $(STAMP) ## make .venv with imagefit and everything that develops it

$(STAMP): pyproject.toml | system
	@[[ -x $(BIN)/python || -n '$(PYTHON)' ]] || { echo "Python 3.11 or later with its venv module is needed" >&2; exit 1; }
	[[ -x $(BIN)/python ]] || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(BENCH_STAMP): pyproject.toml $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

$(RELEASE_STAMP): pyproject.toml $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[release]'
	@touch $@

demo: system install ## show one pull going wrong without imagefit and right with it, on real parts
	PYTHONPATH=tests $(BIN)/python examples/demo.py

test: system install ## run all tests, on real parts, in two processes
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

lint: install proto-check ## everything that is checked without running the code
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint system ## lint, then all tests; every branch of the core must be covered
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage report --fail-under=100

# $(1) is the folder that the generated code goes under, laid out as this tree is.
define generate
	$(BIN)/python -m grpc_tools.protoc -I proto --python_out=$(1)/src --pyi_out=$(1)/src proto/imagefit/cri/messages.proto
	$(BIN)/python -m grpc_tools.protoc -I tests/harness/proto --python_out=$(1)/tests/harness/proto \
		--pyi_out=$(1)/tests/harness/proto tests/harness/proto/cri_client.proto tests/harness/proto/containerd_client.proto
endef

proto: install ## generate the Python code of the messages
	$(call generate,.)

proto-check: install
	@rm -rf $(VENV)/proto; mkdir -p $(VENV)/proto/src $(VENV)/proto/tests/harness/proto
	@$(call generate,$(VENV)/proto)
	$(BIN)/python tests/harness/proto/drift.py $(VENV)/proto .

docs: install ## write the pages, JSON Schemas and other files that are generated
	$(BIN)/python -m docs.generators

bench: bench-system install ## measure against no proxy and other proxies: a table, and benchmarks/results/DATE.json
	PYTHONPATH=tests $(BIN)/python -m benchmarks $(BENCH)

bench-check: bench-system install ## measure, and fail where a figure is 1.3 times worse than in the committed base
	PYTHONPATH=tests $(BIN)/python -m benchmarks --check $(BENCH)

bench-plots: install $(BENCH_STAMP) ## draw the plots of the page on performance from the committed base
	PYTHONPATH=tests $(BIN)/python -m benchmarks.plots

lock: install ## renew the versions that are released, with the hashes of PyPI's files: packaging/requirements.lock
	env -u UV_INDEX -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS $(BIN)/uv pip compile pyproject.toml --quiet --no-config \
		--default-index https://pypi.org/simple --universal --python-version 3.11 --generate-hashes --upgrade --no-annotate \
		--extra cpuinfo --extra nvidia --extra otel --extra signatures \
		--custom-compile-command 'make lock' --output-file packaging/requirements.lock

wheel: install ## make the wheel and the source distribution in dist/
	$(BIN)/python packaging/wheels.py

pyz: install ## make dist/imagefit.pyz, one file that runs by itself
	$(BIN)/python packaging/pyz.py

deb: install ## make the Debian package in dist/, for this machine's Python; needs no root
	$(BIN)/python packaging/deb.py

sbom: install ## write what a release consists of: dist/imagefit.cdx.json, in CycloneDX
	$(BIN)/python packaging/parts.py

audit: $(RELEASE_STAMP) ## ask for known vulnerabilities of the locked versions; without an answer it fails
	$(BIN)/pip-audit --strict --disable-pip --no-deps --require-hashes --requirement packaging/requirements.lock

# In this order: while the clean root is made, the bundle is made and checked.
package-check: system release-system install ## check what a release is made of, and its Debian package in a clean root (needs root)
	$(BIN)/python -m pytest tests/packaging/check_bundle.py tests/packaging/check_scripts.py tests/packaging/check_deb.py

$(FUZZ_STAMP): pyproject.toml $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary atheris --editable '.[fuzz]' || { \
		echo "atheris has no wheel for $$($(BIN)/python -V); PYTHON=python3.11 makes a .venv that it has one for" >&2; exit 1; }
	@touch $@

fuzz: install $(FUZZ_STAMP) ## fuzz every parser for FUZZ_SECONDS in all, or FUZZ_TARGET alone; findings go into the corpus
	PYTHONPATH=tests $(BIN)/python -m fuzz --seconds $(FUZZ_SECONDS) --target "$(FUZZ_TARGET)"

faults: system install ## let every fault strike at every step of a pull, then 500 by chance: a table; 1 where anything is lost
	PYTHONPATH=tests $(BIN)/python -m faults $(FAULTS)

soak: system install ## mixed calls for ten minutes (SOAK_SECONDS) with restarts: memory and descriptors stay flat
	PYTHONPATH=tests SOAK_SECONDS=$(SOAK_SECONDS) $(BIN)/python -m faults.soak

clean: ## remove what the tools keep, not .venv
	rm -rf dist .faults .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf
