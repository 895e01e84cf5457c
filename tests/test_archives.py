"""`labkit.formats.archives`: what it reads, and every way an archive may try to do harm."""

import gzip
import io
import stat
import tarfile
import zipfile

import pytest

from labkit.formats import archives
from labkit.formats.archives import open_files

CONTENT = {"a/file10.txt": b"ten", "a/file2.txt": b"two", "b.csv": b"1,2\n" * 1000}
STRAY = {
    "a/.DS_Store": b"x",
    "a/._file2.txt": b"x",
    "__MACOSX/a/._file2.txt": b"x",
    "Thumbs.db": b"x",
    ".git/config": b"x",
}


def make_zip(path, files, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def make_tar(path, files, mode="w", **attributes):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for attribute, value in attributes.items():
                setattr(member, attribute, value)
            archive.addfile(member, io.BytesIO(content))
    return path


def make_folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


@pytest.mark.parametrize("kind", ["folder", "x.zip", "x.tar", "x.tar.gz", "renamed.bin", "dotted.tar"])
def test_reads_the_same_from_everywhere(tmp_path, kind):
    files = STRAY | CONTENT
    if kind == "folder":
        path = make_folder(tmp_path / "x", files)
    elif kind == "dotted.tar":  # as `tar -cf x.tar .` writes it
        path = make_tar(tmp_path / kind, {f"./{name}": content for name, content in files.items()})
    elif kind.endswith((".tar", ".gz")):
        path = make_tar(tmp_path / kind, files, "w:gz" if kind.endswith(".gz") else "w")
    else:
        path = make_zip(tmp_path / kind, files)
    with open_files(path) as opened:
        assert list(opened.sizes) == [
            "a/file2.txt",
            "a/file10.txt",
            "b.csv",
        ]  # numbers by value, strays left out
        assert {name: opened.read(name) for name in opened.sizes} == CONTENT
        assert opened.sizes == {name: len(content) for name, content in CONTENT.items()}
        with opened.open("b.csv") as stream:
            assert stream.read(4) == b"1,2\n"
        assert opened.ending(".TXT".lower()) == ["a/file2.txt", "a/file10.txt"]


def refused(path, words):
    with pytest.raises(ValueError, match=words) as caught, open_files(path) as opened:
        for name in opened.sizes:
            opened.read(name)
    assert "\n" not in str(caught.value) and path.name in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "../evil.txt",
        "a/../../evil.txt",
        "/etc/evil.txt",
        "..\\evil.txt",
        "C:\\evil.txt",
        "C:/evil.txt",
        "\\\\host\\x",
    ],
)
@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_names_that_point_outside_are_refused(tmp_path, name, kind):
    files, path = CONTENT | {name: b"evil"}, tmp_path / f"x.{kind}"
    make_zip(path, files) if kind == "zip" else make_tar(path, files, "w:gz" if kind == "tar.gz" else "w")
    refused(path, "points outside the archive")
    assert [item.name for item in tmp_path.iterdir()] == [path.name] and not (
        tmp_path.parent / "evil.txt"
    ).exists()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_tars_are_refused(tmp_path, kind):
    refused(
        make_tar(tmp_path / "x.tar", {"a.txt": b""}, type=kind, linkname="/etc/passwd"), "is a link or device"
    )


def test_links_in_zips_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        link = zipfile.ZipInfo("a.txt")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    refused(tmp_path / "x.zip", "is a link or device")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_bombs_are_refused(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(archives, "FREE_BYTES", 10_000)
    path, files = tmp_path / f"x.{kind}", {"zeros.txt": bytes(5_000_000)}
    make_zip(path, files) if kind == "zip" else make_tar(path, files, "w:gz")
    refused(path, "unpacks to more than 100 times its size")


def test_a_small_archive_of_empty_pixels_is_no_bomb(tmp_path):
    with open_files(make_zip(tmp_path / "x.zip", {"zeros.csv": bytes(1_000_000)})) as opened:
        assert len(opened.read("zeros.csv")) == 1_000_000


def test_absurd_stated_sizes_and_counts_are_refused(tmp_path, monkeypatch):
    header = tarfile.TarInfo("a.txt")
    header.size = 2**40
    (tmp_path / "x.tar").write_bytes(header.tobuf() + bytes(1024))
    refused(tmp_path / "x.tar", "a.txt|damaged")
    monkeypatch.setattr(archives, "MOST_BYTES_A_MEMBER", 2000)
    refused(
        make_zip(tmp_path / "x.zip", CONTENT),
        r"member 'b.csv' states a size of 4,000 bytes; refused above 2,000",
    )
    monkeypatch.setattr(archives, "MOST_MEMBERS", 2)
    refused(make_tar(tmp_path / "y.tar", CONTENT), "more than 2 files")
    refused(make_folder(tmp_path / "z", CONTENT), "more than 2 files")


def test_a_member_that_lies_about_its_size_is_refused(tmp_path):
    path = make_zip(tmp_path / "x.zip", {"a.txt": b"x" * 1000}, zipfile.ZIP_DEFLATED)
    content = path.read_bytes()
    assert content.count((1000).to_bytes(4, "little")) == 2
    path.write_bytes(content.replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    refused(path, "a.txt is damaged")


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_incomplete_downloads(tmp_path, kind):
    path = tmp_path / f"x.{kind}"
    files = {f"{i}.txt": bytes(range(256)) * 40 for i in range(20)}
    make_zip(path, files, zipfile.ZIP_STORED) if kind == "zip" else make_tar(
        path, files, "w:gz" if kind == "tar.gz" else "w"
    )
    path.write_bytes(path.read_bytes()[: -path.stat().st_size // 3])
    refused(path, "incomplete|damaged|not of the size")


def test_damaged_content(tmp_path):
    path = make_zip(tmp_path / "x.zip", {"a.txt": b"content of a"}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"content of a", b"content of b"))
    refused(path, "a.txt is damaged")
    (tmp_path / "y.tar.gz").write_bytes(gzip.compress(b"no tar in here" * 100)[:-20])
    refused(tmp_path / "y.tar.gz", "damaged or its download incomplete")


def test_what_is_no_archive(tmp_path):
    (tmp_path / "x.rar").write_bytes(b"Rar!\x1a\x07\0 and more")
    refused(tmp_path / "x.rar", "an archive that labkit does not open")
    (tmp_path / "x.zip").write_bytes(b"")
    refused(tmp_path / "x.zip", "an empty file")
    (tmp_path / "x.bin").write_bytes(bytes(range(256)))
    refused(tmp_path / "x.bin", "neither a folder, an archive")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "holds no files")
    refused(make_zip(tmp_path / "strays.zip", STRAY), "holds no files")
    with pytest.raises(FileNotFoundError, match="no such file or folder"), open_files(tmp_path / "nowhere"):
        pass


def test_encrypted_zips_are_refused(tmp_path):
    path = make_zip(tmp_path / "x.zip", {"a.txt": b"content"}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    refused(path, "a.txt is encrypted")


def test_a_folder_with_a_link_to_itself(tmp_path):
    folder = make_folder(tmp_path / "x", CONTENT)
    try:
        (folder / "loop").symlink_to(folder, target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    with open_files(folder) as opened:
        assert len(opened.sizes) == len(CONTENT)
