{{/*
NetworkPolicies. One of `curbside.networkPolicy` per service names its arrows; what no policy names is denied,
because every pod of the release is selected by default-deny.yaml.
*/}}

{{- define "curbside.dnsEgress" -}}
- to: {{- toYaml .Values.networkPolicy.dns | nindent 4 }}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end -}}

{{- define "curbside.hubEgress" -}}
{{- if .Values.modelHub.allowed }}
- to:
    - ipBlock: {cidr: 0.0.0.0/0}
  ports:
    - {protocol: TCP, port: 443}
{{- end }}
{{- end -}}

{{/*
Takes `root` and `service`; `clients` (ports that networkPolicy.clients may reach), `callers` (a list of {service,
port}), `calls` (a list of {service, port}), `hub` (it may reach the model hub), `outside` (it may reach Kafka, PostgreSQL and, where
it opens a blob zone, S3), `metrics` (its metrics port).
*/}}
{{- define "curbside.networkPolicy" -}}
{{- $root := .root -}}
{{- $policy := $root.Values.networkPolicy -}}
{{- if $policy.enabled -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "curbside.fullname" . }}
  labels: {{- include "curbside.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "curbside.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- range .callers }}
    - from:
        - podSelector:
            matchLabels: {{- include "curbside.selector" (dict "root" $root "service" .service) | nindent 14 }}
      ports:
        - {protocol: TCP, port: {{ .port }}}
    {{- end }}
    {{- if and .clients $policy.clients }}
    - from: {{- toYaml $policy.clients | nindent 8 }}
      ports:
        {{- range .clients }}
        - {protocol: TCP, port: {{ . }}}
        {{- end }}
    {{- end }}
    {{- if and .metrics $policy.monitoring }}
    - from: {{- toYaml $policy.monitoring | nindent 8 }}
      ports:
        - {protocol: TCP, port: {{ .metrics }}}
    {{- end }}
  egress:
    {{- include "curbside.dnsEgress" $root | nindent 4 }}
    {{- range .calls }}
    - to:
        - podSelector:
            matchLabels: {{- include "curbside.selector" (dict "root" $root "service" .service) | nindent 14 }}
      ports:
        - {protocol: TCP, port: {{ .port }}}
    {{- end }}
    {{- if .outside }}
    {{- include "curbside.outsideEgress" . | nindent 4 }}
    {{- end }}
    {{- if .hub }}
    {{- include "curbside.hubEgress" $root | nindent 4 }}
    {{- end }}
    {{- if and .telemetry $root.Values.telemetry.otlpEndpoint }}
    # The collector may stand anywhere in the cluster; its port is the endpoint's.
    - to:
        - namespaceSelector: {}
      ports:
        - {protocol: TCP, port: {{ regexFind "[0-9]+$" $root.Values.telemetry.otlpEndpoint }}}
    {{- end }}
{{- end -}}
{{- end -}}
