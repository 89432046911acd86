{{/* What is wrong with where things are kept, as a JSON list of sentences: a part of curbside.faults. */}}
{{- define "curbside.storageFaults" -}}
{{- $values := .Values -}}
{{- $kafka := $values.storage.kafka -}}
{{- $postgresql := $values.storage.postgresql -}}
{{- $s3 := $values.storage.s3 -}}
{{- $production := eq $values.profile "production" -}}
{{- $faults := list -}}

{{- /* A Secret named for a server that is not would be ignored in silence, and reports kept on a volume. */ -}}
{{- $named := list
  $kafka.bootstrapServers $kafka.sasl.username $kafka.sasl.passwordSecret $kafka.caSecret $kafka.certificateSecret
  $kafka.network.to $postgresql.host $postgresql.caSecret $postgresql.passwordsSecret $postgresql.network.to
  $s3.bucket $s3.endpoint $s3.credentialsSecret $s3.serviceAccountAnnotations $s3.caSecret $s3.network.to -}}
{{- if compact $named -}}
{{- range $name, $value := dict "kafka.bootstrapServers" $kafka.bootstrapServers "postgresql.host" $postgresql.host "s3.bucket" $s3.bucket -}}
{{- if not $value -}}
{{- $faults = append $faults (printf "storage.%s is empty while storage names something outside: set all three of storage.kafka.bootstrapServers, storage.postgresql.host and storage.s3.bucket, or leave kafka, postgresql and s3 as they are." $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- if include "curbside.outside" . -}}
{{- if and (not $production) (not $values.secrets.keys) -}}
{{- $faults = append $faults "secrets.keys is empty while storage names Kafka, PostgreSQL and S3, where each pod would make keys of its own: set it to the name of the Secret that holds your keys." -}}
{{- end -}}
{{- if $values.storage.data.existingClaim -}}
{{- $faults = append $faults "storage.data.existingClaim is set while storage names Kafka, PostgreSQL and S3, so that nothing would mount it: set it to an empty text; `curbside migrate` carries its data over." -}}
{{- end -}}

{{- $sasl := hasPrefix "SASL_" $kafka.securityProtocol -}}
{{- $tls := hasSuffix "SSL" $kafka.securityProtocol -}}
{{- if and $production (not $tls) -}}
{{- $faults = append $faults (printf "storage.kafka.securityProtocol is %s while profile is production: set it to SASL_SSL or SSL." $kafka.securityProtocol) -}}
{{- end -}}
{{- if and $production (eq $kafka.securityProtocol "SSL") (not $kafka.certificateSecret) -}}
{{- $faults = append $faults "storage.kafka.securityProtocol is SSL without a certificate of ours, so that the brokers would have to take anyone: set storage.kafka.certificateSecret, or securityProtocol to SASL_SSL." -}}
{{- end -}}
{{- if and $sasl (not $kafka.sasl.username) -}}
{{- $faults = append $faults (printf "storage.kafka.sasl.username is empty while securityProtocol is %s: set it to the user that may use the topics." $kafka.securityProtocol) -}}
{{- end -}}
{{- if and $sasl (not $kafka.sasl.passwordSecret) -}}
{{- $faults = append $faults (printf "storage.kafka.sasl.passwordSecret is empty while securityProtocol is %s: set it to the name of a Secret with an entry `password`." $kafka.securityProtocol) -}}
{{- end -}}
{{- if and (not $sasl) (or $kafka.sasl.username $kafka.sasl.passwordSecret) -}}
{{- $faults = append $faults (printf "storage.kafka.sasl names a user, which securityProtocol %s never presents: set securityProtocol to SASL_SSL, or leave sasl.username and sasl.passwordSecret empty." $kafka.securityProtocol) -}}
{{- end -}}
{{- if and (not $tls) (or $kafka.caSecret $kafka.certificateSecret) -}}
{{- $faults = append $faults (printf "storage.kafka names certificates, which securityProtocol %s never looks at: set securityProtocol to SASL_SSL or SSL, or leave caSecret and certificateSecret empty." $kafka.securityProtocol) -}}
{{- end -}}
{{- if gt (int $kafka.minInsyncReplicas) (int $kafka.replicationFactor) -}}
{{- $faults = append $faults "storage.kafka.minInsyncReplicas is above storage.kafka.replicationFactor, so that no record would ever count: set it at most as high." -}}
{{- end -}}

{{- if and $production (ne $postgresql.sslMode "verify-full") -}}
{{- $faults = append $faults (printf "storage.postgresql.sslMode is %s while profile is production: set it to verify-full." $postgresql.sslMode) -}}
{{- end -}}
{{- if and (hasPrefix "verify-" $postgresql.sslMode) (not $postgresql.caSecret) -}}
{{- $faults = append $faults (printf "storage.postgresql.caSecret is empty while sslMode is %s: set it to the name of a Secret with an entry `ca.crt`." $postgresql.sslMode) -}}
{{- end -}}
{{- if not $postgresql.passwordsSecret -}}
{{- $faults = append $faults "storage.postgresql.passwordsSecret is empty: set it to the name of a Secret with an entry <role>.password for each role." -}}
{{- end -}}

{{- if and $production (hasPrefix "http://" $s3.endpoint) -}}
{{- $faults = append $faults "storage.s3.endpoint is http while profile is production: set it to an https address." -}}
{{- end -}}
{{- if and $s3.caSecret (hasPrefix "http://" $s3.endpoint) -}}
{{- $faults = append $faults "storage.s3.caSecret is set while storage.s3.endpoint is http, which never looks at it: set endpoint to an https address, or leave caSecret empty." -}}
{{- end -}}
{{- if and $s3.kmsKeyId (ne $s3.serverSideEncryption "aws:kms") -}}
{{- $faults = append $faults "storage.s3.kmsKeyId is set while serverSideEncryption is not aws:kms: set serverSideEncryption to aws:kms, or leave kmsKeyId empty." -}}
{{- end -}}
{{- if and $s3.credentialsSecret $s3.serviceAccountAnnotations -}}
{{- $faults = append $faults "storage.s3.credentialsSecret and storage.s3.serviceAccountAnnotations are both set, and keys would win over the role: set one of them." -}}
{{- end -}}

{{- if $values.networkPolicy.enabled -}}
{{- range $name, $server := dict "kafka" $kafka "postgresql" $postgresql "s3" $s3 -}}
{{- if not $server.network.to -}}
{{- $faults = append $faults (printf "storage.%s.network.to is empty, so that the server is denied: set it to where the server stands, for example [{ipBlock: {cidr: 10.1.2.0/24}}]." $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- end -}}

{{- toJson $faults -}}
{{- end -}}
