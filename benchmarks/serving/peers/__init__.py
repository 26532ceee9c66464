"""What the other servers run, each in its own environment; nothing here is imported by ours."""
