{{/*
Templates that every service's manifests share. Each takes a dictionary with `root` (the chart's scope) and
`service` (its name, which is also its key in values, its image's suffix and the argument of `curbside serve`).
*/}}

{{- define "curbside.fullname" -}}
{{ printf "%s-%s" .root.Release.Name .service }}
{{- end -}}

{{- define "curbside.labels" -}}
{{ include "curbside.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: curbside
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "curbside.selector" -}}
app.kubernetes.io/name: curbside
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .service }}
{{- end -}}

{{- define "curbside.image" -}}
{{- $image := .root.Values.image -}}
{{- $override := index $image.overrides .service -}}
{{- if $override -}}
{{ $override }}
{{- else -}}
{{ printf "%s/curbside-%s:%s" $image.registry .service $image.tag }}
{{- end -}}
{{- end -}}

{{- define "curbside.pullSecrets" -}}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "curbside.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
# A volume with a million blobs is not walked at every start.
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Of a container that runs as the user whose number it takes. */}}
{{- define "curbside.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: {{ ne (int .) 0 }}
runAsUser: {{ int . }}
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "curbside.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "curbside.fullname" . }}
  labels: {{- include "curbside.labels" . | nindent 4 }}
  {{- if include "curbside.outside" .root }}
  {{- if include "curbside.opensZone" . }}
  {{- with .root.Values.storage.s3.serviceAccountAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}

{{/* A Service; `ports` maps names to numbers, `sticky` sends a client to the same pod again. */}}
{{- define "curbside.clusterService" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "curbside.fullname" . }}
  labels: {{- include "curbside.labels" . | nindent 4 }}
spec:
  type: ClusterIP
  {{- if .sticky }}
  sessionAffinity: ClientIP
  {{- end }}
  selector: {{- include "curbside.selector" . | nindent 4 }}
  ports:
    {{- range $name, $port := .ports }}
    - name: {{ $name }}
      port: {{ $port }}
      targetPort: {{ $name }}
      protocol: TCP
      appProtocol: {{ eq $name "grpc" | ternary "kubernetes.io/h2c" "http" }}
    {{- end }}
{{- end -}}

{{- define "curbside.serviceMonitor" -}}
{{- if .root.Values.serviceMonitor.enabled -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ include "curbside.fullname" . }}
  labels:
    {{- include "curbside.labels" . | nindent 4 }}
    {{- with .root.Values.serviceMonitor.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels: {{- include "curbside.selector" . | nindent 6 }}
  endpoints:
    - port: http
      path: /metrics
      interval: {{ .root.Values.serviceMonitor.interval }}
{{- end -}}
{{- end -}}

{{/*
The keys that a service uses, separated by spaces: a copy of key_names in curbside.storage.zones, and a test compares;
`provision` has what its migrations seal with (PROVISION_KEYS there). Takes `root` and `service`.
*/}}
{{- define "curbside.keyNames" -}}
{{- if eq .service "provision" -}}
consents
{{- else -}}
{{- $own := dict
  "ingestion" (list "kek-phi" "hash-phi" "ingestion-records" "consents")
  "deidentification" (list "kek-phi" "hash-phi" "kek-safe" "hash-safe")
  "datasets" (list "kek-safe" "hash-safe" "consents")
  "training" (list "kek-safe" "hash-safe" "kek-models" "hash-models")
  "inference" (list "kek-safe" "hash-safe" "kek-models" "hash-models")
  "workbench" (list) -}}
{{- $shared := list "audit" "token" (printf "tenant-%s" .root.Values.tenant) -}}
{{ join " " (concat $shared (index $own .service | default list)) }}
{{- end -}}
{{- end -}}

{{/* What every pod of the six services, and the one that provisions, is told of this installation. */}}
{{- define "curbside.runtimeEnv" -}}
- {name: CURBSIDE_RUNTIME__PROFILE, value: {{ .Values.profile }}}
- {name: CURBSIDE_RUNTIME__TENANT, value: {{ .Values.tenant }}}
- {name: CURBSIDE_RUNTIME__LOG_LEVEL, value: {{ .Values.logLevel }}}
{{- end -}}

{{/* The keys of all services, each once, for whoever makes the Secret. */}}
{{- define "curbside.allKeyNames" -}}
{{- $names := list -}}
{{- range $service := list "ingestion" "deidentification" "datasets" "training" "inference" "workbench" -}}
{{- $names = concat $names (splitList " " (include "curbside.keyNames" (dict "root" $ "service" $service))) -}}
{{- end -}}
{{ join " " (uniq $names) }}
{{- end -}}

{{/* The entries of the keys Secret that a service mounts. */}}
{{- define "curbside.keyItems" -}}
{{- range $name := splitList " " (include "curbside.keyNames" .) }}
- {key: {{ $name }}.key, path: {{ $name }}.key}
{{- end }}
{{- end -}}

{{- define "curbside.claim" -}}
{{- $values := index .root.Values.storage .claim -}}
{{ $values.existingClaim | default (printf "%s-%s" .root.Release.Name .claim) }}
{{- end -}}

{{/* Replicas over nodes and zones, as far as there is room: one that cannot be spread is better than none. */}}
{{- define "curbside.spread" -}}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "curbside.selector" $ | nindent 8 }}
    # Of one revision: the pods that an upgrade is about to remove do not count.
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end -}}

{{/* Variables that libraries read, for what loads a model by id; without HF_HOME it lies under /tmp. */}}
{{- define "curbside.modelHubEnv" -}}
{{- if .Values.modelHub.allowed }}
{{- with .Values.modelHub.tokenSecret }}
- name: HF_TOKEN
  valueFrom:
    secretKeyRef: {name: {{ . }}, key: token}
{{- end }}
{{- else }}
- {name: HF_HUB_OFFLINE, value: "1"}
{{- end }}
{{- end -}}

{{/*
Of training and Ray's workers: what the driver fetched, on the volume that both mount, so that a path in it means
the same to a worker on another node.
*/}}
{{- define "curbside.sharedHubEnv" -}}
{{- include "curbside.modelHubEnv" . }}
{{- if .Values.modelHub.allowed }}
- {name: HF_HOME, value: /var/lib/curbside-models/hub}
{{- end }}
{{- end -}}

{{/* The one base model of all pods: an adapter fits only the base that it was trained on. */}}
{{- define "curbside.baseModelEnv" -}}
- {name: CURBSIDE_RUNTIME__BASE_MODEL, value: {{ .Values.baseModel | quote }}}
{{- end -}}

{{/*
The Deployment of one of the six services. Optional: `grpc` (it speaks gRPC), `models` (it mounts the models
volume), `token` (it calls other services), `shm` (the size of /dev/shm), `hub` (it loads models by id onto the models volume),
`rayTokenSecret` (the Secret with Ray's token), `env` (a list of its own variables).
*/}}
{{- define "curbside.deployment" -}}
{{- $root := .root -}}
{{- $values := index $root.Values .service -}}
{{- $outside := include "curbside.outside" $root -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "curbside.fullname" . }}
  labels: {{- include "curbside.labels" . | nindent 4 }}
spec:
  replicas: {{ $values.replicas }}
  strategy:
    {{- if and $outside (ne .service "training") }}
    # A new pod answers before an old one goes; a migration leaves what the old code reads.
    type: RollingUpdate
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
    {{- else }}
    # Two pods must never have one SQLite file and its place in the log at once, nor drive one training run.
    type: Recreate
    {{- end }}
  selector:
    matchLabels: {{- include "curbside.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "curbside.labels" . | nindent 8 }}
        {{- if not $outside }}
        curbside/data-volume: {{ $root.Release.Name }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "curbside.fullname" . }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      {{- include "curbside.pullSecrets" . | nindent 6 }}
      # 10 s more than services take to stop (CURBSIDE_RUNTIME__SHUTDOWN_GRACE, 20 s).
      terminationGracePeriodSeconds: 30
      securityContext: {{- include "curbside.podSecurity" . | nindent 8 }}
      {{- if not $outside }}
      affinity:
        podAffinity:
          # SQLite's shared memory and the workers' sockets reach no further than one node.
          requiredDuringSchedulingIgnoredDuringExecution:
            - topologyKey: kubernetes.io/hostname
              labelSelector:
                matchLabels:
                  curbside/data-volume: {{ $root.Release.Name }}
      {{- else if gt (int $values.replicas) 1 }}
      {{- include "curbside.spread" . | nindent 6 }}
      {{- end }}
      {{- with $root.Values.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $root.Values.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .service }}
          image: {{ include "curbside.image" . | quote }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: [serve, {{ .service }}]
          env:
            {{- include "curbside.runtimeEnv" $root | nindent 12 }}
            - {name: CURBSIDE_RUNTIME__HOST, value: "0.0.0.0"}
            - {name: CURBSIDE_RUNTIME__HTTP_PORT, value: "8080"}
            - {name: CURBSIDE_RUNTIME__GRPC_PORT, value: "8081"}
            - {name: CURBSIDE_RUNTIME__DATA_DIR, value: /var/lib/curbside}
            {{- include "curbside.baseModelEnv" $root | nindent 12 }}
            {{- with $root.Values.telemetry.otlpEndpoint }}
            - {name: CURBSIDE_RUNTIME__OTLP_ENDPOINT, value: {{ . | quote }}}
            {{- end }}
            {{- if $root.Values.secrets.keys }}
            - {name: CURBSIDE_RUNTIME__KEY_DIR, value: /etc/curbside/keys}
            {{- end }}
            {{- if .token }}
            - {name: CURBSIDE_RUNTIME__SERVICE_TOKEN_FILE, value: /etc/curbside/service/token}
            {{- end }}
            {{- include "curbside.outsideEnv" . | nindent 12 }}
            {{- range .env }}
            - {name: {{ .name }}, value: {{ .value | quote }}}
            {{- end }}
            {{- with .rayTokenSecret }}
            - {name: RAY_AUTH_MODE, value: token}
            - name: RAY_AUTH_TOKEN
              valueFrom:
                secretKeyRef: {name: {{ . }}, key: auth_token}
            {{- end }}
            {{- if .hub }}
            {{- include "curbside.sharedHubEnv" $root | nindent 12 }}
            {{- end }}
          ports:
            - {name: http, containerPort: 8080, protocol: TCP}
            {{- if .grpc }}
            - {name: grpc, containerPort: 8081, protocol: TCP}
            {{- end }}
          # 5 minutes for imports and migrations. Not /readyz: a pod must not be killed because the engine that it
          # waits for is still loading.
          startupProbe:
            httpGet: {path: /livez, port: http}
            periodSeconds: 5
            timeoutSeconds: 5
            failureThreshold: 60
          readinessProbe:
            httpGet: {path: /readyz, port: http}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
          livenessProbe:
            httpGet: {path: /livez, port: http}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          resources: {{- toYaml $values.resources | nindent 12 }}
          securityContext: {{- include "curbside.containerSecurity" 10001 | nindent 12 }}
          volumeMounts:
            - {name: data, mountPath: /var/lib/curbside}
            - {name: tmp, mountPath: /tmp}
            {{- if $root.Values.secrets.keys }}
            - {name: keys, mountPath: /etc/curbside/keys, readOnly: true}
            {{- end }}
            {{- if .token }}
            - {name: service-token, mountPath: /etc/curbside/service, readOnly: true}
            {{- end }}
            {{- if .models }}
            - {name: models, mountPath: /var/lib/curbside-models}
            {{- end }}
            {{- if .shm }}
            - {name: shm, mountPath: /dev/shm}
            {{- end }}
            {{- include "curbside.outsideMounts" . | nindent 12 }}
      volumes:
        - name: data
          {{- if $outside }}
          # Sockets, unpacked adapters and what is being worked on; nothing that outlives the pod.
          emptyDir: {sizeLimit: {{ $root.Values.storage.local.sizeLimit }}}
          {{- else }}
          persistentVolumeClaim:
            claimName: {{ include "curbside.claim" (dict "root" $root "claim" "data") }}
          {{- end }}
        - name: tmp
          emptyDir: {}
        {{- with $root.Values.secrets.keys }}
        - name: keys
          secret:
            secretName: {{ . }}
            defaultMode: 0440
            items: {{- include "curbside.keyItems" $ | nindent 14 }}
        {{- end }}
        {{- if .token }}
        - name: service-token
          secret:
            secretName: {{ $root.Values.secrets.serviceToken }}
            defaultMode: 0440
            items:
              - {key: token, path: token}
        {{- end }}
        {{- if .models }}
        - name: models
          persistentVolumeClaim:
            claimName: {{ include "curbside.claim" (dict "root" $root "claim" "models") }}
        {{- end }}
        {{- with .shm }}
        - name: shm
          emptyDir: {medium: Memory, sizeLimit: {{ . }}}
        {{- end }}
        {{- include "curbside.outsideVolumes" . | nindent 8 }}
{{- end -}}
