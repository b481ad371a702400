# All commands for developers and CI. `make help` lists them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export OUTSIDE ?= $(PATH)
export PATH := $(abspath $(BIN)):$(PATH)
export PYTHONDONTWRITEBYTECODE := 1

API := taurusdb_starrocks_api
# Writes the client into folder $(1). One definition, so that `generate` and `drift` cannot differ.
generate_into = openapi-python-client generate --path openapi.yaml --config generated/config.yaml \
	--meta none --fail-on-warning --output-path $(1) && touch $(1)/py.typed

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The only way to install a lock. It uses a Python outside the environment that it creates.
python = PATH="$(OUTSIDE)" $(PYTHON)
define environment
	@$(python) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null || { \
		echo "$(PYTHON) is not Python 3.11 to 3.14, or does not run: name one that does, as in make PYTHON=python3.12" >&2; exit 1; }
	@$(python) requirements/environment.py $(1) $(@D:/bin=) $<
endef

# .venv-NAME contains the packages in requirements/NAME.txt.
.venv-%/bin/.ready: requirements/%.txt
	$(environment)

# The environment of all other targets.
$(BIN)/.ready: requirements/dev.txt pyproject.toml
	$(call environment,--editable)

.PHONY: generate
generate: $(BIN)/.ready ## Rebuild the low-level client from openapi.yaml
	rm -rf generated/$(API)
	$(call generate_into,generated/$(API))

.PHONY: drift
drift: $(BIN)/.ready ## Fail if generated/ differs from what openapi.yaml produces; writes nothing
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT \
	&& cp generated/config.yaml "$$fresh" \
	&& $(call generate_into,"$$fresh/$(API)") \
	&& diff -r -x __pycache__ "$$fresh" generated \
	&& echo "drift: none"

# The sources of each lock. Airflow is only in its own lock, because users bring their own Airflow.
EXTRAS := --extra cli --extra conformance --extra emulator
LOCKED := aiohttp airflow audit base dev docs httpx keystone mutation official oracle power release runtime lowest
lock-airflow: FROM := pyproject.toml --group airflow --extra airflow --extra emulator
lock-audit: FROM := --group audit
lock-dev: FROM := pyproject.toml --group dev $(EXTRAS)
lock-docs: FROM := pyproject.toml --group docs --extra cli --extra emulator
lock-keystone: FROM := requirements/keystone.in
lock-mutation: FROM := pyproject.toml --group mutation --constraint requirements/dev.txt
lock-official: FROM := requirements/official.in
lock-oracle: FROM := pyproject.toml --group oracle --extra conformance --constraint requirements/dev.txt
lock-power: FROM := pyproject.toml --group power --extra conformance --constraint requirements/dev.txt
lock-release: FROM := --group release
lock-runtime: FROM := pyproject.toml $(EXTRAS) --constraint requirements/dev.txt
lock-lowest: FROM := pyproject.toml $(EXTRAS) --group test --resolution lowest-direct --upgrade
lock-base: FROM := pyproject.toml --constraint requirements/dev.txt
lock-httpx: FROM := requirements/httpx.in --constraint requirements/dev.txt
lock-aiohttp: FROM := requirements/aiohttp.in --constraint requirements/dev.txt
.PHONY: lock $(LOCKED:%=lock-%)
lock: $(LOCKED:%=lock-%) ## Update all locks, or one with lock-dev and so on; UPGRADE=--upgrade for newer versions (needs uv)
lock-mutation lock-power lock-runtime lock-base lock-httpx lock-aiohttp: lock-dev
$(LOCKED:%=lock-%): lock-%:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate $(FROM) $(UPGRADE) -o requirements/$*.txt

.PHONY: demo
demo: $(BIN)/.ready ## Pause and resume tasks on the embedded emulator
	@python examples/demo.py

# Test directories that have a separate target below.
OWN_TARGET := tests/fleet/kills tests/airflow tests/airflow_cluster tests/conformance/runs tests/cost tests/docs/browser tests/docs/recipes tests/node tests/package tests/peers tests/power tests/soak tests/speed tests/terminal
# More workers than cores, because half of these tests wait for processes, clocks and sockets.
MOST_TESTS := pytest -n 4 --dist worksteal tests $(addprefix --ignore=,$(OWN_TARGET))

.PHONY: test
test: $(BIN)/.ready ## Run the tests that need no Node, no browser and no third-party servers
	$(MOST_TESTS)

.PHONY: test-pythons
test-pythons: ## Run `make test` on every Python from 3.11 on that is on the PATH or installed by pyenv
	@ran=; for python in $$($(python) requirements/interpreters.py); do \
		printf '\n--- %s\n' "$$python"; \
		$(MAKE) --no-print-directory test "PYTHON=$$python" "VENV=.venv-$${python##*/python}" || exit 1; \
		ran="$$ran $${python##*/python}"; \
	done; \
	echo "test-pythons: passed on$${ran:? no interpreter found}"

.PHONY: coverage
coverage: $(BIN)/.ready ## Run `make test` and fail unless the wrapper has full branch coverage
	$(MOST_TESTS) --cov --cov-branch --cov-report=term-missing --cov-fail-under=100

.PHONY: fuzz
fuzz: $(BIN)/.ready ## Fuzz the emulator, or the server at TARGET, with openapi.yaml; reports in reports/
	@python -m tests.conformance.emulated

.PHONY: fuzz-test
fuzz-test: $(BIN)/.ready ## Run the contract suite on right and wrong servers, as people run it, and read its reports
	pytest -q -n 2 tests/conformance/runs

# The suite as users get it: the wheel, in a separate environment, without a checkout. Four workers, because each run
# waits for pauses to take effect.
POWER := .venv-power/bin
FAULTS_TABLE := docs/reference/conformance-faults.md
.PHONY: fuzz-power
fuzz-power: $(POWER)/.ready dist ## Test that the suite in the wheel finds faults: servers with one fault each, and correct ones
	@away=$$(mktemp -d) && trap 'rm -rf "$$away"' EXIT \
	&& $(POWER)/pip install --quiet --no-deps --force-reinstall dist/*.whl \
	&& mkdir "$$away/tests" && cp -R tests/power "$$away/tests" && cp -R examples docs/reports "$$away" \
	&& cd "$$away" && python=$(abspath $(POWER))/python \
	&& $$python -m pytest -q -n 4 --dist worksteal --no-header -p no:cacheprovider -W error -o pythonpath=. \
		--rootdir . --table $(abspath $(FAULTS_TABLE)) tests/power

# One mutant in EVERY is tested: all of them, or those that CI has time for.
EVERY ?= 1
.PHONY: oracle-power
oracle-power: .venv-oracle/bin/.ready ## Mutate the suite's judging code, and count the mutants that its tests notice
	PYTHONPATH=conformance .venv-oracle/bin/python -m tests.oracle.mutate --every $(EVERY)

.PHONY: oracle-sample
oracle-sample: ## Run one mutant in twelve of `make oracle-power`
	@$(MAKE) --no-print-directory oracle-power EVERY=12

# mutmut has a separate environment without the project, because it mutates a copy.
.PHONY: decision-power
decision-power: .venv-mutation/bin/.ready ## Mutate the wrapper's decisions; their tests must notice each mutant
	.venv-mutation/bin/python tests/mutation/decision_power.py

# Redocly for the contract, and axe for the site. The lock has no URLs.
export REDOCLY_TELEMETRY := off
export REDOCLY_SUPPRESS_UPDATE_NOTICE := true
node_modules/.ready: package.json package-lock.json .npmrc
	@node -e 'process.exit(+process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null \
	|| { echo "Node.js 20.19 or newer is needed for this target, and for no other but breaking, workflow, lint and docs-test" >&2; exit 1; }
	npm ci --ignore-scripts --silent
	touch $@

.PHONY: lint
lint: $(BIN)/.ready node_modules/.ready ## Lint the contract, workflows and code, and check types (needs Node 20)
	node_modules/.bin/redocly lint openapi.yaml workflows/*.yaml
	openapi-spec-validator openapi.yaml
	zizmor --offline --pedantic --quiet .github
	ruff check
	ruff format --check
	mypy

.PHONY: breaking
breaking: $(BIN)/.ready node_modules/.ready ## Fail if the contract breaks callers of the last release (needs Node 20)
	python -m tests.contract.breaking
	pytest -q tests/node/test_breaking.py

.PHONY: workflow
workflow: $(BIN)/.ready node_modules/.ready ## Run the maintenance window in workflows/ against the emulator (needs Node 20)
	python -m tests.node.workflow
	pytest -q tests/node/test_workflow.py

.PHONY: soak
soak: $(BIN)/.ready ## Run 20,000 concurrent calls, and a fleet that is killed, against a failing service
	pytest -q tests/soak tests/fleet/kills

.PHONY: soak-fleet
soak-fleet: $(BIN)/.ready ## Pause and resume 10,000 tasks while the service fails and the program is killed 20 times each
	@python -m tests.fleet.soak --seed $(SEED)

WINDOWS ?= 5000
SEED ?= 1
.PHONY: torture
torture: $(BIN)/.ready ## Interrupt, fork and cancel WINDOWS windows with all faults; no task may stay paused without an error
	@python -m tests.torture --windows $(WINDOWS) --seed $(SEED) --ensure

# The share of each scenario's repetitions: all of them, or those that CI has time for.
SHARE ?= 1
.PHONY: torture-durable
torture-durable: $(BIN)/.ready ## Kill, stop and restart programs with durable windows; every task must run again
	@python -m tests.torture.durable --share $(SHARE) --seed $(SEED)

.PHONY: torture-durable-sample
torture-durable-sample: ## Run one repetition in twenty of `make torture-durable`
	@$(MAKE) --no-print-directory torture-durable SHARE=0.05

TIMES ?= 100
.PHONY: torture-window
torture-window: $(BIN)/.ready ## Send each of four signals to TIMES windows of the command at random moments
	@python -m tests.terminal.torture --times $(TIMES) --seed $(SEED)
	@python -m tests.terminal.torture --times $(TIMES) --seed $(SEED) --fleet

.PHONY: torture-window-sample
torture-window-sample: ## Run five of each signal of `make torture-window`
	@$(MAKE) --no-print-directory torture-window TIMES=5

.PHONY: terminal
terminal: $(BIN)/.ready ## Run the command in a terminal, compare its screens with the docs, and run the jobs in examples/
	pytest -q -n 2 tests/terminal

.PHONY: emulator-speed
emulator-speed: $(BIN)/.ready ## Measure the emulator: start, seed, reset, and calls/s compared with a bare Starlette route
	pytest -q -s tests/speed

# The compared clients, each in a separate environment, as installed by users.
BENCH := $(patsubst %,.venv-%/bin/.ready,base httpx aiohttp official)
.PHONY: bench
bench: $(BIN)/.ready $(BENCH) ## Compare the client with others, in reports/bench.md; OPTIONS=--quick takes a minute
	@python -m bench $(OPTIONS)

.PHONY: valgrind
valgrind: ## Install valgrind if it is missing (Debian, root or sudo)
	@root=; command -v valgrind >/dev/null || { \
		test "$$(id -u)" = 0 || root="sudo -n"; \
		$$root apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			$$root apt-get install -qq -y --no-install-recommends valgrind >/dev/null; }

.PHONY: cost
cost: $(BIN)/.ready valgrind ## Fail if a call takes more instructions than its limit
	pytest -q tests/cost

# Third-party programs, in separate environments, because they conflict with our dependencies.
PEERS := .venv-keystone/bin/.ready .venv-official/bin/.ready
.PHONY: peers
peers: $(BIN)/.ready $(PEERS) ## Test against OpenStack Keystone, the vendor's signer and its client
	pytest -n 2 --dist loadfile tests/peers

# Airflow has a separate environment, because it pins many packages.
AIRFLOW := .venv-airflow/bin
$(AIRFLOW)/.ready: requirements/airflow.txt pyproject.toml
	$(call environment,--editable)

.PHONY: airflow-dag-test
airflow-dag-test: $(AIRFLOW)/.ready ## Run each operator, the sweep and the guide's DAG in Airflow, in process
	$(AIRFLOW)/mypy --config-file tests/airflow/mypy.ini
	$(AIRFLOW)/pytest -q -n 2 tests/airflow \
		--cov --cov-config=tests/airflow/coverage.ini --cov-report=term-missing --cov-fail-under=100

.PHONY: airflow-services
airflow-services: ## Install Redis and PostgreSQL if they are missing; starts neither (Debian, root or sudo)
	@root=; command -v redis-server >/dev/null && ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || { \
		test "$$(id -u)" = 0 || root="sudo -n"; \
		$$root apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
			$$root apt-get install -qq -y --no-install-recommends postgresql redis-server >/dev/null; }

.PHONY: airflow-test
airflow-test: $(AIRFLOW)/.ready airflow-services ## Interrupt windows and kill a worker in a real Airflow cluster; takes 10 minutes
	$(AIRFLOW)/pytest -q -s -p no:cacheprovider tests/airflow_cluster

.PHONY: airflow-api
airflow-api: $(AIRFLOW)/.ready ## Update the snapshot of the provider's public API
	$(AIRFLOW)/python tests/package/surface.py taurusdb_starrocks.airflow > tests/airflow/public-api.txt

# The site has a separate environment, because Sphinx and the browser driver are large.
DOCS := .venv-docs/bin
$(DOCS)/.ready: requirements/docs.txt pyproject.toml
	$(call environment,--editable)

.PHONY: docs
docs: $(DOCS)/.ready ## Build the documentation into site/; it also works without a web server
	rm -rf site
	$(DOCS)/sphinx-build --quiet --fail-on-warning --keep-going --nitpicky --fresh-env \
		--doctree-dir .venv-docs/doctrees docs site

.PHONY: chromium
chromium: ## Install the browser for docs-test if it is missing (Debian, root or sudo)
	@root=; command -v chromium >/dev/null || { \
		test "$$(id -u)" = 0 || root="sudo -n"; \
		$$root apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			$$root apt-get install -qq -y --no-install-recommends chromium >/dev/null; }

.PHONY: screenshots
screenshots: docs chromium ## Update the screenshots of the site in docs/_static
	$(DOCS)/python -m tests.docs.browser.screenshots

.PHONY: docs-test
docs-test: docs chromium node_modules/.ready ## Test the site in a browser, run its examples, and compare it with the code
	$(DOCS)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder tests/docs

# A release has a separate environment with few packages.
RELEASE := .venv-release/bin

# A fixed time (hatchling's default), so that the same sources give the same bytes.
.PHONY: dist
dist: $(RELEASE)/.ready ## Build wheel and sdist into dist/, check them, and check that the build is reproducible
	rm -rf dist
	SOURCE_DATE_EPOCH=1580601600 $(RELEASE)/hatchling build -t sdist -t wheel -d dist
	$(RELEASE)/twine check --strict dist/*
	$(RELEASE)/check-wheel-contents dist/*.whl

.PHONY: sbom
sbom: $(RELEASE)/.ready dist ## List the dependencies of the wheel with all extras, in dist/sbom.cdx.json
	@empty=$$(mktemp -d) && trap 'rm -rf "$$empty"' EXIT \
	&& $(RELEASE)/python requirements/environment.py --without-pip "$$empty" requirements/runtime.txt \
	&& sed "s/^dynamic = .*/version = '$$($(RELEASE)/hatchling version)'/" pyproject.toml > "$$empty/pyproject.toml" \
	&& $(RELEASE)/cyclonedx-py environment "$$empty/bin/python" --pyproject "$$empty/pyproject.toml" \
		--mc-type library --output-reproducible --of JSON -o dist/sbom.cdx.json \
	&& echo "sbom: dist/sbom.cdx.json"

.PHONY: package
package: $(BIN)/.ready sbom ## Test the packages in dist/: contents, extras, lowest and newest versions, public API
	pytest -n 2 --dist worksteal tests/package

.PHONY: environments
environments: $(BIN)/.ready $(patsubst %,.venv-%/bin/.ready,$(filter-out dev,$(LOCKED))) ## Install all locks
	@echo "environments: $(LOCKED)"

.PHONY: audit
audit: .venv-audit/bin/.ready ## Fail if a dependency of the package has a known vulnerability
	.venv-audit/bin/pip-audit --progress-spinner off --strict --disable-pip --require-hashes -r requirements/runtime.txt

.PHONY: api
api: $(BIN)/.ready ## Update the snapshot of the public API; breaking changes need a line in the changelog
	python tests/package/surface.py > tests/package/public-api.txt

.PHONY: tag
tag: $(RELEASE)/.ready ## Fail unless TAG is the version and the changelog has a section for it
	test "$$TAG" = "v$$($(RELEASE)/hatchling version)"
	grep -q "^## \[$$($(RELEASE)/hatchling version)\] - " CHANGELOG.md

.PHONY: publish
publish: $(RELEASE)/.ready ## Upload the packages in dist/ to the index (in the release workflow, which the index trusts)
	$(RELEASE)/twine upload --non-interactive dist/*.whl dist/*.tar.gz

.PHONY: announce
announce: ## Create a release of TAG with the packages in dist/ attached (needs gh)
	gh release create "$$TAG" --verify-tag --title "$$TAG" --generate-notes dist/*

# Everything that CI runs, in order, with the fastest steps first.
CHECKS := lint breaking workflow drift demo coverage terminal cost airflow-dag-test package peers fuzz fuzz-test fuzz-power oracle-sample torture-durable-sample torture-window-sample docs-test soak emulator-speed
.PHONY: check
check: ## Run everything that CI runs, in order, and print the duration of each step
	@begin=$$(date +%s); took=; failed=; \
	for step in $(CHECKS); do \
		from=$$(date +%s); printf '\n--- %s\n' $$step; \
		$(MAKE) --no-print-directory $$step || failed=$$step; \
		took="$$took$$(printf '%-14s %4d s' $$step $$(($$(date +%s) - from)))\n"; \
		test -z "$$failed" || break; \
	done; \
	printf "\n$$took%-14s %4d s\n" total $$(($$(date +%s) - begin)); \
	test -z "$$failed" || { echo "check: $$failed failed" >&2; exit 1; }
