{{/*
The outside halves: Kafka, PostgreSQL and S3 instead of one volume. Variables, mounts and volumes of whatever reaches
them: the six services, `provision`, which makes roles, schemas, topics and the bucket, and `operations`, in which an
operator's commands run. Each template but the first two takes `root` and `service`.
*/}}

{{/* "true" where everything lies outside. _validation.tpl refuses some of the three without the others. */}}
{{- define "curbside.outside" -}}
{{- $storage := .Values.storage -}}
{{- if and $storage.kafka.bootstrapServers $storage.postgresql.host $storage.s3.bucket -}}true{{- end -}}
{{- end -}}

{{/* "true" where a Job of this release provisions the servers. */}}
{{- define "curbside.provisions" -}}
{{- if and .Values.provision.enabled (include "curbside.outside" .) -}}true{{- end -}}
{{- end -}}

{{/* "true" for who opens a blob zone, or makes the bucket: the others know nothing of S3. */}}
{{- define "curbside.opensZone" -}}
{{- if or (eq .service "provision") (regexMatch "kek-" (include "curbside.keyNames" .)) -}}true{{- end -}}
{{- end -}}

{{/*
The roles of PostgreSQL as which a pod connects, separated by spaces: a copy of OWNERS in curbside.storage.postgres, and
a test compares. A service has its own and no other: which tables of tokens and data keys that role may read is granted
in the database. Tokens are written as curbside_identity, by operators alone.
*/}}
{{- define "curbside.databaseRoles" -}}
{{- $owners := list "ingestion" "deidentification" "datasets" "training" "inference" "workbench" "identity" -}}
{{- if not (has .service (list "provision" "operations")) -}}
{{- $owners = list .service -}}
{{- end -}}
{{- $roles := list -}}
{{- range $owners -}}
{{- $roles = append $roles (printf "curbside_%s" .) -}}
{{- end -}}
{{ join " " $roles }}
{{- end -}}

{{- define "curbside.databaseUrl" -}}
{{- $postgresql := .root.Values.storage.postgresql -}}
postgresql://{{ $postgresql.host }}:{{ int $postgresql.port }}/{{ $postgresql.database }}?sslmode={{ $postgresql.sslMode }}
{{- if $postgresql.caSecret }}&sslrootcert=/etc/curbside/postgresql/ca.crt{{ end }}
{{- end -}}

{{- define "curbside.outsideEnv" -}}
{{- if include "curbside.outside" .root }}
{{- $storage := .root.Values.storage }}
{{- with $storage.kafka }}
- {name: CURBSIDE_KAFKA__BOOTSTRAP_SERVERS, value: {{ .bootstrapServers | quote }}}
- {name: CURBSIDE_KAFKA__SECURITY_PROTOCOL, value: {{ .securityProtocol }}}
{{- with .topicPrefix }}
- {name: CURBSIDE_KAFKA__TOPIC_PREFIX, value: {{ . | quote }}}
{{- end }}
{{- if hasPrefix "SASL_" .securityProtocol }}
- {name: CURBSIDE_KAFKA__SASL_MECHANISM, value: {{ .sasl.mechanism }}}
- {name: CURBSIDE_KAFKA__USERNAME, value: {{ .sasl.username | quote }}}
- {name: CURBSIDE_KAFKA__PASSWORD_FILE, value: /etc/curbside/kafka/password}
{{- end }}
{{- if .caSecret }}
- {name: CURBSIDE_KAFKA__CA_FILE, value: /etc/curbside/kafka/ca.crt}
{{- end }}
{{- if .certificateSecret }}
- {name: CURBSIDE_KAFKA__CERTIFICATE_FILE, value: /etc/curbside/kafka/tls.crt}
- {name: CURBSIDE_KAFKA__KEY_FILE, value: /etc/curbside/kafka/tls.key}
{{- end }}
- {name: CURBSIDE_KAFKA__REPLICATION_FACTOR, value: {{ int .replicationFactor | quote }}}
- {name: CURBSIDE_KAFKA__MIN_INSYNC_REPLICAS, value: {{ int .minInsyncReplicas | quote }}}
{{- end }}
- {name: CURBSIDE_DATABASE__URL, value: {{ include "curbside.databaseUrl" . | quote }}}
- {name: CURBSIDE_DATABASE__PASSWORD_DIR, value: /etc/curbside/postgresql/passwords}
{{- if include "curbside.opensZone" . }}
{{- with $storage.s3 }}
- {name: CURBSIDE_BLOBS__BUCKET, value: {{ .bucket | quote }}}
- {name: CURBSIDE_BLOBS__REGION, value: {{ .region | quote }}}
{{- with .endpoint }}
- {name: CURBSIDE_BLOBS__ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- with .prefix }}
- {name: CURBSIDE_BLOBS__PREFIX, value: {{ . | quote }}}
{{- end }}
{{- if .credentialsSecret }}
- {name: CURBSIDE_BLOBS__ACCESS_KEY_FILE, value: /etc/curbside/s3/access-key}
- {name: CURBSIDE_BLOBS__SECRET_KEY_FILE, value: /etc/curbside/s3/secret-key}
{{- end }}
{{- if .caSecret }}
- {name: CURBSIDE_BLOBS__CA_FILE, value: /etc/curbside/s3/ca.crt}
{{- end }}
{{- with .serverSideEncryption }}
- {name: CURBSIDE_BLOBS__SERVER_SIDE_ENCRYPTION, value: {{ . | quote }}}
{{- end }}
{{- with .kmsKeyId }}
- {name: CURBSIDE_BLOBS__KMS_KEY_ID, value: {{ . | quote }}}
{{- end }}
- {name: CURBSIDE_BLOBS__PART_BYTES, value: {{ mul (int .partMebibytes) 1048576 | quote }}}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "curbside.kafkaHasFiles" -}}
{{- with .Values.storage.kafka -}}
{{- if or (hasPrefix "SASL_" .securityProtocol) .caSecret .certificateSecret -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{- define "curbside.s3HasFiles" -}}
{{- with .root.Values.storage.s3 -}}
{{- if and (include "curbside.opensZone" $) (or .credentialsSecret .caSecret) -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{- define "curbside.outsideMounts" -}}
{{- if include "curbside.outside" .root }}
{{- if include "curbside.kafkaHasFiles" .root }}
- {name: kafka, mountPath: /etc/curbside/kafka, readOnly: true}
{{- end }}
- {name: postgresql, mountPath: /etc/curbside/postgresql, readOnly: true}
{{- if include "curbside.s3HasFiles" . }}
- {name: s3, mountPath: /etc/curbside/s3, readOnly: true}
{{- end }}
{{- end }}
{{- end -}}

{{/* Of each Secret only the entries that this service uses; who reads one is in the pod's group. */}}
{{- define "curbside.outsideVolumes" -}}
{{- if include "curbside.outside" .root }}
{{- $storage := .root.Values.storage }}
{{- if include "curbside.kafkaHasFiles" .root }}
- name: kafka
  projected:
    defaultMode: 0440
    sources:
      {{- with $storage.kafka }}
      {{- if hasPrefix "SASL_" .securityProtocol }}
      - secret: {name: {{ .sasl.passwordSecret }}, items: [{key: password, path: password}]}
      {{- end }}
      {{- with .caSecret }}
      - secret: {name: {{ . }}, items: [{key: ca.crt, path: ca.crt}]}
      {{- end }}
      {{- with .certificateSecret }}
      - secret: {name: {{ . }}, items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]}
      {{- end }}
      {{- end }}
{{- end }}
- name: postgresql
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ $storage.postgresql.passwordsSecret }}
          items:
            {{- range $role := splitList " " (include "curbside.databaseRoles" .) }}
            - {key: {{ $role }}.password, path: passwords/{{ $role }}.password}
            {{- end }}
      {{- with $storage.postgresql.caSecret }}
      - secret: {name: {{ . }}, items: [{key: ca.crt, path: ca.crt}]}
      {{- end }}
      {{- if eq .service "provision" }}
      {{- with .root.Values.provision.adminUrlSecret }}
      - secret: {name: {{ . }}, items: [{key: url, path: admin-url}]}
      {{- end }}
      {{- end }}
{{- if include "curbside.s3HasFiles" . }}
- name: s3
  projected:
    defaultMode: 0440
    sources:
      {{- with $storage.s3.credentialsSecret }}
      - secret: {name: {{ . }}, items: [{key: access-key, path: access-key}, {key: secret-key, path: secret-key}]}
      {{- end }}
      {{- with $storage.s3.caSecret }}
      - secret: {name: {{ . }}, items: [{key: ca.crt, path: ca.crt}]}
      {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
Ports of a server: those in its addresses, separated by commas, unless its network names others. Takes `addresses`
(separated by commas), `default` (the port of an address without one) and `network`.
*/}}
{{- define "curbside.serverPorts" -}}
{{- $ports := list -}}
{{- range .network.ports -}}
{{- $ports = append $ports (toString (int .)) -}}
{{- end -}}
{{- if not $ports -}}
{{- range $address := splitList "," .addresses -}}
{{- $ports = append $ports (regexFind "[0-9]+$" (regexFind ":[0-9]+$" $address) | default $.default) -}}
{{- end -}}
{{- end -}}
{{ join "," (uniq $ports) }}
{{- end -}}

{{- define "curbside.serverEgress" -}}
- to: {{- toYaml .network.to | nindent 4 }}
  ports:
    {{- range splitList "," (include "curbside.serverPorts" .) }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end -}}

{{- define "curbside.outsideEgress" -}}
{{- if include "curbside.outside" .root }}
{{- with .root.Values.storage.kafka }}
{{ include "curbside.serverEgress" (dict "network" .network "addresses" .bootstrapServers "default" "9092") }}
{{- end }}
{{- with .root.Values.storage.postgresql }}
{{ include "curbside.serverEgress" (dict "network" .network "addresses" (printf ":%d" (int .port)) "default" "5432") }}
{{- end }}
{{- if include "curbside.opensZone" . }}
{{- with .root.Values.storage.s3 }}
{{- $plain := hasPrefix "http://" .endpoint }}
{{ include "curbside.serverEgress" (dict "network" .network "addresses" .endpoint "default" (ternary "80" "443" $plain)) }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
The pod of what is no service: `provision` and `operations`. Takes `container` besides (its command or arguments, and
its probes if any), `restartPolicy`, `keys` (it reads those that `curbside.keyNames` names).
*/}}
{{- define "curbside.commandPod" -}}
{{- $root := .root -}}
{{- $keys := and .keys $root.Values.secrets.keys -}}
metadata:
  labels: {{- include "curbside.labels" . | nindent 4 }}
spec:
  restartPolicy: {{ .restartPolicy }}
  serviceAccountName: {{ include "curbside.fullname" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- include "curbside.pullSecrets" . | nindent 2 }}
  terminationGracePeriodSeconds: 5
  securityContext: {{- include "curbside.podSecurity" . | nindent 4 }}
  {{- with $root.Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ .service }}
      # The smallest of the images. Every service's migrations are in it, and need nothing that it has not: a test looks.
      image: {{ include "curbside.image" (dict "root" $root "service" "ingestion") | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      {{- toYaml .container | nindent 6 }}
      env:
        {{- include "curbside.runtimeEnv" $root | nindent 8 }}
        - {name: CURBSIDE_RUNTIME__DATA_DIR, value: /tmp/curbside}
        {{- if $keys }}
        - {name: CURBSIDE_RUNTIME__KEY_DIR, value: /etc/curbside/keys}
        {{- end }}
        {{- include "curbside.outsideEnv" . | nindent 8 }}
        {{- if and (eq .service "provision") $root.Values.provision.adminUrlSecret }}
        - {name: CURBSIDE_PROVISION__DATABASE_ADMIN_URL_FILE, value: /etc/curbside/postgresql/admin-url}
        {{- end }}
      resources: {{- toYaml (index $root.Values .service).resources | nindent 8 }}
      securityContext: {{- include "curbside.containerSecurity" 10001 | nindent 8 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        {{- if $keys }}
        - {name: keys, mountPath: /etc/curbside/keys, readOnly: true}
        {{- end }}
        {{- include "curbside.outsideMounts" . | nindent 8 }}
  volumes:
    - name: tmp
      emptyDir: {}
    {{- if $keys }}
    - name: keys
      secret:
        secretName: {{ $root.Values.secrets.keys }}
        defaultMode: 0440
        items: {{- include "curbside.keyItems" . | nindent 10 }}
    {{- end }}
    {{- include "curbside.outsideVolumes" . | nindent 4 }}
{{- end -}}
