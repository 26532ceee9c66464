"""What Alertmanager tells, on disk; and the dead man's switch that speaks when nothing is told."""
