"""Small right files of every data set that has files, as bytes by path, to be damaged and replaced."""

from __future__ import annotations

import gzip
import io
from functools import cache
from pathlib import Path

import h5py
import numpy as np

from twofold.compare.data import activity, catcar, cifar10, cifar10_mean_image, mnist, notmnist, patches, trigrams

Contents = dict[str, np.ndarray]


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def zipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def hdf5(contents: Contents, **how: object) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as made:
        for key, values in contents.items():
            made.create_dataset(key, data=values, **how)
    return file.getvalue()


def npz(contents: Contents, packed: bool = False) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(file, **contents)
    return file.getvalue()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, np.uint8)


def classes(count: int, of: int = 10) -> np.ndarray:
    return np.arange(count) % of


def pictures() -> Contents:
    return {"trainims": drawn(12, 32, 32), "trainlbls": classes(12, 2), "testims": drawn(5, 32, 32),
            "testlbls": classes(5, 2)}  # fmt: skip


def signals() -> Contents:
    rng = np.random.default_rng(0)
    return {"trX": rng.normal(size=(12, 150, 3)), "trY": np.eye(6)[classes(12, 6)],
            "tstX": rng.normal(size=(4, 150, 3)), "tstY": np.eye(6)[classes(4, 6)]}  # fmt: skip


def grams() -> Contents:
    words = {"words": np.array([f"word{n}".encode() for n in range(250)])}
    parts = {f"{part}x": 1 + drawn(6, 3) % 250 for part in ("train", "val", "test")}
    return words | parts | {f"{part}d": 1 + drawn(6) % 250 for part in ("train", "val", "test")}


def sentences() -> bytes:
    return (" ".join(f"w{n}" for n in range(250)) + "\nw0 w1 w2 w3\n").encode()


def batch(count: int) -> bytes:
    return b"".join(bytes([label]) + drawn(3072 + label)[:3072].tobytes() for label in classes(count).tolist())


def digits() -> list[np.ndarray]:
    return [drawn(7, 28, 28), classes(7), drawn(4, 28, 28), classes(4)]


@cache
def sets() -> dict[str, tuple[str, dict[str, bytes]]]:
    """By a name of its own: a data set's name, and all files that it needs."""
    letters = {"images": drawn(20, 28, 28), "labels": classes(20)}
    batches = {cifar10.FILES[0][0]: batch(12), cifar10.MORE[0]: batch(11), cifar10.FILES[1][0]: batch(3)}
    mean = {cifar10_mean_image.MEAN_FILE: npy(np.full((3, 32, 32), 99.5))}
    packed = dict(zip((names[1] for names in mnist.FILES), (zipped(idx(a)) for a in digits()), strict=True))
    return {
        "idx": ("mnist", {names[0]: idx(a) for names, a in zip(mnist.FILES, digits(), strict=True)}),
        "idx.gz": ("mnist", packed),
        "catcar": ("catcar", {catcar.FILES[0][0]: hdf5(pictures())}),
        "catcar deflated": ("catcar", {catcar.FILES[0][0]: hdf5(pictures(), compression="gzip", fletcher32=True)}),
        "trigrams": ("trigrams", {trigrams.FILES[0][0]: hdf5(grams())}),
        "text": ("trigrams", {trigrams.FILES[0][1]: sentences()}),
        "activity": ("activity", {activity.FILES[0][0]: hdf5(signals(), compression="gzip", shuffle=True)}),
        "patches": ("patches", {patches.FILES[0][0]: hdf5({"data": drawn(12, 3, 16, 16) / 255})}),
        "cifar10": ("cifar10", batches),
        "mean image": (cifar10_mean_image.NAME, batches | mean),
        "npz": ("notmnist", {notmnist.ARCHIVE: npz(letters)}),
        "npz deflated": ("notmnist", {notmnist.ARCHIVE: npz(letters, packed=True)}),
        "letters": ("notmnist", {
            notmnist.SAMPLE[0]: idx(letters["images"]), f"{notmnist.SAMPLE[1]}.gz": zipped(idx(letters["labels"])),
        }),
    }  # fmt: skip


def lay(folder: Path, files: dict[str, bytes]) -> Path:
    """The files under `folder`, which is given back."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder
