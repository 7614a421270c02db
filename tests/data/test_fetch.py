"""Fetching, against a stand-in for torchvision: nothing here asks for a network."""

from __future__ import annotations

import io
import re
import sys
import tarfile
from http.client import IncompleteRead
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from tests.data.test_readers import refusal, written
from twofold.compare import data
from twofold.compare.data import download


def torchvision(monkeypatch, download) -> ModuleType:
    """A stand-in for torchvision.datasets, with the names that fetch uses and two small files."""
    datasets, helpers = ModuleType("torchvision.datasets"), ModuleType("torchvision.datasets.utils")
    files = [("a.gz", "right"), ("b.gz", "right")]
    datasets.MNIST = type("MNIST", (), {"mirrors": ["one/", "two/"], "resources": files})
    datasets.CIFAR10 = type("CIFAR10", (), {"url": "host/~path/python.tar.gz", "filename": "python.tar.gz"})
    helpers.check_integrity = lambda path, md5: path.is_file() and path.read_bytes() == md5.encode()
    helpers.download_url = download
    for module in (ModuleType("torchvision"), datasets, helpers):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return datasets


def test_fetch_takes_the_mirror_that_answers_and_keeps_what_is_there(tmp_path, monkeypatch):
    asked = []

    def download(url, root, filename, md5):
        asked.append(url)
        Path(root, filename).write_bytes(b"half" if url.startswith("one") else md5.encode())
        if url.startswith("one"):
            raise RuntimeError("File not found or corrupted.")

    torchvision(monkeypatch, download)
    (tmp_path / "mnist").mkdir()
    written(tmp_path / "mnist", "b.gz", b"right")
    assert data.fetch("mnist", tmp_path) == [tmp_path / "mnist/a.gz", tmp_path / "mnist/b.gz"]
    assert asked == ["one/a.gz", "two/a.gz"]
    assert sorted((path.name, path.read_bytes()) for path in (tmp_path / "mnist").iterdir()) == [
        ("a.gz", b"right"),
        ("b.gz", b"right"),
    ]


@pytest.mark.parametrize("error", [OSError("<no\nname>"), RuntimeError("File not found"), IncompleteRead(b"x")])
def test_fetch_without_a_network(tmp_path, monkeypatch, error):
    def download(url, root, filename, md5):
        raise error

    torchvision(monkeypatch, download)
    line = refusal(data.fetch, "mnist", tmp_path)
    assert line.startswith(str(tmp_path / "mnist/a.gz")) and type(error).__name__ in line
    assert list((tmp_path / "mnist").iterdir()) == []


def test_fetch_into_a_file(tmp_path, monkeypatch):
    torchvision(monkeypatch, None)
    assert "a directory that can be written" in refusal(data.fetch, "mnist", written(tmp_path, "file", b""))


def test_fetch_beside_a_torchvision_that_does_not_load(tmp_path, monkeypatch):
    def broken(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    datasets = torchvision(monkeypatch, None)
    del datasets.MNIST
    datasets.__getattr__ = broken
    assert "torchvision::nms does not exist" in refusal(data.fetch, "mnist", tmp_path)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    assert "ModuleNotFoundError" in refusal(data.fetch, "mnist", tmp_path)


def test_fetch_of_another_name(tmp_path):
    assert "expected mnist or cifar10 or" in refusal(data.fetch, "catcar", tmp_path)


# CIFAR-10: an archive of six files, here of 3 bytes each


def archive(entries: list[tuple[str, bytes | None]]) -> bytes:
    """A gzip-compressed tar of plain files, and of links where there is no content."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in entries:
            member = tarfile.TarInfo(name)
            member.size = len(content or b"")
            if content is None:
                member.type, member.linkname = tarfile.SYMTYPE, "elsewhere"
            tar.addfile(member, io.BytesIO(content or b""))
    return packed.getvalue()


WHOLE = [(name, b"abc") for name in download.CIFAR_FILES]


@pytest.fixture
def serve(monkeypatch):
    """Takes the archive that torchvision is to bring; returns the list of what will be asked for."""

    def with_content(content: bytes) -> list[tuple[str, str]]:
        asked = []

        def answer(url, root, filename, md5):
            asked.append((url, md5))
            Path(root, filename).write_bytes(content)

        torchvision(monkeypatch, answer)
        return asked

    monkeypatch.setattr(download, "CIFAR_BYTES", 3)
    return with_content


@pytest.mark.parametrize("name", ["cifar10", "cifar10-mean-image"])
def test_cifar_fetched_and_unpacked(tmp_path, serve, name):
    others = [("cifar-10-batches-bin/readme.html", b"read me"), ("../outside", b"x"), ("/absolute", b"y")]
    asked = serve(archive(others + WHOLE))
    paths = data.fetch(name, tmp_path / "data")
    assert asked == [("host/~path/cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530")]
    names = [*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]
    assert paths == [tmp_path / "data" / "cifar-10-batches-bin" / file for file in names]
    assert sorted(tmp_path.rglob("*")) == sorted([tmp_path / "data", paths[0].parent, *paths])
    assert {path.read_bytes() for path in paths} == {b"abc"}
    assert data.fetch(name, tmp_path / "data") == paths and len(asked) == 1  # all there: kept
    paths[2].write_bytes(b"cut short")
    assert data.fetch(name, tmp_path / "data") == paths and len(asked) == 2
    assert paths[2].read_bytes() == b"abc"


@pytest.mark.parametrize(
    ("content", "expected", "found"),
    [
        (b"no archive", "a readable gzip-compressed tar archive", "ReadError"),
        (archive(WHOLE)[:-30], "a readable gzip-compressed tar archive", ""),
        (archive(WHOLE[1:]), "6 plain files of 3 bytes each", "5, of [3] bytes"),
        (archive([*WHOLE[1:], (WHOLE[0][0], None)]), "6 plain files of 3 bytes each", "5, of [3] bytes"),
        (archive([*WHOLE[1:], (WHOLE[0][0], b"longer")]), "6 plain files of 3 bytes each", "6, of [3, 6] bytes"),
        (archive([("/etc/x", b"abc")]), "6 plain files of 3 bytes each", "0, of [] bytes"),
    ],
    ids=["no archive", "cut", "one missing", "a link", "a longer one", "none"],
)
def test_cifar_archives_refused(tmp_path, serve, content, expected, found):
    serve(content)
    line = refusal(data.fetch, "cifar10", tmp_path)
    path = tmp_path / "cifar-10-batches-bin" / "cifar-10-binary.tar.gz"
    assert line.startswith(f"{path}: expected {expected}, found {found}")
    assert list((tmp_path / "cifar-10-batches-bin").iterdir()) == []


def test_cifar_without_a_network(tmp_path, monkeypatch):
    def absent(url, root, filename, md5):
        raise OSError("no route to host")

    torchvision(monkeypatch, absent)
    line = refusal(data.fetch, "cifar10", tmp_path)
    assert line.startswith(f"{tmp_path}/cifar-10-batches-bin/cifar-10-binary.tar.gz: ") and "no route" in line
    assert list((tmp_path / "cifar-10-batches-bin").iterdir()) == []


def test_cifar_with_a_python_that_cannot_filter(tmp_path, monkeypatch, serve):
    asked = serve(archive(WHOLE))
    monkeypatch.delattr(tarfile, "data_filter")
    assert "a tarfile with filters, of Python 3.11.4 or later" in refusal(data.fetch, "cifar10", tmp_path)
    assert asked == []


def test_the_address_that_is_rewritten_is_torchvision_s():
    torchvision_folder = Path(find_spec("torchvision").submodule_search_locations[0])  # importing it takes seconds
    source = (torchvision_folder / "datasets" / "cifar.py").read_text().partition("class CIFAR10(")[2]
    url, filename = (re.search(rf'^    {name} = "(.*)"$', source, re.MULTILINE)[1] for name in ("url", "filename"))
    assert url.endswith(f"/{filename}")
