# Every target sets up what it needs: Python 3.11 or later with venv, and make, are enough.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
UV := uv==0.13.9
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-annotate --no-emit-index-url --no-emit-find-links pyproject.toml
# A second time: whatever rests on the database's own constraints, locks, ranges and clock. Not
# what is about the shape of requests and pages, whatever database is behind them, nor use cases
# whose rows are plain, nor what starts the embedded server by itself.
PLAIN := api planning consent law people ward
DATABASE_TESTS := tests/stories/test_no_double_booking.py tests/stories/test_state_machine.py \
	tests/stories/test_full_ward_story.py tests/service $(PLAIN:%=--ignore=tests/service/%) \
	--ignore=tests/service/store/test_embedded.py --ignore=tests/service/workflow/test_one_place.py
# Files in the order of testpaths: the long ones first.
PYTEST := $(PY) -m pytest -p tests.no_skips -n 2 --dist loadfile --no-loadscope-reorder

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The tests start a hundred processes of the service; without byte code each compiles it anew.
unexport PYTHONDONTWRITEBYTECODE

.DELETE_ON_ERROR:
.PHONY: help run test lint coverage bench bench-planner clean-data lock $(VENV)

help:
	@echo 'make run [PORT=8123]  serve the demo city on 127.0.0.1 and print one key per role'
	@echo 'make test             lint, then all tests: embedded server, then Debian PostgreSQL'
	@echo 'make lint             ruff, mypy --strict, import-linter'
	@echo 'make coverage         the tests once more, traced: fails under 85 percent of branches'
	@echo 'make bench            the benchmarks: they measure, they never fail a build'
	@echo 'make bench-planner    this planner, first come first served and CP-SAT, side by side'
	@echo '                      [QUICK=1] [OUT=results.json]'
	@echo 'make lock             write both lock files anew from pyproject.toml'
	@echo 'make clean-data       delete the embedded database of make run'

$(VENV): $(READY)

$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo '$(PYTHON) must be Python 3.11 or later with venv (Debian: python3-venv);' \
		'name another one: make PYTHON=/path/to/python3'; exit 1; }
	@echo 'building $(VENV) from requirements-dev.lock'
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PY) -m pip install -qq --require-hashes --only-binary :all: -r requirements-dev.lock
	@$(PY) -m pip install -qq --no-deps --no-build-isolation --editable .
	@touch $@

run: $(READY)
	$(VENV)/bin/rehab-beds serve --demo --port $(PORT)

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

# The second run is the last to print, so that the log ends with pytest's closing line.
test: lint
	@$(PY) -m tests.with_debian_postgres
	$(PYTEST)
	@$(PY) -m tests.with_debian_postgres $(PYTEST) $(DATABASE_TESTS)

# Tracing every line takes half as long again: it is measured on its own, not in each test run.
coverage: $(READY)
	$(PYTEST) --cov=service --cov=solver

bench: $(READY)
	@set -e; for file in $(sort $(wildcard tests/benchmarks/bench_*.py)); do \
		echo "== $$file"; $(PY) -m "tests.benchmarks.$$(basename "$$file" .py)"; done

bench-planner: $(READY)
	$(PY) -m tests.benchmarks.bench_planner $(if $(QUICK),--quick --seeds 1) $(if $(OUT),--out '$(OUT)')

clean-data: $(READY)
	$(VENV)/bin/rehab-beds clean-data --yes

lock:
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
	$(PYTHON) -m venv "$$scratch" && "$$scratch/bin/pip" install -qq '$(UV)' && \
	"$$scratch/bin/"$(LOCK) --extra build --extra dev --output-file requirements-dev.lock && \
	"$$scratch/bin/"$(LOCK) --extra build --constraint requirements-dev.lock \
		--output-file requirements.lock
