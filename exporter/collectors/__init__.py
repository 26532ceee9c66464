"""What the exporter watches, one module per collector."""
