"""Read a data set where it lies, a folder, archive or single file, without unpacking it to disk.

What a file is, its first bytes say, not its name: .zip, .tar, either or a single file packed by gzip, bzip2
or xz. Members are read into memory one at a time, so that nothing can be written outside the data folder. An
archive that tries (`..`, absolute names, links), or that unpacks to an absurd size, is refused all the same:
it is not the data set it claims to be.
"""

import bz2
import codecs
import gzip
import io
import lzma
import os
import re
import stat
import tarfile
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

MOST_MEMBERS = 1_000_000
MOST_BYTES_A_MEMBER = 2**30  # the largest real one is fer2013.csv with 0.3 GB
# Pictures do not shrink and pixel tables shrink about fourfold; a bomb shrinks a thousandfold.
MOST_EXPANSION = 100
FREE_BYTES = 64 * 2**20  # below this size no expansion is absurd
STRAY_NAMES = {"__MACOSX", "Thumbs.db", "desktop.ini"}
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile, lzma.LZMAError)
PACKED = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}  # how the file begins
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass
class Files:
    """The files of one data set: names with "/" between folders, in natural order, stray files left out.

    Attributes:
        path: the folder, archive or single file they come from.
        sizes: name -> bytes when unpacked.
        opener: name -> the member as a binary stream.
        lock: held while `read` reads, since an archive gives one member at a time.
        stack: closes what was opened, at the end of `open_files`.
    """

    path: Path
    sizes: dict[str, int]
    opener: Callable[[str], BinaryIO]
    lock: threading.Lock = field(default_factory=threading.Lock)
    stack: ExitStack = field(default_factory=ExitStack)

    def open(self, name) -> BinaryIO:
        """One member as a binary stream; not to be used from several threads at once."""
        return self.opener(name)

    def read(self, name) -> bytes:
        """The whole content of one member; safe to call from several threads.

        Raises:
            ValueError: where it is damaged.
        """
        with self.lock, self._stream(name) as stream:
            content = stream.read(self.sizes[name] + 1)
        if len(content) != self.sizes[name]:
            raise ValueError(
                f"{self.path}: {name} is not of the size that the archive states; download the data set again"
            )
        return content

    @contextmanager
    def _stream(self, name):
        """One member as a stream; ValueError where it is damaged."""
        try:
            with self.opener(name) as stream:
                yield stream
        except DAMAGE as error:
            message = f"{self.path}: {name} is damaged ({error}); download the data set again"
            raise ValueError(message) from None

    def encoding(self, name) -> str:
        """The encoding of a text member: what its first bytes say, UTF-8 where all of it is, else Windows'
        Latin.

        Raises:
            ValueError: where it is no text.
        """
        decoder = codecs.getincrementaldecoder("utf-8")()
        with self._stream(name) as stream:
            piece = stream.read(2**16)
            for mark, encoding in MARKS.items():
                if piece.startswith(mark):
                    return encoding
            if b"\0" in piece:
                raise ValueError(f"{self.path}: {name} is not a text file")
            try:
                while piece:
                    decoder.decode(piece)
                    piece = stream.read(2**20)
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                return "cp1252"
            return "utf-8"

    def text(self, name) -> str:
        """The whole of a text member.

        Raises:
            ValueError: where it is something else.
        """
        return self.read(name).decode(self.encoding(name), "replace")

    def head(self, name) -> str:
        """The first 4,000 bytes of a text member, enough to tell its layout.

        What cannot be decoded is replaced.
        """
        with self._stream(name) as stream:
            piece = stream.read(4000)
        encoding = next((known for mark, known in MARKS.items() if piece.startswith(mark)), "utf-8")
        return piece.decode(encoding, "replace")

    def with_archives(self) -> "Files":
        """These files, and those in the .zip files among them, as if all were unpacked side by side.

        Raises:
            ValueError: as `open_files` does for each of them.
        """
        parts = dict.fromkeys(self.sizes, self)
        for name in self.ending(".zip"):
            if self.path.is_dir():
                inner = self.stack.enter_context(open_files(self.path / name))
            else:
                archive = zipfile.ZipFile(io.BytesIO(self.read(name)))
                inner = _zip(self.path, self.stack.enter_context(archive))
            parts |= dict.fromkeys(inner.sizes, inner)
        sizes = _in_order({name: part.sizes[name] for name, part in parts.items()})
        return Files(self.path, sizes, lambda name: parts[name].open(name), stack=self.stack)

    def ending(self, *endings) -> list[str]:
        """The names that end so, upper or lower case."""
        return [name for name in self.sizes if name.lower().endswith(endings)]


@contextmanager
def open_files(path):
    """`Files` of a folder, of an archive or of the single file at `path`, open inside the `with` block.

    Raises:
        FileNotFoundError: where nothing is at `path`.
        ValueError: where it is empty, damaged or not to be trusted.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder (looked in {Path.cwd()})")
    if not path.is_dir() and not path.is_file():
        raise ValueError(f"{path}: neither a file nor a folder, but a device or a pipe")
    with ExitStack() as stack:
        try:
            files = _open(path, stack)
        except DAMAGE as error:
            damage = f"the archive is damaged or its download incomplete ({error})"
            raise ValueError(f"{path}: {damage}; download it again") from None
        if not files.sizes:
            raise ValueError(
                f"{path}: holds no files; give the folder or archive of the data set as downloaded"
            )
        files.stack = stack
        yield files


def _open(path, stack):
    if path.is_dir():
        files = folder_files(path)
        alone = path / next(iter(files.sizes), "")
        return _open(alone, stack) if len(files.sizes) == 1 and _is_packed(alone) else files
    if zipfile.is_zipfile(path):
        return _zip(path, stack.enter_context(zipfile.ZipFile(path)))
    with open(path, "rb") as stream:
        magic = stream.read(512)
    for start, unpack in PACKED.items():
        if magic.startswith(start):
            return _unpacked(path, unpack, stack)
    if tarfile.is_tarfile(path):
        return _tar(path, stack.enter_context(tarfile.open(path, mode="r:")))
    if magic and (b"\0" not in magic or magic.startswith(tuple(MARKS))):
        return Files(path, {path.name: path.stat().st_size}, lambda name: open(path, "rb"))
    kind = "neither a folder, an archive (.zip, .tar, .gz, .bz2, .xz) nor a table"
    if magic.startswith(b"PK\x03\x04"):
        kind = "the download of this .zip is incomplete"
    elif magic[:4] in (b"Rar!", b"7z\xbc\xaf"):
        kind = "an archive that labkit does not open"
    elif not magic:
        kind = "an empty file"
    raise ValueError(f"{path}: {kind}; download it again, or unpack it yourself and give the folder")


def _is_packed(path) -> bool:
    """Whether a file is an archive, or packed, by its first bytes."""
    with open(path, "rb") as stream:
        magic = stream.read(512)
    return zipfile.is_zipfile(path) or magic.startswith(tuple(PACKED)) or tarfile.is_tarfile(path)


def folder_files(path) -> Files:
    """`Files` of a folder and all below it. Links are followed, but not round and round."""
    sizes, places = {}, {}

    def refuse(error):
        raise OSError(error.errno, f"{error.filename} cannot be read: {error.strerror}") from None

    for folder, subfolders, names in os.walk(path, followlinks=True, onerror=refuse):
        here = os.path.realpath(folder)
        below = [name for name in subfolders if not _is_stray(name)]
        subfolders[:] = [name for name in below if not _is_around(here, os.path.join(folder, name))]
        for file in (Path(folder, name) for name in names):
            name = _readable(os.fsencode(file.relative_to(path).as_posix()))
            if not _is_stray(name) and file.is_file():
                sizes[name], places[name] = file.stat().st_size, file
        _check_count(path, sizes)
    return Files(path, _in_order(sizes), lambda name: open(places[name], "rb"))


def _is_around(folder, link) -> bool:
    """Whether a link leads to a folder that `folder` lies in, round and round."""
    return os.path.islink(link) and (folder + os.sep).startswith(os.path.realpath(link) + os.sep)


def _readable(name: bytes) -> str:
    """A name as text: UTF-8, or what Windows wrote where it is none."""
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return name.decode("cp1252", "replace")


def _zip_name(member) -> str:
    """A member's name; many programs write UTF-8 or Windows' letters without saying so."""
    if member.flag_bits & 0x800 or member.filename.isascii():
        return member.filename
    return _readable(member.filename.encode("cp437", "replace"))


def _zip(path, archive):
    members = {}
    for member in archive.infolist():
        _check_name(path, member.filename, is_link=stat.S_ISLNK(member.external_attr >> 16))
        if member.flag_bits & 1:
            raise ValueError(
                f"{path}: {member.filename} is encrypted; unpack the archive yourself and give the folder"
            )
        if not member.is_dir() and not _is_stray(member.filename):
            members[_slashed(_zip_name(member))] = member
    sizes = {name: member.file_size for name, member in members.items()}
    _check_sizes(path, sizes)
    return Files(path, _in_order(sizes), lambda name: archive.open(members[name]))


def _tar(path, archive):
    members, sizes = {}, {}
    for member in archive:  # stops at the first bad header, before anything behind it is read
        _check_name(path, member.name, is_link=not (member.isfile() or member.isdir()))
        if member.isfile() and not _is_stray(member.name):
            name = _slashed(member.name)
            members[name], sizes[name] = member, member.size
            _check_count(path, sizes)
    _check_sizes(path, sizes)
    return Files(path, _in_order(sizes), lambda name: archive.extractfile(members[name]))


def _unpacked(path, unpack, stack):
    """What gzip, bzip2 or xz packed, a .tar or a single file: in memory, or where large in a nameless
    temporary file that vanishes when closed.

    Unpacked as a whole because none of them can jump to a member.
    """
    most, total = _most_bytes(path), 0
    unpacked = stack.enter_context(tempfile.SpooledTemporaryFile(max_size=FREE_BYTES))  # noqa: SIM115
    with unpack(path) as stream:
        while piece := stream.read(2**20):
            total += len(piece)
            if total > most:
                raise _absurd(path)
            unpacked.write(piece)
    unpacked.seek(0)
    if tarfile.is_tarfile(unpacked):
        unpacked.seek(0)
        return _tar(path, stack.enter_context(tarfile.open(fileobj=unpacked, mode="r:")))
    return Files(path, {path.stem: total}, lambda name: _again(unpacked))


def _again(stream):
    """A file that is open already from its beginning; whoever closes it closes a copy."""
    stream.seek(0)
    return io.BufferedReader(_Kept(stream))


class _Kept(io.RawIOBase):
    """Reads another stream, and leaves it open."""

    def __init__(self, stream):
        self.stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        piece = self.stream.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def _check_name(path, name, is_link):
    parts = _slashed(name, keep_root=True).split("/")
    refused = "refused, get the archive from the official page"
    if parts[0] == "" or parts[0].endswith(":") or ".." in parts:
        raise ValueError(f"{path}: member '{name}' points outside the archive; {refused}")
    if is_link:
        raise ValueError(f"{path}: member '{name}' is a link or device; {refused}")


def _check_count(path, sizes):
    if len(sizes) > MOST_MEMBERS:
        raise ValueError(
            f"{path}: holds more than {MOST_MEMBERS:,} files; give the folder of one data set only"
        )


def _check_sizes(path, sizes):
    _check_count(path, sizes)
    for name, size in sizes.items():
        if size > MOST_BYTES_A_MEMBER:
            stated = f"member '{name}' states a size of {size:,} bytes"
            raise ValueError(f"{path}: {stated}; refused above {MOST_BYTES_A_MEMBER:,}")
    if sum(sizes.values()) > _most_bytes(path):
        raise _absurd(path)


def _most_bytes(path):
    return max(FREE_BYTES, MOST_EXPANSION * path.stat().st_size)


def _absurd(path):
    rule = f"unpacks to more than {MOST_EXPANSION} times its size"
    return ValueError(f"{path}: {rule}; refused, this is not a real data set")


def _is_stray(name):
    """True for what file managers leave behind: hidden files, macOS and Windows bookkeeping."""
    parts = [part for part in _slashed(name).split("/") if part != "."]
    return any(part.startswith(".") or part in STRAY_NAMES for part in parts)


def _slashed(name, keep_root=False):
    name = name.replace("\\", "/")
    return name if keep_root else name.removeprefix("./")


def _in_order(sizes):
    """By name, numbers by value, the same order whatever the archive or file system gives."""
    return dict(sorted(sizes.items(), key=lambda item: natural_key(item[0])))


def natural_key(name) -> list:
    """Sort key that compares numbers in names by their value.

    Example:
        >>> sorted(["file10", "file2"], key=natural_key)
        ['file2', 'file10']
    """
    parts = re.split(r"([0-9]+)", name)
    return [(0, int(part), part) if part.isdigit() else (1, 0, part) for part in parts]
