{{/* The address of the engine that answers; either speaks TGI's wire. */}}
{{- define "curbside.engineUrl" -}}
{{- if eq .Values.engine.kind "tgi" -}}
http://{{ .Release.Name }}-tgi:8080
{{- else -}}
http://{{ .Release.Name }}-engine:8090
{{- end -}}
{{- end -}}

{{/* Adapters as TGI reads them at start: name=path, separated by commas. */}}
{{- define "curbside.loraAdapters" -}}
{{- $adapters := list -}}
{{- range .Values.tgi.adapters -}}
{{- $adapters = append $adapters (printf "%s=/var/lib/curbside-models/adapters/%s" . .) -}}
{{- end -}}
{{ join "," $adapters }}
{{- end -}}

{{/* The RayCluster's name; KubeRay names its head's Service <name>-head-svc. */}}
{{- define "curbside.rayCluster" -}}
{{ .Release.Name }}-ray
{{- end -}}
