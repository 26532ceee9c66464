#!/bin/sh
# Write a folder of random passwords for compose.yaml: make-secrets.sh FOLDER. Those that are there stay.
set -eu
folder="${1:?usage: make-secrets.sh FOLDER}"
# Containers of other users read the files; the folder keeps others out.
mkdir -p "$folder"
chmod 700 "$folder"
for name in database_superuser database_owner database_api database_exporter database_drift \
  database_grafana grafana_admin api_password; do
  [ -s "$folder/$name" ] && continue
  head -c 24 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n' >"$folder/$name"
  chmod 444 "$folder/$name"
done
echo "the API's user is f1pa, with the password in $folder/api_password"
