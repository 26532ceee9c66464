"""The Prometheus sidecar: metrics of the API's workers and the health of what F1PA needs."""
