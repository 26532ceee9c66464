#!/bin/sh
# Become the API's Gunicorn.
set -eu
# prometheus-client's own name for the folder, which every program that a worker starts would heed.
F1PA_METRICS_DIR="${F1PA_METRICS_DIR:-${PROMETHEUS_MULTIPROC_DIR:-}}"
export F1PA_METRICS_DIR
unset PROMETHEUS_MULTIPROC_DIR
cd "$(dirname "$0")/.."
exec gunicorn -c deploy/gunicorn.conf.py f1pa_api.wsgi:app
