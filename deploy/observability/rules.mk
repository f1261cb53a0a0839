# Rules and dashboards. Prometheus and promtool are of Debian's package, unpacked outside of the tree; one in the PATH is as good.
RUSHES_TOOLS ?= $(HOME)/.cache/rushes-tools
PROMTOOL ?= $(or $(shell command -v promtool),$(RUSHES_TOOLS)/promtool)
PROMETHEUS ?= $(or $(shell command -v prometheus),$(RUSHES_TOOLS)/prometheus)

$(RUSHES_TOOLS)/promtool $(RUSHES_TOOLS)/prometheus:
	@command -v apt-get >/dev/null || { echo "$(@F) is not installed: it comes with Prometheus"; exit 1; }
	mkdir -p $(@D) && rm -rf $@.new && mkdir $@.new && cd $@.new && apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb .
	mv $@.new/usr/bin/$(@F) $@ && rm -rf $@.new

.PHONY: rules-test
rules-test: $(PROMTOOL) ## Play every alert with promtool: what fires it, and what is near it
	$(PROMTOOL) check rules deploy/observability/rules/*.yaml
	$(PROMTOOL) test rules deploy/observability/rules/tests/*.yaml

.PHONY: dashboards
dashboards: $(VENV)/dev ## Write the dashboards anew, from deploy/observability/dashboards.yaml
	$(BIN)/python deploy/observability/draw.py

.PHONY: dashboard-pictures
dashboard-pictures: $(VENV)/dev $(WEB) $(PROMETHEUS) ## Film for some minutes in a house that Prometheus looks at, and draw each dashboard
	$(BIN)/python -m tests.panels $(PROMETHEUS)

.PHONY: trace-picture
trace-picture: $(VENV)/dev ## Film a small board in a whole house, and draw its trace
	RUSHES_TRACE_PICTURE=$(CURDIR)/docs/pictures/a-film.trace.svg $(BIN)/python -m pytest -q tests/e2e/test_trace.py -k one_trace

tools-test: rules-test
