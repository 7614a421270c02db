"""What `make gpu` runs, on the device that needs no hardware: each part speaks, and one that raises stops no other."""

import pytest

from tests.device import gpu
from tests.device.standin import faulty
from tests.device.test_judging import noisy
from tests.own.truth import LAYOUTS, TRUTH
from twofold.compare.layers import LAYERS


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "FIVE", ("trigram-lm",))
    monkeypatch.setattr(gpu, "MAIN", ())
    monkeypatch.setattr(gpu, "TRUTH", tuple(one for one in TRUTH if one.name == "params-dict:bias-mean"))
    monkeypatch.setattr(gpu, "LAYOUTS", tuple(one for one in LAYOUTS if one.name.startswith("flat-vector/"))[:3])
    monkeypatch.setattr(gpu, "LAYERS", [case for case in LAYERS if case.name in ("linear", "relu", "tanh")])


def test_each_part_speaks(device: str, capsys: pytest.CaptureFixture) -> None:
    def raising(device: str) -> None:
        raise ValueError(f"nothing on {device}")

    gpu.run(device, (gpu.versions, raising, gpu.five_pairs, gpu.every_case, gpu.strangers))  # type: ignore[arg-type]
    told = capsys.readouterr().out
    for words in ("torch 2", f"ValueError: nothing on {device}", "trigram-lm float32: pass", "3 of 3 cases repeat"):
        assert words in told
    assert "2 of 2 verdicts are as they are to be" in told
    assert [line[:2] for line in told.splitlines() if line[0] != " "] == ["1.", "2.", "3.", "4.", "5."]


def test_what_does_not_repeat_is_told_with_its_operation(device: str) -> None:
    with faulty(addmm=noisy(1e-3)):
        told = "\n".join(gpu.every_case(device))
    assert "2 of 3 cases repeat" in told and "the operation addmm gives something else each time" in told
