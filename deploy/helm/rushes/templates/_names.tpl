{{/* The first part of every name; short enough for the longest that follows. */}}
{{- define "rushes.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 34 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 34 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 34 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The name of a service's objects, by dict root, name: `provider_gateway` is no name in Kubernetes. */}}
{{- define "rushes.name" -}}
{{- printf "%s-%s" (include "rushes.fullname" .root) (.name | replace "_" "-") -}}
{{- end -}}

{{/* What selects all pods of the release. */}}
{{- define "rushes.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* What selects the pods of one component, by dict root, name. */}}
{{- define "rushes.selectorOf" -}}
{{ include "rushes.selector" .root }}
app.kubernetes.io/component: {{ .name | replace "_" "-" }}
{{- end -}}

{{/* The labels of an object, by dict root, name; of the release's own without a name. */}}
{{- define "rushes.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{ include "rushes.selector" .root }}
{{- with .name }}
app.kubernetes.io/component: {{ . | replace "_" "-" }}
{{- end }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: rushes
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Every service that is run, by name, with the defaults beneath: as YAML. */}}
{{- define "rushes.services" -}}
{{- range $name, $own := .Values.services -}}
{{- $service := mergeOverwrite (deepCopy $.Values.defaults) (deepCopy $own) -}}
{{- if $service.enabled }}
{{ $name }}:
{{- $service | toYaml | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The address of an image, by dict root, service. */}}
{{- define "rushes.image" -}}
{{- $image := .service.image -}}
{{- with $image.registry }}{{ . | trimSuffix "/" }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .root.Chart.AppVersion }}{{ end -}}
{{- end -}}

{{/* Where a gRPC service is found, by dict root, name, service: every pod by itself, so that calls are spread. The dot
at the end saves the DNS a search through the cluster's domains. */}}
{{- define "rushes.address" -}}
{{- printf "dns:///%s-headless.%s.svc.%s.:%d" (include "rushes.name" .) .root.Release.Namespace .root.Values.clusterDomain (int .service.port) -}}
{{- end -}}

{{/* The name of a service's identity, by dict root, name, service. */}}
{{- define "rushes.serviceAccount" -}}
{{- if .service.serviceAccount.name -}}
{{- .service.serviceAccount.name -}}
{{- else if .service.serviceAccount.create -}}
{{- include "rushes.name" . -}}
{{- else -}}
default
{{- end -}}
{{- end -}}
