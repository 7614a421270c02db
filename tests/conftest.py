"""What tests share: one thread each, the folder of real files and the CUDA device, or the reason why there is none."""

import os
from pathlib import Path

import pytest

from tests.places import REAL_DATA

# BLAS and torch read it when they are imported; the tests already take one process a core
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")


@pytest.fixture
def real_data() -> Path:
    if not REAL_DATA.is_dir():
        pytest.skip("no real data files beside the checkout (../shared/data)")
    return REAL_DATA


@pytest.fixture
def cuda() -> str:
    import torch

    from twofold.compare.sides.devices import devices

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device that torch can use")
    return devices("cuda")[0]  # as every command begins it: what makes products repeat is read when CUDA starts


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are laid out and written as empty files: rendering them is most of a short training's time."""
    empty = {"png": b"\x89PNG", "svg": b'<svg viewBox="0 0 9 9"/>'}
    monkeypatch.setattr(
        "matplotlib.figure.Figure.savefig", lambda figure, file, **how: file.write(empty[how["format"]])
    )


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bench with one round a row."""
    from twofold.compare.bench import layers, steps, timing

    for module, name in ((timing, "BUDGET"), (layers, "BUDGET"), (steps, "GROWTH_BUDGET"), (timing, "SAMPLE")):
        monkeypatch.setattr(module, name, 0.0)
    for name in ("ROUNDS", "FEWEST"):
        monkeypatch.setattr(timing, name, 1)
    monkeypatch.setattr(steps, "BATCHES", (1, 3))
    monkeypatch.setenv("COLUMNS", "200")
