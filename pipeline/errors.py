"""The base of every failure that a person can do something about."""


class PipelineError(Exception):
    """Ends a command with exit code 1. The message is one line that says what to mend."""
