#!/bin/sh
# Start a command with every file of /run/secrets as a variable of its name. libpq takes PGPASSWORD
# for an address without a password.
set -eu
for file in /run/secrets/*; do
  [ -e "$file" ] || continue
  value="$(cat "$file")" || { echo "the secret $file can't be read by uid $(id -u)" >&2; exit 1; }
  [ -n "$value" ] || { echo "the secret $file is empty" >&2; exit 1; }
  export "$(basename "$file")=$value"
done
exec "$@"
