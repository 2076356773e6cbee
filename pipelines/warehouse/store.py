"""Where the lake's files lie: in a folder, or in a bucket of S3. The same few acts on both.

A file is written as a stream and never changed. Half a file that a killed process leaves is no part
of the lake, since the catalog was not told of it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipelines.errors import LakeError
from pipelines.settings import LakeAccess

if TYPE_CHECKING:
    from pyarrow.fs import S3FileSystem

S3 = "s3://"


@dataclass(frozen=True)
class Store:
    """A folder or ``s3://bucket/prefix``, and what opens it. Files are named by their address."""

    objects: str
    access: LakeAccess = field(default_factory=LakeAccess)

    def address(self, *names: str) -> str:
        """The address of something in the store."""
        if self.is_remote:
            return "/".join([self.objects.rstrip("/"), *names])
        return str(Path(self.objects, *names))

    @property
    def is_remote(self) -> bool:
        """Whether it is a bucket."""
        return self.objects.startswith(S3)

    @contextmanager
    def new_file(self, address: str) -> Iterator[IO[bytes]]:
        """A file to be written as it comes; its folder is made where there is none.

        Raises `LakeError` where the store does not take it.
        """
        if not self.is_remote:
            Path(address).parent.mkdir(parents=True, exist_ok=True)
            with Path(address).open("wb") as file:
                yield file
            return
        try:
            with self._remote().open_output_stream(address.removeprefix(S3)) as stream:
                yield stream
        except OSError as error:
            raise _unreachable(self, error) from error

    def remove(self, address: str) -> None:
        """Remove a file, if it is there."""
        if not self.is_remote:
            Path(address).unlink(missing_ok=True)
            return
        with suppress(FileNotFoundError):
            self._on_remote("delete_file", address.removeprefix(S3))

    def remove_folder(self, address: str) -> None:
        """Remove a folder with all that is in it, if it is there."""
        if not self.is_remote:
            with suppress(FileNotFoundError):
                shutil.rmtree(address)
            return
        with suppress(FileNotFoundError):
            self._on_remote("delete_dir", address.removeprefix(S3))

    def _on_remote(self, act: str, path: str) -> None:
        try:
            getattr(self._remote(), act)(path)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _unreachable(self, error) from error

    def _remote(self) -> S3FileSystem:
        return s3_file_system(self.access)


def s3_file_system(access: LakeAccess) -> S3FileSystem:
    """The S3 store as pyarrow knows it; what the settings don't say, AWS' own places do."""
    from pyarrow.fs import S3FileSystem

    told: dict[str, Any] = {}
    if access.key_id:
        told |= {"access_key": access.key_id, "secret_key": access.secret_key}
    if access.endpoint:
        parts = urlsplit(access.endpoint)
        told |= {"endpoint_override": parts.netloc, "scheme": parts.scheme}
    if access.region:
        told |= {"region": access.region}
    return S3FileSystem(**told)


def _unreachable(store: Store, error: OSError) -> LakeError:
    return LakeError(
        f"The lake's objects at {store.objects} can't be reached: {error}",
        "Check QALA_OBJECTS, AWS_ENDPOINT_URL, the keys, and that the bucket is there.",
    )
