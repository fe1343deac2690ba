# The commands of this project, the same here and in CI. Each makes the virtual environment first where there is none.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

NODE := examples/node_modules/.installed
# The example in JavaScript and its tests need Node.js; without it they are left out.
HAS_NODE := $(and $(shell command -v node),$(shell command -v npm))

.PHONY: venv node demo test test-fast test-robot lint check docs bench bench-learning

venv: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info < (3, 12) or print("PyBullet has wheels up to Python 3.11. This is", \
		sys.version.split()[0] + ": pip compiles it now, in silence, for about 5 minutes, and needs a C++ compiler.")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -c constraints.txt -e '.[dev]'
	touch $@

node: $(NODE)

$(NODE): examples/package.json examples/package-lock.json
	cd examples && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

demo: $(INSTALLED)
	$(BIN)/fleetmix demo

# Two processes of one thread each: more threads only wait for one another.
test test-fast: export OMP_NUM_THREADS := 1
test: $(INSTALLED) $(if $(HAS_NODE),$(NODE))
	$(BIN)/pytest -q -rs -n 2

# Without what trains, compiles or waits for longer than five seconds.
test-fast: $(INSTALLED)
	$(BIN)/pytest -q -rs -n 2 -m "not slow"

# A robot's processes, and theirs alone, on another Python: make test-robot ROBOT_PYTHON=python3.13
ROBOT_PYTHON ?= $(PYTHON)
test-robot: export OMP_NUM_THREADS := 1
test-robot: $(INSTALLED)
	$(ROBOT_PYTHON) -m venv --clear .venv-robot
	.venv-robot/bin/pip install -q -c constraints.txt '.[robot,sign]'
	FLEETMIX_ROBOT_PYTHON=$(CURDIR)/.venv-robot/bin/python $(BIN)/pytest -q tests/export/robot tests/export/keys

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict

check: lint test

# What the docs take from the code: the picture of the folders, and the table of the observation.
docs: $(INSTALLED)
	$(BIN)/python -m docs.draw_layout
	$(BIN)/python -m docs.observation_table

bench: $(INSTALLED)
	@set -e; for name in simulation lidar inference robot; do echo "$$name"; $(BIN)/python -m benchmarks.$$name; done

# Fifteen trainings, one after the other: five seeds of QMIX, VDN and IQL.
bench-learning: $(INSTALLED)
	$(BIN)/python -m benchmarks.learning
