{{/* What no schema can say. Every template that writes a workload asks it. */}}
{{- define "rushes.check" -}}
{{- if not .Values.auth.issuer -}}
{{- fail "auth.issuer: should be the `iss` of the tokens that are accepted; docs/kubernetes.md, step 4" -}}
{{- end -}}
{{- if and .Values.auth.jwksUrl .Values.auth.jwks.name -}}
{{- fail "auth.jwksUrl, auth.jwks.name: keep one of the two" -}}
{{- end -}}
{{- if not (or .Values.auth.jwksUrl .Values.auth.jwks.name) -}}
{{- fail "auth.jwksUrl: should be where the issuer's public keys are, or auth.jwks.name a Secret that holds them" -}}
{{- end -}}
{{- $services := include "rushes.services" . | fromYaml -}}
{{- with $services.storyboard -}}
{{- $model := .settings.default_model -}}
{{- if and (or (not $model) (hasPrefix "sandbox/" $model)) (not (hasKey $services "sandbox")) -}}
{{- fail "services.storyboard.settings.default_model: should be the id of a model that can be bought, such as fal/seedance-2.5; or services.sandbox.enabled be true, for trying" -}}
{{- end -}}
{{- end -}}
{{- with $services.sandbox -}}
{{- if ne .settings.environment "development" -}}
{{- fail "services.sandbox.enabled: it sells for play money; defaults.settings.environment should be development, for trying" -}}
{{- end -}}
{{- end -}}
{{- range $name, $service := $services -}}
{{- if and $service.verifiesTokens $.Values.auth.jwks.name (ne $service.settings.environment "development") -}}
{{- fail "auth.jwks.name: keys that cannot change are for trying: name auth.jwksUrl, or let defaults.settings.environment be development" -}}
{{- end -}}
{{- range $called := $service.calls -}}
{{- if not (hasKey $services $called) -}}
{{- fail (printf "services.%s.calls: %s is not a service that is run" $name $called) -}}
{{- end -}}
{{- end -}}
{{- range $far := $service.reaches -}}
{{- if not (or (hasKey $.Values.services $far) (hasKey $.Values.networkPolicy.destinations $far)) -}}
{{- fail (printf "services.%s.reaches: %s is neither a service nor one of networkPolicy.destinations" $name $far) -}}
{{- end -}}
{{- end -}}
{{- with $service.callbacks -}}
{{- if and .enabled (not (and .publicUrl $service.secrets.callbacks_secret.name)) -}}
{{- fail (printf "services.%s.callbacks: should have a publicUrl, and secrets.callbacks_secret the name of a Secret" $name) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $service.autoscaling.mode "keda") (not $.Values.keda.natsMonitoring) (not $service.autoscaling.triggers) -}}
{{- fail (printf "services.%s.autoscaling: keda needs keda.natsMonitoring, or triggers" $name) -}}
{{- end -}}
{{- if gt (int $service.autoscaling.minReplicas) (int $service.autoscaling.maxReplicas) -}}
{{- fail (printf "services.%s.autoscaling: minReplicas should not be above maxReplicas" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
