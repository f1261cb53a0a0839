# Rules and dashboards. promtool is of Debian's package `prometheus`, unpacked outside of the tree; one in the PATH is as good.
RUSHES_TOOLS ?= $(HOME)/.cache/rushes-tools
PROMTOOL ?= $(or $(shell command -v promtool),$(RUSHES_TOOLS)/promtool)

$(RUSHES_TOOLS)/promtool:
	@command -v apt-get >/dev/null || { echo "promtool is not installed: it comes with Prometheus"; exit 1; }
	mkdir -p $(@D) && rm -rf $@.new && mkdir $@.new && cd $@.new && apt-get download -qq prometheus && dpkg-deb -x prometheus_*.deb .
	mv $@.new/usr/bin/promtool $@ && rm -rf $@.new

.PHONY: rules-test
rules-test: $(PROMTOOL) ## Play every alert with promtool: what fires it, and what is near it
	$(PROMTOOL) check rules deploy/observability/rules/*.yaml
	$(PROMTOOL) test rules deploy/observability/rules/tests/*.yaml

.PHONY: dashboards
dashboards: $(VENV)/dev ## Write the dashboards anew, from deploy/observability/dashboards.yaml
	$(BIN)/python deploy/observability/draw.py

.PHONY: trace-picture
trace-picture: $(VENV)/dev ## Film a small board in a whole house, and draw its trace
	RUSHES_TRACE_PICTURE=$(CURDIR)/docs/pictures/a-film.trace.svg $(BIN)/python -m pytest -q tests/e2e/test_trace.py -k one_trace

tools-test: rules-test
