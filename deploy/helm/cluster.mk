# A Kubernetes of one node to try the chart on: its programs, built from their sources, kept outside of the tree.
CLUSTER_VERSION := v1.35.4
CLUSTER := $(RUSHES_TOOLS)/cluster-$(CLUSTER_VERSION)
CLUSTER_PROGRAMS := kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl
CLUSTER_STAGING := v0.$(subst v1.,,$(CLUSTER_VERSION))
CLUSTER_BUILD := CGO_ENABLED=0 GOWORK=off $(GO) build -mod=mod -buildvcs=false -trimpath

# Kubernetes replaces its own libraries by folders that are in no module: here, by their releases of the same day.
$(CLUSTER)/kubectl:
	@mkdir -p $(@D) $(@D).mod
	$(GO) mod download k8s.io/kubernetes@$(CLUSTER_VERSION)
	module=$$($(GO) env GOMODCACHE)/k8s.io/kubernetes@$(CLUSTER_VERSION) && cd $$module && \
	  sed '/^replace (/,/^)/d; s/ v0\.0\.0$$/ $(CLUSTER_STAGING)/' go.mod > $(@D).mod/go.mod && install -m 644 go.sum $(@D).mod && \
	  $(CLUSTER_BUILD) -modfile=$(@D).mod/go.mod -o $(@D)/ \
	  -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$(CLUSTER_VERSION)" $(CLUSTER_PROGRAMS:%=./cmd/%)

$(CLUSTER)/coredns: $(wildcard tests/cluster/programs/*/main.go) tests/cluster/programs/go.mod
	@mkdir -p $(@D)
	cp tests/cluster/programs/go.mod $(@D).mod/programs.mod
	cd tests/cluster/programs && $(CLUSTER_BUILD) -modfile=$(@D).mod/programs.mod -ldflags "-s -w" -o $(@D)/ ./...

.PHONY: cluster-test
cluster-test: $(VENV)/dev $(CLUSTER)/kubectl $(CLUSTER)/coredns $(HELM) $(GRPCURL) $(VERSITYGW) ## Install the chart on a Kubernetes of one node, by docs/kubernetes.md, and try it; needs root, containerd, runc, etcd
	ln -sf $(HELM) $(CLUSTER)/helm && ln -sf $(GRPCURL) $(CLUSTER)/grpcurl
	$(BIN)/python -m tests.cluster $(CLUSTER)
