"""Writes files whole, or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name to write to; the file takes its own name once it is complete."""
    part = path.with_name(f'.{path.stem}.part{path.suffix}')
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
