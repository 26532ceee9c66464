"""What goes wrong with the stack, said in one line to the person at the terminal."""


class StackError(Exception):
    """The stack can't do what was asked. The message is one line that names the setting or file."""


class AlreadyReportedError(StackError):
    """A step failed that has printed its own line; nothing is left to say."""
