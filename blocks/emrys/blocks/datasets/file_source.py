"""Files of a zip archive or of a folder, read by name."""

from __future__ import annotations

import contextlib
import errno
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from emrys.blocks.errors import DataError


class FileSource:
    """Reads files out of a zip archive, or out of a folder and the folders in it, without extracting anything.

    Args:
        path: The archive or the folder.

    Raises:
        DataError: if there is nothing at `path`, or it is not a whole zip archive, or the archive has a member whose
            name is absolute or climbs out with `..`.
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
        """Path of a file for messages; in an archive it follows the path of the archive."""
        return f"{self.path}/{name}"

    def read(self, name: str) -> bytes:
        """The bytes of the file `name`, checked against the checksum of the archive.

        Raises:
            DataError: if the file is damaged, or locked with a password.
        """
        if self._is_folder:
            return (self.path / name).read_bytes()
        with _damage_told(self.where(name)), zipfile.ZipFile(self.path) as archive:
            return archive.read(name)

    def _members(self) -> list[str]:
        with _damage_told(str(self.path)), zipfile.ZipFile(self.path) as archive:
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
def _damage_told(where: str) -> Iterator[None]:
    """Turns whatever a damaged archive makes zipfile raise into a `DataError`.

    Besides BadZipFile that is nearly anything: NotImplementedError for a version or a method that it does not know,
    RuntimeError for a password, UnicodeDecodeError or IndexError for names, errors of the decompressors, EINVAL.
    """
    try:
        yield
    except FileNotFoundError:
        raise DataError("there is no such file or folder", path=where) from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        problem = f"the archive is damaged or no zip archive ({error})"
        raise DataError(problem, path=where, fix="Download it again.") from None
