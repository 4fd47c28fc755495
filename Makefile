# Two commands do everything on a fresh machine: `make demo` and `make test`.
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: demo up test check components bench soak lock generate licences sbom audit clean

demo: $(VENV)/.installed
	$(BIN)/gpuledger demo $(ARGS)

up: $(VENV)/.installed
	$(BIN)/gpuledger up $(ARGS)

# The newcomer's path first and alone, as on their machine; then all the rest.
test: $(VENV)/.installed components bench
	GPULEDGER_REQUIRE_COMPONENTS=1 $(BIN)/pytest tests/test_readme.py
	GPULEDGER_REQUIRE_COMPONENTS=1 $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder \
		--ignore=tests/test_readme.py $(ARGS)

check: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/gpuledger generate --check
	$(BIN)/python deploy/supply/licences.py --check

# Each promise with a number, measured: short here, long in `soak`, and twenty worlds of chaos and
# fifty kills -9 there.
bench: $(VENV)/.installed components
	for b in benchmarks/*.py; do echo "== $$b"; $(BIN)/python $$b --quick || exit 1; done

soak: $(VENV)/.installed components
	for b in benchmarks/*.py; do echo "== $$b"; $(BIN)/python $$b || exit 1; done
	CHAOS_SEEDS=20 CHAOS_KILLS=50 $(BIN)/pytest -s tests/chaos

components: $(VENV)/.installed
	bash tests/components/install.sh

generate: $(VENV)/.installed
	$(BIN)/gpuledger generate

licences: $(VENV)/.installed
	$(BIN)/python deploy/supply/licences.py

# What is installed, with versions and licences, in CycloneDX.
sbom: $(VENV)/.installed
	mkdir -p build
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --mc-type application \
		--output-reproducible --no-validate --of JSON -o build/sbom.cdx.json $(BIN)/python

# 3 from the program (2 from make): the advisories could not be reached, nothing is known.
audit: $(VENV)/.installed
	$(BIN)/python deploy/supply/audit.py

lock:
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --extra dev pyproject.toml -o requirements.lock

$(VENV)/.installed: requirements.lock pyproject.toml
	test -x $(BIN)/python || python3 -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements.lock)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	touch $@

clean:
	rm -rf $(VENV) .components gpuledger-demo
