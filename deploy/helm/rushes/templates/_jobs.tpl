{{/* The container that migrates a service's database, by dict root, name, service: from its own image, as the owner. */}}
{{- define "rushes.migration" -}}
name: migrate
image: {{ include "rushes.image" . }}
imagePullPolicy: {{ .service.image.pullPolicy }}
command: [python, -m, libs.migrate, {{ .name }}]
securityContext:
  {{- include "rushes.security" . | nindent 2 }}
env:
  - name: RUSHES_DATABASE_URL_FILE
    value: /run/secrets/owner/database_url
resources:
  requests: {cpu: 100m, memory: 256Mi, ephemeral-storage: 16Mi}
  limits: {memory: 256Mi, ephemeral-storage: 64Mi}
volumeMounts:
  - name: owner
    mountPath: /run/secrets/owner
    readOnly: true
{{- end -}}

{{- define "rushes.ownerVolume" -}}
- name: owner
  secret:
    secretName: {{ .name }}
    defaultMode: 0440
    items: [{key: {{ .key }}, path: database_url}]
{{- end -}}

{{/* What makes an object run before the release, and go when it is done; a failed one stays for its log. Before the
first install there is nothing of the chart yet: what hooks need must be there, or be a hook itself. */}}
{{- define "rushes.hook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}

{{/* The pod's part that all Jobs share, by dict root. */}}
{{- define "rushes.jobPod" -}}
restartPolicy: Never
serviceAccountName: default
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "rushes.podSecurity" . | nindent 2 }}
{{- end -}}
