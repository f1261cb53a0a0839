# Verbs of what others run for us: workflows of the forge, units of systemd.
RUSHES_TOOLS ?= $(HOME)/.cache/rushes-tools
ACTIONLINT_VERSION := v1.7.12
ACTIONLINT := $(RUSHES_TOOLS)/actionlint-$(ACTIONLINT_VERSION)

$(ACTIONLINT):
	@command -v go >/dev/null || { echo "Go is not installed: the tools are built from source. See https://go.dev/dl"; exit 1; }
	GOBIN=$(RUSHES_TOOLS)/of-$(ACTIONLINT_VERSION) go install github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT_VERSION)
	mv $(RUSHES_TOOLS)/of-$(ACTIONLINT_VERSION)/actionlint $@ && rmdir $(RUSHES_TOOLS)/of-$(ACTIONLINT_VERSION)

.PHONY: workflows-test
workflows-test: $(ACTIONLINT) ## Judge the forge's workflows
	$(ACTIONLINT) -color .github/workflows/*.yml

.PHONY: pins
pins: ## Say which digest each action's newest tag of its major has now, to compare with the workflows
	@grep -hoE 'uses: [^@ ]+@[0-9a-f]{40} # v[0-9]+' .github/workflows/*.yml | sort -u | while read -r _ action _ version; do \
	  echo "$${action%@*} $$version: pinned $${action#*@}, now $$(git ls-remote https://github.com/$${action%@*} "refs/tags/$$version" | cut -f 1)"; done

.PHONY: recipes-test
recipes-test: $(VENV)/dev ## Walk docs/recipes/vm.md: units, proxy, SQL, and every process in production
	$(BIN)/python -m tests.recipes
