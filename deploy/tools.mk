# Programs that prove what is deployed: pinned here, built from their sources, kept outside of the tree.
RUSHES_TOOLS ?= $(HOME)/.cache/rushes-tools
GO ?= go

GRPCURL_VERSION := v1.9.4
GRPCURL := $(RUSHES_TOOLS)/grpcurl-$(GRPCURL_VERSION)

# $(call go-build,module@version,package): built where the module lies, by its own go.sum and replacements.
define go-build
	@command -v $(GO) >/dev/null || { echo "Go is not installed: the tools are built from source. See https://go.dev/dl"; exit 1; }
	@mkdir -p $(RUSHES_TOOLS)
	$(GO) mod download $(1)
	cd $$($(GO) env GOMODCACHE)/$(1) && $(GO) build -mod=readonly -buildvcs=false -trimpath -o $@ $(2)
endef

$(GRPCURL):
	$(call go-build,github.com/fullstorydev/grpcurl@$(GRPCURL_VERSION),./cmd/grpcurl)
