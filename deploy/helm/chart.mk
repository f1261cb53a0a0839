# Verbs of the Helm chart.
CHART := deploy/helm/rushes

.PHONY: chart-schema
chart-schema: $(VENV)/dev ## Write the chart's values.schema.json from its values and the services' settings
	$(BIN)/python deploy/helm/schema.py

.PHONY: chart-test
chart-test: $(VENV)/dev $(HELM) $(HELM_UNITTEST) $(KUBECONFORM) $(KINDS) ## Lint, render and judge the Helm chart
	$(MAKE) --no-print-directory chart-schema
	git diff --exit-code --stat -- $(CHART)/values.schema.json && test -z "$$(git status --porcelain -- $(CHART)/values.schema.json)"
	for values in $(CHART)/ci/*-values.yaml; do $(HELM) lint --strict --quiet --values $$values $(CHART) || exit 1; done 2> >(grep -v 'symbolic link' >&2)
	$(HELM_UNITTEST) --strict --file 'tests/*_test.yaml' $(CHART)
	$(BIN)/python -m tests.chart $(HELM) $(KUBECONFORM) $(KINDS) $(KUBERNETES_VERSIONS)

.PHONY: chart-walk
chart-walk: $(VENV)/dev $(HELM) ## Type docs/kubernetes.md up to the first film, with processes for pods
	$(BIN)/python -m tests.chart.walk $(HELM)

tools-test: chart-walk
