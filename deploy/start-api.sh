#!/bin/sh
# Become the API's Gunicorn, with an empty folder for the metric files of its workers.
# Here and not in a Gunicorn hook: with a preloaded application those files are already open.
set -eu
: "${PROMETHEUS_MULTIPROC_DIR:?is not set: the folder of the metric files of the workers}"
export PROMETHEUS_MULTIPROC_DIR
mkdir -p "$PROMETHEUS_MULTIPROC_DIR"
find "$PROMETHEUS_MULTIPROC_DIR" -mindepth 1 -maxdepth 1 -type f -delete
cd "$(dirname "$0")/.."
exec gunicorn -c deploy/gunicorn.conf.py f1pa_api.wsgi:app
