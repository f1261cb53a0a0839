# Every verb of the house. `make` alone prints them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

PROTOS := $(shell cd proto && find rushes -name '*.proto' | sort)
SERVICE_PROTOS := $(filter %_service.proto,$(PROTOS))
GROUPS := storyboard job provider_gateway compiler studio sandbox cli house front dev
WEB := services/studio/static/vendor/LICENSES.txt
QUICK := tests/studio/test_plain.py

include deploy/tools.mk deploy/images/engine.mk deploy/workflows.mk deploy/observability/rules.mk
include deploy/helm/chart.mk deploy/helm/cluster.mk

.PHONY: help
help: ## Print the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/house: requirements/house.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/house.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/dev: requirements/dev.txt $(VENV)/house
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	touch $@

.PHONY: install
install: $(VENV)/dev ## Create .venv with everything, developer's tools included

$(WEB): services/studio/front/package-lock.json services/studio/front/build.py | $(VENV)/house
	command -v npm > /dev/null || $(BIN)/python -m pip install --quiet --require-hashes -r requirements/front.txt
	$(BIN)/python -m services.studio.front.build

.PHONY: web
web: $(WEB) ## Bring the fonts, scripts and icons of the studio's pages

.PHONY: film
film: $(VENV)/house ## Make the example film through the whole house
	$(BIN)/rushes film docs/examples/the-letter.yaml --output film.mp4 --yes

.PHONY: up
up: $(VENV)/house $(WEB) ## Run the whole house on this machine until Ctrl-C
	$(BIN)/rushes up

.PHONY: check
check: $(VENV)/dev ## Lint, types, import rules, contracts: what needs no server
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	$(BIN)/python tests/contract/breaking.py
	$(BIN)/python tests/contract/openapi.py
	$(MAKE) --no-print-directory proto
	git diff --exit-code --stat -- proto/gen && test -z "$$(git status --porcelain -- proto/gen)"

.PHONY: chromium
chromium: ## See that there is a Chromium for the tests of pages; root on Debian gets its package
	@command -v chromium google-chrome > /dev/null || { test "$$(id -u)" = 0 && command -v apt-get > /dev/null \
	  && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } \
	  || { echo "Chromium is needed by the tests of pages: install the package chromium."; exit 1; }

.PHONY: test
test: $(VENV)/dev $(WEB) chromium ## Every test; of those of the pages in a real Chromium a few, for the rest see test-studio
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --ignore tests/studio $(QUICK) tests

.PHONY: test-studio
test-studio: $(VENV)/dev $(WEB) chromium ## The pages in a real Chromium: every proof of them
	$(BIN)/python -m pytest tests/studio

.PHONY: studio-pictures
studio-pictures: $(VENV)/dev $(WEB) ## Picture every page of the studio into docs/studio, from films of the stand-in
	$(BIN)/python -m tests.studio.pictures

.PHONY: bench-studio
bench-studio: $(VENV)/dev $(WEB) ## Visit every page cold and press every button: how soon it is painted, and heard
	$(BIN)/python -m tests.studio.paint

.PHONY: tools-test
tools-test: chart-test workflows-test recipes-test ## What is proved with the tools: what is deployed

.PHONY: cover
cover: $(VENV)/dev ## Every test, with branch coverage
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --ignore tests/studio --cov --cov-report=term:skip-covered --cov-fail-under=80

.PHONY: bench
bench: $(VENV)/dev ## Drive jobs through the whole line and print what they cost
	$(BIN)/python -m tests.bench

.PHONY: bench-films
bench-films: $(VENV)/dev ## Cut films, and print what that costs beside a plain encode of the same clips
	$(BIN)/python -m tests.bench.films --growth

.PHONY: bench-many
bench-many: $(VENV)/dev ## Ask among a million jobs and 100,000 boards, and print what a call costs beside the same among few
	$(BIN)/python -m tests.bench.jobs
	$(BIN)/python -m tests.bench.boards
	$(BIN)/python -m tests.bench.watchers

.PHONY: bench-rest
bench-rest: $(VENV)/dev ## Read by REST and by gRPC, and print what the one costs beside the other
	$(BIN)/python -m tests.bench.rest

.PHONY: bench-flight
bench-flight: $(VENV)/dev ## Hold 10,000 submissions in flight and print what looking after them costs
	$(BIN)/python -m tests.bench.flight

.PHONY: bench-replicas
bench-replicas: $(VENV)/dev ## Do each service's work with 1, 2 and 4 of its processes, and print ratios
	$(BIN)/python -m tests.bench.replicas

.PHONY: crash
crash: $(VENV)/dev ## Kill, pause and trip the house at every place, and count what was lost
	$(BIN)/python -m tests.crash
	$(BIN)/python -m tests.crash.verbs
	$(BIN)/python -m tests.crash.films
	$(BIN)/python -m tests.crash.kills
	$(BIN)/python -m tests.crash.quorum

.PHONY: runbook-test
runbook-test: $(VENV)/dev $(GRPCURL) protoset ## Type every command of the runbook into a house, with grpcurl
	$(BIN)/python -m tests.runbook $(GRPCURL)

.PHONY: tools-test
tools-test: runbook-test ## What is proved with the tools: what is deployed

.PHONY: fuzz-rest
fuzz-rest: $(VENV)/dev $(SCHEMATHESIS) ## Have strangers try all that the OpenAPI document says, with a token and without
	$(BIN)/python -m tests.fuzz $(SCHEMATHESIS)/bin/schemathesis

.PHONY: drill
drill: $(VENV)/dev ## Restore older copies of a house's databases, and count what was paid twice
	$(BIN)/python -m tests.crash.drill

.PHONY: rolling
rolling: $(VENV)/dev ## Restart every replica of every service under load, and count the calls that failed
	$(BIN)/python -m tests.crash.rolling

.PHONY: play
play: $(VENV)/dev ## Show films of every kind to Chromium, frame by frame
	$(BIN)/python -m tests.play

.PHONY: images-test
images-test: $(VENV)/dev $(VERSITYGW) $(CYCLONEDX) $(COMPOSE_SCHEMA) ## Build the images and make the example film with them; needs root, buildah and mmdebstrap
	$(BIN)/python -m tests.images.schema $(COMPOSE_SCHEMA)
	$(BIN)/python -m tests.images

# Their base can be bootstrapped on Debian only; elsewhere the workflow of a release builds them.
ifneq ($(shell command -v mmdebstrap),)
tools-test: images-test
endif

.PHONY: storm
storm: $(VENV)/dev ## Order 10,000 clips against one budget while gateways are killed
	$(BIN)/python -m tests.crash.budget_storm

.PHONY: pictures
pictures: film ## Make the README's picture anew, from the example film
	cp film.contact.jpg docs/pictures/the-letter.contact.jpg

.PHONY: fmt
fmt: $(VENV)/dev ## Format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/buf format --write

.PHONY: proto
proto: $(VENV)/dev ## Regenerate proto/gen
	rm -rf proto/gen && mkdir proto/gen
	$(BIN)/python -m grpc_tools.protoc -I proto --python_out=proto/gen --mypy_out=quiet:proto/gen \
	  --plugin=$(BIN)/protoc-gen-mypy $(PROTOS)
	$(BIN)/python -m grpc_tools.protoc -I proto --grpc_python_out=proto/gen --mypy_grpc_out=quiet,only_async:proto/gen \
	  --plugin=$(BIN)/protoc-gen-mypy_grpc $(SERVICE_PROTOS)

.PHONY: protoset
protoset: $(VENV)/dev ## Write rushes.protoset: the contract for grpcurl, where reflection is off
	$(BIN)/python -m grpc_tools.protoc -I proto --include_imports --include_source_info --descriptor_set_out=rushes.protoset $(PROTOS)

.PHONY: config
config: $(VENV)/dev ## Write .env.example, the tables of docs/config.md and services/variables.txt anew
	$(BIN)/rushes config docs --write .

.PHONY: openapi
openapi: $(VENV)/dev ## Write the OpenAPI document of REST anew
	$(BIN)/python tests/contract/openapi.py --write

.PHONY: nats-users
nats-users: $(VENV)/house ## Write deploy/nats/users.conf anew from topology.yaml
	$(BIN)/python -m libs.bus_users > deploy/nats/users.conf.new
	mv deploy/nats/users.conf.new deploy/nats/users.conf

.PHONY: lock
lock: $(VENV)/dev ## Write requirements/<group>.txt anew, with hashes
	for group in $(GROUPS); do \
	  $(BIN)/uv pip compile --quiet --generate-hashes --universal --no-emit-index-url --no-annotate --no-header \
	    --python-version 3.11 --group $$group --output-file requirements/$$group.txt pyproject.toml; done
