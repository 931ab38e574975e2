"""Files of a zip archive or a folder, read by name."""

from __future__ import annotations

import contextlib
import errno
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from emrys.blocks.errors import DataError


class FileSource:
    """Reads files of a zip archive, without extracting it, or of a folder and its subfolders.

    Args:
        path: The archive or the folder.

    Raises:
        DataError: if `path` does not exist or is not a complete zip archive, or the archive has a member whose name is
            absolute or contains `..`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._is_folder = self.path.is_dir()
        if self._is_folder:
            files = (file for depth in ("*", "*/*") for file in self.path.glob(depth) if file.is_file())
            self.names = tuple(sorted(file.relative_to(self.path).as_posix() for file in files))
        else:
            self.names = tuple(sorted(self._members()))

    def where(self, name: str) -> str:
        """Path of a file for messages, below that of the archive or folder."""
        return f"{self.path}/{name}"

    def read(self, name: str) -> bytes:
        """Reads the file `name`; in an archive its checksum is verified.

        Raises:
            DataError: if the file is damaged, or protected with a password.
        """
        if self._is_folder:
            return (self.path / name).read_bytes()
        with _archive_errors(self.where(name)), zipfile.ZipFile(self.path) as archive:
            return archive.read(name)

    def _members(self) -> list[str]:
        with _archive_errors(str(self.path)), zipfile.ZipFile(self.path) as archive:
            names = [member.filename for member in archive.infolist() if not member.is_dir()]
        for name in names:
            parts = PurePosixPath(name.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts:
                raise DataError(
                    "the archive has a member that points outside of it",
                    path=self.path,
                    expected="relative names without '..'",
                    got=repr(name),
                )
        return names


@contextlib.contextmanager
def _archive_errors(where: str) -> Iterator[None]:
    """Converts the exceptions of zipfile for damaged archives to `DataError`.

    These are many besides BadZipFile: NotImplementedError for an unknown version or method, RuntimeError for a
    password, UnicodeDecodeError or IndexError for names, errors of the decompressors, EINVAL.
    """
    try:
        yield
    except FileNotFoundError:
        raise DataError("there is no such file or folder", path=where) from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        problem = f"the archive is damaged or not a zip archive ({error})"
        raise DataError(problem, path=where, fix="Download it again.") from None
