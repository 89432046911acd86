#!/usr/bin/env bash
# Makes both namespaces and every Secret of the whole installation on one machine: one authority that signs the three
# servers' certificates, a password per role, the keys. What exists is left as it is, for the servers were made with it.
set -euo pipefail
umask 077

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

exists() { kubectl --namespace "$1" get secret "$2" > /dev/null 2>&1; }
for namespace in curbside curbside-data; do
  kubectl get namespace "$namespace" > /dev/null 2>&1 || kubectl create namespace "$namespace"
done
if exists curbside curbside-keys; then
  echo "Secret curbside-keys exists: nothing is made anew." >&2
  exit 0
fi

# Hexadecimal, so that a password stands unescaped in a URL, in JSON and in Kafka's --add-scram.
random() { openssl rand -hex 24 | tr -d '\n'; }

openssl req -x509 -newkey rsa:3072 -nodes -days 3650 -subj "/CN=curbside on one machine" \
  -keyout ca.key -out ca.crt 2> /dev/null
for server in kafka postgresql s3; do
  openssl req -newkey rsa:3072 -nodes -subj "/CN=$server" -keyout "$server.key" -out "$server.csr" 2> /dev/null
  printf 'subjectAltName=DNS:%s.curbside-data.svc\nextendedKeyUsage=serverAuth\n' "$server" > "$server.ext"
  openssl x509 -req -in "$server.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -extfile "$server.ext" \
    -out "$server.crt" 2> /dev/null
  cat "$server.key" "$server.crt" ca.crt > "$server.pem"
  kubectl --namespace curbside-data create secret generic "$server-tls" \
    --from-file=tls.crt="$server.crt" --from-file=tls.key="$server.key" --from-file=server.pem="$server.pem"
done
kubectl --namespace curbside create secret generic curbside-data-ca --from-file=ca.crt

random > kafka-password
kubectl --namespace curbside-data create secret generic kafka-scram --from-file=password=kafka-password
kubectl --namespace curbside create secret generic curbside-kafka --from-file=password=kafka-password

random > administrator
printf 'postgresql://postgres:%s@postgresql.curbside-data.svc:5432/curbside?sslmode=verify-full&sslrootcert=%s' \
  "$(cat administrator)" /etc/curbside/postgresql/ca.crt > url
kubectl --namespace curbside-data create secret generic postgresql-administrator --from-file=password=administrator
kubectl --namespace curbside create secret generic curbside-database-administrator --from-file=url
mkdir passwords
for role in ingestion deidentification datasets training inference workbench identity; do
  random > "passwords/curbside_$role.password"
done
kubectl --namespace curbside create secret generic curbside-database --from-file=passwords

random > access-key
random > secret-key
printf '{"identities": [{"name": "curbside", "credentials": [{"accessKey": "%s", "secretKey": "%s"}], "actions": ["Admin"]}]}' \
  "$(cat access-key)" "$(cat secret-key)" > identities.json
kubectl --namespace curbside-data create secret generic s3-identities --from-file=identities.json
kubectl --namespace curbside create secret generic curbside-s3 --from-file=access-key --from-file=secret-key

# The last: where they are, all is there. They open every blob; a copy belongs somewhere safe.
mkdir keys
for name in audit token tenant-default consents kek-phi hash-phi ingestion-records kek-safe hash-safe kek-models \
  hash-models; do
  openssl rand -hex 32 > "keys/$name.key"
done
kubectl --namespace curbside create secret generic curbside-keys --from-file=keys
