"""Files that appear whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """An empty file beside `path` to write to; it takes the place of `path` when the block ends.

    When the block raises, `path` stays as it was. Created with the usual permissions, since
    other users read the result. Raises OSError.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    partial.touch(exist_ok=False)
    try:
        yield partial
        # Without this, a power cut may leave the new name with an empty file.
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
