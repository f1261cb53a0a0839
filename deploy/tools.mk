# Programs that prove what is deployed: pinned here, built from their sources, kept outside of the tree.
RUSHES_TOOLS ?= $(HOME)/.cache/rushes-tools
GO ?= go

HELM_VERSION := v4.3.1
HELM_UNITTEST_VERSION := v1.1.2
KUBECONFORM_VERSION := v0.8.0
GRPCURL_VERSION := v1.9.4
GHZ_VERSION := v0.93.0

HELM := $(RUSHES_TOOLS)/helm-$(HELM_VERSION)
HELM_UNITTEST := $(RUSHES_TOOLS)/helm-unittest-$(HELM_UNITTEST_VERSION)
KUBECONFORM := $(RUSHES_TOOLS)/kubeconform-$(KUBECONFORM_VERSION)
GRPCURL := $(RUSHES_TOOLS)/grpcurl-$(GRPCURL_VERSION)
GHZ := $(RUSHES_TOOLS)/ghz-$(GHZ_VERSION)
VERSITYGW_VERSION := v1.8.0
CYCLONEDX_VERSION := 7.5.0
SCHEMATHESIS_VERSION := 4.32.5
COMPOSE_GO := github.com/compose-spec/compose-go/v2@v2.16.2

VERSITYGW := $(RUSHES_TOOLS)/versitygw-$(VERSITYGW_VERSION)
CYCLONEDX := $(RUSHES_TOOLS)/cyclonedx-bom-$(CYCLONEDX_VERSION)
SCHEMATHESIS := $(RUSHES_TOOLS)/schemathesis-$(SCHEMATHESIS_VERSION)
COMPOSE_SCHEMA := $(RUSHES_TOOLS)/compose-spec-$(lastword $(subst @, ,$(COMPOSE_GO))).json

# $(call go-build,module@version,package): built where the module lies, by its own go.sum and replacements.
define go-build
	@command -v $(GO) >/dev/null || { echo "Go is not installed: the tools are built from source. See https://go.dev/dl"; exit 1; }
	@mkdir -p $(RUSHES_TOOLS)
	$(GO) mod download $(1)
	cd $$($(GO) env GOMODCACHE)/$(1) && $(GO) build -mod=readonly -buildvcs=false -trimpath -o $@ $(2)
endef

$(HELM):
	$(call go-build,helm.sh/helm/v4@$(HELM_VERSION),./cmd/helm)
$(HELM_UNITTEST):
	$(call go-build,github.com/helm-unittest/helm-unittest@$(HELM_UNITTEST_VERSION),./cmd/helm-unittest)
$(KUBECONFORM):
	$(call go-build,github.com/yannh/kubeconform@$(KUBECONFORM_VERSION),./cmd/kubeconform)
$(GRPCURL):
	$(call go-build,github.com/fullstorydev/grpcurl@$(GRPCURL_VERSION),./cmd/grpcurl)
$(GHZ):
	$(call go-build,github.com/bojand/ghz@$(GHZ_VERSION),./cmd/ghz)

.PHONY: tools
tools: $(HELM) $(HELM_UNITTEST) $(KUBECONFORM) $(GRPCURL) $(GHZ) ## Build the pinned tools into RUSHES_TOOLS, with Go

# What Kubernetes accepts, in two minors, and what the operators do whose objects the chart writes.
KUBERNETES_VERSIONS := v1.35.4 v1.36.3
PROMETHEUS_OPERATOR := github.com/prometheus-operator/prometheus-operator@v0.85.0
KEDA := github.com/kedacore/keda/v2@v2.21.0
GATEWAY_API := sigs.k8s.io/gateway-api@v1.5.1
CRDS := $(PROMETHEUS_OPERATOR)/example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml \
  $(PROMETHEUS_OPERATOR)/example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml \
  $(KEDA)/config/crd/bases/keda.sh_scaledobjects.yaml \
  $(GATEWAY_API)/config/crd/standard/gateway.networking.k8s.io_httproutes.yaml
KINDS := $(RUSHES_TOOLS)/kinds

$(KINDS): deploy/tools.mk deploy/helm/kinds.py | $(VENV)/dev
	@command -v $(GO) >/dev/null || { echo "Go is not installed: the schemas come as its modules. See https://go.dev/dl"; exit 1; }
	$(GO) mod download $(KUBERNETES_VERSIONS:%=k8s.io/kubernetes@%) $(PROMETHEUS_OPERATOR) $(KEDA) $(GATEWAY_API)
	rm -rf $@ $@.new && modules=$$($(GO) env GOMODCACHE) && $(BIN)/python deploy/helm/kinds.py $@.new \
	  $(foreach it,$(KUBERNETES_VERSIONS),$(it)=$$modules/k8s.io/kubernetes@$(it)/api/openapi-spec/swagger.json) \
	  $(CRDS:%=$$modules/%)
	mv $@.new $@
$(VERSITYGW):
	$(call go-build,github.com/versity/versitygw@$(VERSITYGW_VERSION),./cmd/versitygw)
$(COMPOSE_SCHEMA):
	@mkdir -p $(RUSHES_TOOLS)
	$(GO) mod download $(COMPOSE_GO)
	install -m 644 $$($(GO) env GOMODCACHE)/$(COMPOSE_GO)/schema/compose-spec.json $@
$(CYCLONEDX):
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet cyclonedx-bom==$(CYCLONEDX_VERSION) || { rm -r $@; exit 1; }
$(SCHEMATHESIS):
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet schemathesis==$(SCHEMATHESIS_VERSION) || { rm -r $@; exit 1; }
