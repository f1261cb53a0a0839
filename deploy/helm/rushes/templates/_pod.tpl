{{/* The pod of a service, by dict root, name, service. */}}
{{- define "rushes.pod" -}}
{{- $container := mergeOverwrite (include "rushes.container" . | fromYaml) .service.container -}}
serviceAccountName: {{ include "rushes.serviceAccount" . }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ include "rushes.grace" .service }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "rushes.podSecurity" . | nindent 2 }}
{{- if ne .service.spread "none" }}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: {{ $.service.spread }}
    labelSelector:
      matchLabels:
        {{- include "rushes.selectorOf" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- if and .service.owner (eq .root.Values.migrations.mode "initContainer") }}
initContainers:
  - {{- include "rushes.migration" . | nindent 4 }}
{{- end }}
containers:
  - {{- toYaml $container | nindent 4 }}
volumes:
  - name: secrets
    projected:
      defaultMode: 0440
      sources:
        {{- include "rushes.secretSources" . | nindent 8 }}
  {{- range $folder, $told := .service.folders }}
  - name: {{ $folder }}
    emptyDir:
      sizeLimit: {{ $told.size }}
  {{- end }}
  {{- if and .service.owner (eq .root.Values.migrations.mode "initContainer") }}
  {{- include "rushes.ownerVolume" .service.owner | nindent 2 }}
  {{- end }}
  {{- with .service.volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* preStop, what the process takes to drain, five seconds for what it then cancels, five to close: libs/run.py */}}
{{- define "rushes.grace" -}}
{{- add (int .preStopSeconds) (int .drainSeconds) 5 5 -}}
{{- end -}}

{{/* What the `restricted` standard of Kubernetes asks of a pod. */}}
{{- define "rushes.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* And of a container; all but its folders is read-only. */}}
{{- define "rushes.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "rushes.container" -}}
name: {{ .name | replace "_" "-" }}
image: {{ include "rushes.image" . }}
imagePullPolicy: {{ .service.image.pullPolicy }}
command: [python, -m, services.{{ .name }}]
securityContext:
  {{- include "rushes.security" . | nindent 2 }}
ports:
  - name: {{ .service.protocol }}
    containerPort: {{ int .service.port }}
  - name: metrics
    containerPort: {{ int .service.metricsPort }}
  {{- if (.service.callbacks).enabled }}
  - name: callbacks
    containerPort: {{ int .service.callbacks.port }}
  {{- end }}
env:
  {{- include "rushes.env" . | nindent 2 }}
  {{- include "rushes.whereabouts" . | nindent 2 }}
  {{- with .service.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- include "rushes.probes" . }}
lifecycle:
  preStop:
    sleep:
      seconds: {{ int .service.preStopSeconds }}
resources:
  {{- toYaml .service.resources | nindent 2 }}
volumeMounts:
  - name: secrets
    mountPath: /run/secrets/rushes
    readOnly: true
  {{- range $folder, $told := .service.folders }}
  - name: {{ $folder }}
    mountPath: {{ $told.path }}
  {{- end }}
  {{- with .service.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* What a service is told. Numbers go as JSON writes them: 5e+07 is none to it. */}}
{{- define "rushes.env" -}}
{{- $told := dict
  "listen" (printf "0.0.0.0:%d" (int .service.port))
  "metrics_listen" (printf "0.0.0.0:%d" (int .service.metricsPort)) -}}
{{- $services := include "rushes.services" .root | fromYaml -}}
{{- range $called := .service.calls -}}
{{- $told = set $told (printf "%s_address" $called) (include "rushes.address" (dict "root" $.root "name" $called "service" (index $services $called))) -}}
{{- end -}}
{{- if .service.verifiesTokens -}}
{{- $auth := .root.Values.auth -}}
{{- $keys := ternary "file:///run/secrets/rushes/auth_jwks" $auth.jwksUrl (ne $auth.jwks.name "") -}}
{{- $told = merge $told (dict "auth_issuer" $auth.issuer "auth_audience" $auth.audience "auth_jwks_url" $keys) -}}
{{- if ne .name "storyboard" -}}
{{- $told = set $told "tokens_address" (include "rushes.address" (dict "root" .root "name" "storyboard" "service" $services.storyboard)) -}}
{{- end -}}
{{- end -}}
{{- if (.service.callbacks).enabled -}}
{{- $callbacks := .service.callbacks -}}
{{- $told = merge $told (dict "public_url" $callbacks.publicUrl "callbacks_listen" (printf "0.0.0.0:%d" (int $callbacks.port))) -}}
{{- end -}}
{{- range $folder, $it := .service.folders -}}
{{- if $it.setting -}}
{{- $told = set $told $it.setting $it.path -}}
{{- end -}}
{{- end -}}
{{- range $setting, $value := mergeOverwrite (deepCopy .service.settings) $told }}
{{- if ne (toString $value) "" }}
- name: RUSHES_{{ upper $setting }}
  value: {{ if kindIs "string" $value }}{{ quote $value }}{{ else }}{{ $value | toJson | quote }}{{ end }}
{{- end }}
{{- end }}
{{- range $setting, $secret := .service.secrets }}
{{- if $secret.name }}
- name: RUSHES_{{ upper $setting }}_FILE
  value: /run/secrets/rushes/{{ $setting }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Where it runs, for its traces: names of OpenTelemetry's conventions for resources, values of the downward API. */}}
{{- define "rushes.whereabouts" -}}
{{- $told := list (printf "deployment.environment.name=%s" .service.settings.environment) -}}
{{- $fields := dict "service.instance.id" "metadata.uid" "k8s.pod.name" "metadata.name" "k8s.namespace.name" "metadata.namespace" "k8s.node.name" "spec.nodeName" -}}
{{- range $attribute, $field := $fields -}}
{{- $variable := $attribute | replace "." "_" | upper -}}
{{- $told = append $told (printf "%s=$(%s)" $attribute $variable) }}
- name: {{ $variable }}
  valueFrom:
    fieldRef:
      fieldPath: {{ $field }}
{{- end }}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: {{ join "," $told | quote }}
{{- end -}}

{{/* Every secret of the service, and no other key of theirs; as a YAML list. */}}
{{- define "rushes.secretSources" -}}
{{- $secrets := deepCopy .service.secrets -}}
{{- if and .service.verifiesTokens .root.Values.auth.jwks.name -}}
{{- $secrets = set $secrets "auth_jwks" .root.Values.auth.jwks -}}
{{- end -}}
{{- $sources := list -}}
{{- range $setting, $secret := $secrets -}}
{{- if $secret.name -}}
{{- $items := list (dict "key" $secret.key "path" $setting) -}}
{{- $sources = append $sources (dict "secret" (dict "name" $secret.name "items" $items)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $sources -}}
{{- end -}}

{{/* `liveness` is whether the process answers, the empty name whether it can do its work: libs/rpc/server.py. HTTP
services need nobody else to answer. */}}
{{- define "rushes.probes" -}}
{{- $alive := dict "grpc" (dict "port" (int .service.port) "service" "liveness") -}}
{{- $ready := dict "grpc" (dict "port" (int .service.port) "service" "") -}}
{{- if eq .service.protocol "http" -}}
{{- $alive = dict "httpGet" (dict "path" "/healthz" "port" "http") -}}
{{- $ready = $alive -}}
{{- end }}
startupProbe:
  {{- toYaml $alive | nindent 2 }}
  periodSeconds: 2
  timeoutSeconds: 3
  failureThreshold: 60
livenessProbe:
  {{- toYaml $alive | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  {{- toYaml $ready | nindent 2 }}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}
