"""What is no file, another file, a file by another name, or one whose data lies elsewhere: called what it is."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.data import made
from tests.data.test_readers import h5_file, refusal
from twofold.compare import data
from twofold.compare.data import catcar, cifar10, cifar10_mean_image
from twofold.compare.data.readers import near

SETS = made.sets()
EVERY = [(name, path) for name, (_, files) in SETS.items() for path in files]
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\nsize 12345\n"
PAGE = b"\n<!-- moved -->\n<!DOCTYPE html>\n<html><body>404</body></html>\n"


def put_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made_here:
        here = os.open(".", os.O_RDONLY)
        try:
            os.chdir(path.parent)  # a socket's path may have no more than some hundred characters
            made_here.bind(path.name)
        finally:
            os.chdir(here)
            os.close(here)


OBSTACLES = {
    "a folder": Path.mkdir,
    "a FIFO": os.mkfifo,
    "a socket": put_socket,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
}


@pytest.mark.parametrize(("name", "path"), EVERY)
@pytest.mark.parametrize("what", OBSTACLES)
def test_what_is_no_file(tmp_path, name, path, what):
    wanted, files = SETS[name]
    made.lay(tmp_path, files)
    (tmp_path / path).unlink()
    OBSTACLES[what](tmp_path / path)
    line = refusal(data.load, wanted, tmp_path)
    assert what in line.split(", found ")[1] and path in line


@pytest.mark.parametrize(("name", "path"), EVERY)
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (POINTER, "a git-lfs pointer"),
        (b"\xef\xbb\xbf" + PAGE, "an HTML page"),
        (PAGE.decode().upper().encode("utf-16"), "an HTML page"),
        (b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>', "an XML page"),
        (b"/annex/objects/SHA256E-s1--1.gz\n", "a git-annex pointer"),
        (b"\x80\x04]\x94.", "a Python pickle, which is never loaded"),
        (b"", "an empty file"),
    ],
    ids=["lfs", "html", "utf-16", "xml", "annex", "pickle", "empty"],
)
def test_another_file(tmp_path, name, path, content, what):
    wanted, files = SETS[name]
    line = refusal(data.load, wanted, made.lay(tmp_path, files | {path: content}))
    assert line.startswith(f"{tmp_path / path}: ") and f", found {what}" in line


def test_a_page_within_gzip(tmp_path):
    name, files = SETS["idx.gz"]
    path = next(iter(files))
    line = refusal(data.load, name, made.lay(tmp_path, files | {path: made.zipped(PAGE.strip())}))
    assert line.endswith("idx file, plain or gzip, found an HTML page, in gzip")


def test_a_byte_order_mark_says_nothing(tmp_path):
    name, files = SETS["text"]
    (path,) = files
    loaded = data.load(name, made.lay(tmp_path, {path: b"\xef\xbb\xbf" + files[path]}))
    assert loaded.classes[0] == "w0" and len(loaded.classes) == 250


@pytest.mark.parametrize(
    ("name", "wanted", "there"),
    [
        ("mnist", "mnist/train-images-idx3-ubyte", "mnist/train-images.idx3-ubyte"),
        ("mnist", "mnist/train-images-idx3-ubyte", "mnist/Train-Images-IDX3-UByte.GZ"),
        ("mnist", "mnist/train-images-idx3-ubyte", "mnist/train-images-idx3-ubyte (1).gz"),
        ("mnist", "mnist/train-images-idx3-ubyte", "MNIST/raw/train-images-idx3-ubyte.gz"),
        ("mnist", "mnist/train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"),
        ("catcar", "eee443/assign2_data1.h5", "eee443/assign2_data1.hdf5"),
        ("catcar", "eee443/assign2_data1.h5", "eee443/assign2-data1.h5.part"),
        ("trigrams", "eee443/assign2_data2.h5", "eee443/raw sentences.txt"),
        ("cifar10", "cifar-10-batches-bin/data_batch_1.bin", "cifar-10-batches-py/data_batch_1"),
        ("notmnist", "notmnist/notMNIST.npz", "notmnist/notmnist.npz"),
        ("notmnist", "notmnist/notMNIST.npz", "notMNIST_.npz"),
    ],
)
def test_a_near_name_is_named(tmp_path, name, wanted, there):
    made.lay(tmp_path, {there: b"not read", "notes.txt": b"", "a/b/c/d/deep": b""})
    line = refusal(data.load, name, tmp_path)
    assert line.startswith(f"{tmp_path}: expected {wanted}") and line.endswith(f", found {there}")
    assert next(row.reason for row in data.found(name, tmp_path)) == there


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("mnist", "mnist/train-labels-idx1-ubyte"),  # each of these is right, and another's
        ("mnist", "mnist/t10k-images-idx3-ubyte"),
        ("catcar", "eee443/assign2_data2.h5"),
        ("cifar10", "cifar-10-batches-bin/data_batch_2.bin"),
        ("notmnist", "mnist/t10k-images-idx3-ubyte.gz"),
    ],
)
def test_another_file_of_ours_is_no_near_name(tmp_path, name, there):
    assert refusal(data.load, name, made.lay(tmp_path, {there: b"x"})).endswith(", found no such file")


@pytest.mark.parametrize("what", OBSTACLES)
def test_no_directory(tmp_path, what):
    OBSTACLES[what](tmp_path / "data")
    name = "no such file" if what == "a folder" else f"{what}, no directory"
    assert refusal(data.load, "catcar", tmp_path / "data").endswith(f", found {name}")


def test_only_so_many_names_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(near, "MOST", 5)
    made.lay(tmp_path, {f"eee443/{n}": b"" for n in range(9)} | {"eee443/assign2_data1.hdf5": b""})
    assert refusal(data.load, "catcar", tmp_path).endswith(", found no such file")


# HDF5 stays in its file


def other(path: Path) -> str:
    return str(h5_file(path.parent / "other.h5", made.pictures()))


def external(path, file, key):
    file[key] = h5py.ExternalLink(other(path), key)


def external_fifo(path, file, key):
    os.mkfifo(path.parent / "fifo")
    file[key] = h5py.ExternalLink(str(path.parent / "fifo"), key)


def soft_to_external(path, file, key):
    file["out"] = h5py.ExternalLink(other(path), "/")
    file["way"] = h5py.SoftLink("out")
    file[key] = h5py.SoftLink(f"/way/{key}")


def stored_outside(path, file, key):
    shape = made.pictures()[key].shape
    file.create_dataset(f"group/{key}", shape, "u1", external=[("/dev/zero", 0, int(np.prod(shape)))])
    file[key] = file[f"group/{key}"]


def virtual(path, file, key):
    shape = made.pictures()[key].shape
    layout = h5py.VirtualLayout(shape, "u1")
    layout[...] = h5py.VirtualSource(other(path), key, shape)
    file.create_virtual_dataset(key, layout)


def virtual_of_itself(path, file, key):
    file["out"] = h5py.ExternalLink(other(path), key)
    layout = h5py.VirtualLayout(made.pictures()[key].shape, "u1")
    layout[...] = h5py.VirtualSource(".", "out", layout.shape)
    file.create_virtual_dataset(key, layout)


@pytest.mark.parametrize("key", made.pictures())
@pytest.mark.parametrize(
    ("put", "what"),
    [
        (external, "an external link to"),
        (external_fifo, "an external link to"),
        (soft_to_external, "an external link to"),
        (stored_outside, "external storage in '/dev/zero'"),
        (virtual, "a virtual data set"),
        (virtual_of_itself, "a virtual data set"),
        (lambda path, file, key: file.__setitem__(key, h5py.SoftLink(f"/{key}")), "more than 16 soft links on the way"),
        (lambda path, file, key: file.__setitem__(key, np.dtype("u1")), "no array"),
        (lambda path, file, key: file.create_group(key), "a group"),
    ],
)
def test_hdf5_stays_in_its_file(tmp_path, key, put, what):
    path = h5_file(tmp_path / catcar.FILES[0][0], {k: v for k, v in made.pictures().items() if k != key})
    with h5py.File(path, "a") as file:
        put(path, file, key)
    line = refusal(data.load, "catcar", tmp_path)
    assert line.startswith(f"{path}: expected ") and key in line and what in line.split(", found ")[1]


def test_soft_links_within_the_file_are_followed(tmp_path):
    contents = {f"group/{key}" if key == "testims" else key: values for key, values in made.pictures().items()}
    with h5py.File(h5_file(tmp_path / catcar.FILES[0][0], contents), "a") as file:
        file["way"] = h5py.SoftLink("/group")
        file["testims"] = h5py.SoftLink("way/./testims")
    assert len(data.load("catcar", tmp_path).test) == 5


# finite in, finite out


def changed(name: str, key: str, **of: float) -> dict[str, np.ndarray]:
    """The contents with entries of the rows exchanged: row3=1e30."""
    contents = made.signals() if name == "activity" else {"data": made.drawn(12, 3, 16, 16) / 255}
    for row, value in of.items():
        contents[key][int(row.removeprefix("row"))].flat[7] = value
    return contents


@pytest.mark.parametrize("key", ["trX", "tstX", "data"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, -1e39, 1e31])
def test_numbers_that_nothing_can_be_computed_from(tmp_path, key, value):
    name = "patches" if key == "data" else "activity"
    path = next(iter(SETS[name][1]))
    line = refusal(data.load, name, made.lay(tmp_path, {path: made.hdf5(changed(name, key, row3=value))}))
    assert line == f"{tmp_path / path}: expected finite numbers of at most 1e+30 under {key}, found {value} in row 3"


@pytest.mark.parametrize(("name", "key"), [("activity", "trX"), ("patches", "data")])
def test_one_number_beyond_all_others(tmp_path, name, key):
    path = next(iter(SETS[name][1]))
    line = refusal(data.load, name, made.lay(tmp_path, {path: made.hdf5(changed(name, key, row3=1e25))}))
    assert line.startswith(f"{tmp_path / path}: expected records that still vary after preparation under {key}")
    assert line.endswith("11 of 12 that are one number throughout, and the largest number in row 3")


def test_signals_beyond_float32_after_preparation(tmp_path):
    contents = {key: values * 1e-12 if key == "trX" else values for key, values in changed("activity", "tstX").items()}
    contents["tstX"][2, 7, 1] = -1e29
    path = next(iter(SETS["activity"][1]))
    line = refusal(data.load, "activity", made.lay(tmp_path, {path: made.hdf5(contents)}))
    assert line.endswith("expected finite inputs after preparation under tstX, found -inf in row 2")


def test_a_split_names_the_row_of_the_file():
    inputs = np.ones((3, 2))
    inputs[1, 0] = np.nan
    origin = data.splits.Origin("file", "key", np.array([7, 5, 6]))
    line = refusal(data.Split, inputs, np.zeros(3), origin)
    assert line == "file: expected finite inputs after preparation under key, found nan in row 5"
    assert refusal(data.Split, np.ones((3, 2)), inputs[:, 0]).startswith("targets: expected finite targets")


@pytest.mark.parametrize(
    ("name", "path", "content", "where"),
    [
        ("catcar", 0, made.hdf5(made.pictures() | {"testims": np.zeros((5, 32, 32), np.uint8)}), "under testims"),
        ("npz", 0, made.npz({"images": np.zeros((20, 28, 28), np.uint8), "labels": made.classes(20)}), "under images"),
        ("idx", 2, made.idx(np.full((4, 28, 28), int(made.digits()[0].mean()))), "after preparation,"),
    ],
)
def test_inputs_of_nothing_but_zeros(tmp_path, name, path, content, where):
    wanted, files = SETS[name]
    path = list(files)[path]
    line = refusal(data.load, wanted, made.lay(tmp_path, files | {path: content}))
    assert line.startswith(f"{tmp_path / path}: expected inputs that are not all 0") and where in line


def test_one_black_picture_is_data(tmp_path):
    contents = made.pictures()
    contents["testims"][1] = 0
    assert not data.load("catcar", made.lay(tmp_path, {catcar.FILES[0][0]: made.hdf5(contents)})).test.inputs[1].any()


def test_photographs_that_are_all_their_mean(tmp_path):
    files = {path: 12 * (b"\1" + bytes([9]) * 3072) for path in (cifar10.FILES[0][0], cifar10.FILES[1][0])}
    line = refusal(data.load, cifar10_mean_image.NAME, made.lay(tmp_path, files))
    assert "expected inputs that are not all 0" in line


# as many labels as images


@pytest.mark.parametrize("more", [-1, 1])
@pytest.mark.parametrize(
    ("name", "key"),
    [(name, key) for name, make in (("catcar", made.pictures), ("trigrams", made.grams), ("activity", made.signals))
     for key in make() if key != "words"],
)  # fmt: skip
def test_other_counts_under_hdf5_keys(tmp_path, name, key, more):
    make = {"catcar": made.pictures, "trigrams": made.grams, "activity": made.signals}[name]
    contents = make()
    contents[key] = np.concatenate([contents[key], contents[key][:1]]) if more > 0 else contents[key][:-1]
    path = next(iter(SETS[name][1]))
    line = refusal(data.load, name, made.lay(tmp_path, {path: made.hdf5(contents)}))
    assert line.startswith(f"{tmp_path / path}: expected ") and str(len(contents[key])) in line


@pytest.mark.parametrize("more", [-1, 1])
@pytest.mark.parametrize(
    ("name", "place"), [(name, n) for name in ("idx", "idx.gz", "letters") for n in range(len(SETS[name][1]))]
)
def test_other_counts_in_idx_files(tmp_path, name, place, more):
    wanted, files = SETS[name]
    path = list(files)[place]
    arrays = [made.drawn(20, 28, 28), made.classes(20)] if name == "letters" else made.digits()
    content = made.idx(np.concatenate([arrays[place], arrays[place][:1]]) if more > 0 else arrays[place][:-1])
    line = refusal(data.load, wanted, made.lay(tmp_path, files | {path: made.zipped(content)}))
    assert "labels, one for each image, found" in line


def test_words_of_a_file_cannot_command_a_terminal():
    line = str(data.errors.mismatch("a\x1b]0;b", "c\td", "e\x9b31m\u202e" + 1000 * "f"))
    assert line.isprintable() and "\\x1b" in line and len(line) < 600
