{{/* What a service reaches, by dict root, name, service: those it calls, those it names, where its secrets lead it, who
signs its tokens, who knows API tokens, and where its traces go. As a YAML list. */}}
{{- define "rushes.reached" -}}
{{- $reached := concat .service.calls .service.reaches -}}
{{- range $secret := .service.secrets -}}
{{- if and $secret.name $secret.reaches -}}
{{- $reached = append $reached $secret.reaches -}}
{{- end -}}
{{- end -}}
{{- if and .service.verifiesTokens .root.Values.auth.jwksUrl -}}
{{- $reached = append $reached "issuer" -}}
{{- end -}}
{{- if and .service.verifiesTokens (ne .name "storyboard") -}}
{{- $reached = append $reached "storyboard" -}}
{{- end -}}
{{- if .service.settings.oidc_issuer -}}
{{- $reached = append $reached "issuer" -}}
{{- end -}}
{{- if .service.settings.otlp_endpoint -}}
{{- $reached = append $reached "telemetry" -}}
{{- end -}}
{{- $reached | uniq | sortAlpha | toYaml -}}
{{- end -}}

{{/* The rule that lets somebody reach a destination. */}}
{{- define "rushes.egress" -}}
to:
  {{- toYaml .to | nindent 2 }}
ports:
  {{- range .ports }}
  - {port: {{ int . }}, protocol: TCP}
  {{- end }}
{{- end -}}
