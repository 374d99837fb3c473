# Everything one does here. Uses uv when it is there, venv and pip when not; never the caller's environment.

SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE := 1

.DEFAULT_GOAL := help
.PHONY: help run test check bomb prove prove-nodes endure years prove-wire prove-mail prove-hub bench lock wheel clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(READY) ## Set up, then run the publication in this folder with its built-in inbox
	@$(BIN)/publisher run

test: $(READY) ## Set up, then run all tests (lint and types included)
	@$(MAKE) --no-print-directory check
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

prove: $(READY) ## Everything that can go wrong with delivery, at full size (hours): docs/proofs.md
	@PROVE=1 $(BIN)/python -m pytest -n 2 -o faulthandler_timeout=0 tests/delivery/test_kill.py \
		tests/delivery/test_crash_planning.py tests/delivery/test_database_dies.py tests/delivery/test_full_disk.py \
		tests/delivery/test_relay_dies.py tests/delivery/test_outages.py tests/services/test_plan_crash.py

prove-nodes: $(READY) ## Four nodes on one PostgreSQL, killed and stopped at random; 50,000 readers (half an hour), or PROVE_NODES=5000
	@PROVE=1 PROVE_NODES=$${PROVE_NODES:-50000} $(BIN)/python -m pytest -n 0 -s -o faulthandler_timeout=0 \
		tests/delivery/test_nodes.py tests/delivery/prove_rates.py

check: $(READY) ## Lint (ruff) and types (mypy strict)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

endure: $(READY) ## Play many more random histories of stories (minutes; PROPERTY_EXAMPLES=200 by default)
	@PROPERTY_EXAMPLES=$${PROPERTY_EXAMPLES:-200} PROPERTY_STEPS=$${PROPERTY_STEPS:-30} $(BIN)/python -m pytest -n 0 \
		-o faulthandler_timeout=0 tests/acceptance/test_lifecycle_property.py tests/services/test_notify_property.py

years: $(READY) ## Play ten years of slots in six time zones, with clocks that jump and machines that are off (minutes)
	@YEARS=1 $(BIN)/python -m pytest tests/services/test_plan_years.py -n 2 -o faulthandler_timeout=0

prove-wire: $(READY) ## What relays do wrong, all of it and again and again (minutes)
	@$(BIN)/python -m pytest tests/transports/prove_wire.py -n 2

prove-mail: $(READY) ## Mail as html-validate and SpamAssassin judge it, where they are installed
	@$(BIN)/python -m pytest tests/rendering/prove_mail.py -n 0 -rs

prove-hub: $(READY) ## A saved file by way of a WebSub hub of others, Flask-WebSub (fetched into .hub/)
	@test -x .hub/bin/python || { $(PYTHON) -m venv .hub && .hub/bin/python -m pip install -q flask-websub celery; }
	@HUB_PYTHON=$(CURDIR)/.hub/bin/python $(BIN)/python -m pytest -n 0 -s tests/acceptance/prove_hub.py

bomb: $(READY) ## Post 10,000 sign-up forms for one victim from 200 networks (a minute or two)
	@BOMB_POSTS=10000 $(BIN)/python -m pytest tests/web/test_signup_defences.py -k bombed -n 0 -o faulthandler_timeout=0

bench: $(READY) ## Measure; docs/benchmarks.md explains the figures
	@$(BIN)/python -m benchmarks

lock: ## Renew constraints.txt (needs uv)
	@uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-annotate --no-header --upgrade -q -o constraints.txt

wheel: $(READY) ## Build the wheel into dist/
	@$(PYTHON) -m pip wheel -q --no-deps -w dist .

clean: ## Remove what make and the service made, but not var/ (the state)
	@rm -rf $(VENV) .hub dist build public .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(READY): constraints.txt pyproject.toml
	@echo "setting up $(VENV) (once) ..."
	@if command -v uv >/dev/null 2>&1; then \
		UV_PYTHON_DOWNLOADS=never uv venv -q --clear --python '>=3.11' $(VENV) && \
		VIRTUAL_ENV=$(VENV) uv pip install -q --require-hashes -r constraints.txt && \
		VIRTUAL_ENV=$(VENV) uv pip install -q --no-deps -e . ; \
	else \
		$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it: make PYTHON=python3.12 ...")' && \
		$(PYTHON) -m venv --clear $(VENV) && \
		$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r constraints.txt && \
		$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e . ; \
	fi
	@touch $(READY)
