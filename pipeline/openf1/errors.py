"""What a caller of the OpenF1 source has to expect."""

from pipeline.errors import PipelineError


class OpenF1Error(PipelineError):
    """A request got no usable answer. The text is one line: the URL, then the reason."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        self.reason = " ".join(reason.split())
        super().__init__(f"{url}: {self.reason}")
