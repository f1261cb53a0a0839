# A Docker engine and its compose plugin, built from their sources as deploy/tools.mk builds, to try docker-compose.yml with.
MOBY := github.com/moby/moby/v2@v2.0.0-beta.24
CONTAINERD := github.com/containerd/containerd/v2@v2.4.2
COMPOSE := github.com/docker/compose/v5@v5.5.1
ENGINE := $(RUSHES_TOOLS)/docker-$(lastword $(subst @, ,$(MOBY)))
ENGINE_PARTS := $(addprefix $(ENGINE)/,dockerd docker-proxy containerd containerd-shim-runc-v2 cli-plugins/docker-compose)

$(ENGINE_PARTS): export CGO_ENABLED := 0
$(ENGINE)/dockerd $(ENGINE)/docker-proxy:
	@mkdir -p $(@D)
	$(call go-build,$(MOBY),./cmd/$(@F))
$(ENGINE)/containerd $(ENGINE)/containerd-shim-runc-v2:
	@mkdir -p $(@D)
	$(call go-build,$(CONTAINERD),./cmd/$(@F))
$(ENGINE)/cli-plugins/docker-compose:
	@mkdir -p $(@D)
	$(call go-build,$(COMPOSE),./cmd)

.PHONY: compose-test
compose-test: $(VENV)/dev $(VERSITYGW) $(GRPCURL) $(ENGINE_PARTS) ## Type what README.md says of containers into an engine of its own; needs root, docker, runc, tini, iptables, busybox-static, and what images-test needs
	$(BIN)/python -m tests.images.walk $(ENGINE) $(GRPCURL)
