{{/*
A Ray pod's template, of the training image, so that the driver and Ray's processes have the same Python, Ray and
code. KubeRay puts `ray start` in as the command. Takes `root`, `values` (head or workers), `gpus`, `head`.
*/}}
{{- define "curbside.rayPod" -}}
{{- $root := .root -}}
{{- $scope := dict "root" $root "service" "ray" -}}
metadata:
  labels: {{- include "curbside.labels" $scope | nindent 4 }}
spec:
  {{- if not .head }}
  serviceAccountName: {{ include "curbside.fullname" $scope }}
  # Only the head's autoscaler speaks to the Kubernetes API; KubeRay makes its account.
  automountServiceAccountToken: false
  {{- end }}
  enableServiceLinks: false
  {{- include "curbside.pullSecrets" $scope | nindent 2 }}
  securityContext: {{- include "curbside.podSecurity" . | nindent 4 }}
  {{- with .values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ .head | ternary "ray-head" "ray-worker" }}
      image: {{ include "curbside.image" (dict "root" $root "service" "training") | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      env:
        {{- include "curbside.baseModelEnv" $root | nindent 8 }}
        - {name: CURBSIDE_TRAINING__STORAGE_DIR, value: /var/lib/curbside-models/runs}
        # 0: nothing about this cluster is reported to Ray's makers.
        - {name: RAY_USAGE_STATS_ENABLED, value: "0"}
        {{- include "curbside.sharedHubEnv" $root | nindent 8 }}
      ports:
        {{- if .head }}
        - {name: gcs, containerPort: 6379, protocol: TCP}
        - {name: dashboard, containerPort: 8265, protocol: TCP}
        - {name: client, containerPort: 10001, protocol: TCP}
        {{- end }}
        - {name: metrics, containerPort: 8080, protocol: TCP}
      # Ray's node agent; it answers 200 once the raylet, and on the head the GCS, are well (Ray 2.53 and later).
      readinessProbe:
        httpGet: {path: /api/healthz, port: 52365}
        initialDelaySeconds: 10
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 10
      livenessProbe:
        httpGet: {path: /api/healthz, port: 52365}
        initialDelaySeconds: 30
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 120
      resources:
        requests: {{- toYaml .values.resources.requests | nindent 10 }}
        limits:
          {{- toYaml .values.resources.limits | nindent 10 }}
          {{- with .gpus }}
          nvidia.com/gpu: {{ . }}
          {{- end }}
      securityContext: {{- include "curbside.containerSecurity" 10001 | nindent 8 }}
      volumeMounts:
        - {name: models, mountPath: /var/lib/curbside-models}
        - {name: tmp, mountPath: /tmp}
        {{- if not .head }}
        - {name: shm, mountPath: /dev/shm}
        {{- end }}
  volumes:
    - name: models
      persistentVolumeClaim:
        claimName: {{ include "curbside.claim" (dict "root" $root "claim" "models") }}
    - name: tmp
      emptyDir: {}
    {{- if not .head }}
    - name: shm
      emptyDir: {medium: Memory, sizeLimit: {{ .values.shmSize }}}
    {{- end }}
{{- end -}}
