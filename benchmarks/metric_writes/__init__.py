"""What a write to a metric costs in leased slots and in prometheus-client's own modes."""
