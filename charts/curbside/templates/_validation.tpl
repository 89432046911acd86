{{/*
What the schema cannot say: combinations that would render and then not work. Every fault is listed at once, each
as a sentence that says what to set.
*/}}
{{- define "curbside.faults" -}}
{{- $values := .Values -}}
{{- $faults := list -}}

{{- $services := list "ingestion" "deidentification" "datasets" "training" "inference" "workbench" -}}
{{- $images := eq $values.engine.kind "embedded" | ternary (append $services "engine") $services -}}
{{- $plain := false -}}
{{- range $images -}}
{{- $override := index $values.image.overrides . -}}
{{- if not $override -}}
{{- $plain = true -}}
{{- else if not (regexMatch "(:[^/:@]+(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})$" $override) -}}
{{- $faults = append $faults (printf "image.overrides.%s has no tag: set it to <repository>:<tag> or <repository>@<digest>." .) -}}
{{- else if regexMatch ":latest$" $override -}}
{{- $faults = append $faults (printf "image.overrides.%s is :latest: set a tag that names one build." .) -}}
{{- end -}}
{{- end -}}
{{- if and $plain (not $values.image.registry) -}}
{{- $faults = append $faults "image.registry is empty: set it to where your images lie, for example registry.hospital.example/curbside." -}}
{{- end -}}
{{- if and $plain (not $values.image.tag) -}}
{{- $faults = append $faults "image.tag is empty: set it to the tag of the images that you built." -}}
{{- end -}}
{{- if eq $values.image.tag "latest" -}}
{{- $faults = append $faults "image.tag is latest: set a tag that names one build." -}}
{{- end -}}

{{- $outside := include "curbside.outside" . -}}
{{- range $services -}}
{{- if le (int (index $values .).replicas) 1 -}}
{{- else if eq . "training" -}}
{{- $faults = append $faults "training.replicas is more than 1, and one driver alone may start runs: set it to 1." -}}
{{- else if not $outside -}}
{{- $faults = append $faults (printf "%s.replicas is more than 1 while everything lies on the data volume, where two pods would share one SQLite file: set it to 1, or name Kafka, PostgreSQL and S3 under storage." .) -}}
{{- end -}}
{{- end -}}
{{- $faults = concat $faults (include "curbside.storageFaults" . | fromJsonArray) -}}

{{- if and (eq $values.profile "production") (not $values.secrets.keys) -}}
{{- $faults = append $faults "secrets.keys is empty while profile is production: set it to the name of the Secret that holds your keys." -}}
{{- end -}}
{{- if not $values.secrets.serviceToken -}}
{{- $faults = append $faults "secrets.serviceToken is empty: set it to the name of the Secret that holds the services' bearer token; it may be made after the install." -}}
{{- end -}}

{{- $local := or (eq $values.baseModel "embedded") (hasPrefix "/var/lib/curbside-models/" $values.baseModel) -}}
{{- if not $values.baseModel -}}
{{- $faults = append $faults "baseModel is empty: set it to a Hugging Face model id or to a directory under /var/lib/curbside-models." -}}
{{- else if and (hasPrefix "/" $values.baseModel) (not $local) -}}
{{- $faults = append $faults "baseModel is a directory outside of the models volume: set it to one under /var/lib/curbside-models." -}}
{{- else if and (not $local) (not $values.modelHub.allowed) -}}
{{- $faults = append $faults "baseModel is a model id and modelHub.allowed is false, so nothing can fetch it: set modelHub.allowed to true, or copy the model to the models volume and set baseModel to its directory." -}}
{{- end -}}

{{- if eq $values.engine.kind "tgi" -}}
{{- if eq $values.baseModel "embedded" -}}
{{- $faults = append $faults "engine.kind is tgi and baseModel is embedded, which TGI does not serve: set baseModel to a model id or directory, or engine.kind to embedded." -}}
{{- end -}}
{{- if not $values.tgi.image.tag -}}
{{- $faults = append $faults "tgi.image.tag is empty: set it to a release, for example 3.3.7." -}}
{{- else if eq $values.tgi.image.tag "latest" -}}
{{- $faults = append $faults "tgi.image.tag is latest: set it to a release, for example 3.3.7." -}}
{{- end -}}
{{- if not $values.tgi.nodeSelector -}}
{{- $faults = append $faults "tgi.nodeSelector is empty: set it to the labels of the GPU node pool that serves." -}}
{{- end -}}
{{- if not $values.tgi.tolerations -}}
{{- $faults = append $faults "tgi.tolerations is empty: set the toleration of the GPU node pool's taint, for example nvidia.com/gpu." -}}
{{- end -}}
{{- if le (int $values.tgi.maxTotalTokens) (int $values.tgi.maxInputTokens) -}}
{{- $faults = append $faults "tgi.maxTotalTokens leaves no room for an answer: set it above tgi.maxInputTokens." -}}
{{- end -}}
{{- end -}}

{{- if $values.ray.enabled -}}
{{- if gt (int $values.ray.workers.minReplicas) (int $values.ray.workers.maxReplicas) -}}
{{- $faults = append $faults "ray.workers.minReplicas is above ray.workers.maxReplicas: set it at most as high." -}}
{{- end -}}
{{- if not $values.ray.workers.nodeSelector -}}
{{- $faults = append $faults "ray.workers.nodeSelector is empty: set it to the labels of the GPU node pool that trains." -}}
{{- end -}}
{{- if not $values.ray.workers.tolerations -}}
{{- $faults = append $faults "ray.workers.tolerations is empty: set the toleration of the GPU node pool's taint, for example nvidia.com/gpu." -}}
{{- end -}}
{{- if and (eq $values.engine.kind "tgi") $values.ray.workers.nodeSelector (eq (toJson $values.ray.workers.nodeSelector) (toJson $values.tgi.nodeSelector)) -}}
{{- $faults = append $faults "ray.workers.nodeSelector is tgi.nodeSelector, so that a training run could take the GPUs that serve: set two pools." -}}
{{- end -}}
{{- if and $values.networkPolicy.enabled (not $values.ray.apiServer.cidr) -}}
{{- $faults = append $faults "ray.apiServer.cidr is empty, so that Ray's autoscaler is denied: set it to the addresses of your Kubernetes API, for example 10.0.0.1/32." -}}
{{- end -}}
{{- if gt (len (include "curbside.rayCluster" .)) 53 -}}
{{- $faults = append $faults "the release's name makes a RayCluster name of more than 53 characters, which KubeRay refuses: set a shorter release name." -}}
{{- end -}}
{{- end -}}

{{- if $values.ingress.enabled -}}
{{- if not $values.ingress.host -}}
{{- $faults = append $faults "ingress.host is empty: set the host name that hospital systems use." -}}
{{- end -}}
{{- if not $values.ingress.tlsSecret -}}
{{- $faults = append $faults "ingress.tlsSecret is empty, and reports must not travel unencrypted: set it to the name of a TLS Secret." -}}
{{- end -}}
{{- if not $values.ingress.className -}}
{{- $faults = append $faults "ingress.className is empty: set it to the class of your ingress controller." -}}
{{- end -}}
{{- if and $values.networkPolicy.enabled (not $values.networkPolicy.clients) -}}
{{- $faults = append $faults "ingress.enabled is true and networkPolicy.clients is empty, so that the ingress controller is denied: set its namespace there." -}}
{{- end -}}
{{- end -}}
{{- if and $values.serviceMonitor.enabled $values.networkPolicy.enabled (not $values.networkPolicy.monitoring) -}}
{{- $faults = append $faults "serviceMonitor.enabled is true and networkPolicy.monitoring is empty, so that Prometheus is denied: set its namespace there." -}}
{{- end -}}

{{- join "\n" $faults -}}
{{- end -}}
