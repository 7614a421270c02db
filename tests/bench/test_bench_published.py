"""The loops at a source's sizes beside its seconds: small here, judged, run once. No time is asserted."""

import pytest

from tests.judge.planting import plant
from twofold.compare.bench.layers import conv
from twofold.compare.bench.published import SOURCES, Source, clocked, published_rows
from twofold.compare.bench.rows import Printed, Row
from twofold.compare.commands.bench import planned
from twofold.compare.layers import case
from twofold.compare.pair import Draw
from twofold.compare.report.timings import TABLES
from twofold.compare.screen import Screen
from twofold.scratch import Linear
from twofold.scratch.layers import loops

pytestmark = pytest.mark.usefixtures("brief")

PRINTED = {"forward": Printed(3.0, 0.004), "backward": Printed(5.0, 0.002)}
SMALL = (
    Source(conv(5, 3, 7, 4, 3, stride=2, padding=1), "twofold.scratch:LoopConv2d", PRINTED),
    Source(
        case("max pool 2x2 of 3x6x6", "MaxPool2d", Draw((5, 3, 6, 6)), kernel_size=2),
        "twofold.scratch:LoopMaxPool2d",
        PRINTED,
    ),
)


def screen(width: int) -> Screen:
    found = Screen()
    found.width = width
    return found


def shown(rows: list[Row]) -> str:
    console = screen(200)
    with console.capture() as capture:
        console.print(TABLES["published"](rows))
    return capture.get()


def test_the_source_s_sizes_and_factors() -> None:
    convolution, pool = SOURCES
    assert [one.form.inputs[0].shape for one in SOURCES] == [(100, 3, 31, 31), (100, 3, 32, 32)]
    assert convolution.form.model.build("scratch").weight.data.shape == (25, 3, 3, 3)
    assert convolution.form.model.build("scratch").output_size((31, 31)) == (16, 16)
    assert pool.form.model.build("scratch").output_size((32, 32)) == (16, 16)
    assert [round(printed.factor) for one in SOURCES for printed in one.printed.values()] == [619, 859, 47, 44]


@pytest.mark.parametrize(("source", "loop"), [(SMALL[0], loops.LoopConv2d), (SMALL[1], loops.LoopMaxPool2d)])
def test_loops_run_once_and_are_judged(source: Source, loop: type, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    for part in ("forward", "backward"):
        right = getattr(loop, part)
        monkeypatch.setattr(loop, part, lambda self, x, right=right, part=part: (runs.append(part), right(self, x))[1])
    found = published_rows(source)
    assert runs == ["forward", "backward"]
    assert [(row.kind, row.part, row.dtype, row.batch) for row in found] == [
        ("published", part, "float64", 5) for part in runs
    ]
    assert all(row.timing and not row.differences for row in found)
    content = found[0].as_json()
    assert content["published"] == {"fast_ms": 4.0, "loops_ms": 3000.0, "factor": 750.0}
    assert {"fast_ms", "loops_ms", "ratio"} <= content.keys()
    assert "750" in shown(found)
    assert "2,500" in shown(found)


@pytest.mark.parametrize(
    ("source", "loop", "part", "right", "wrong"),
    [
        (SMALL[0], loops.LoopConv2d, "forward", ".sum()", ".max()"),
        (SMALL[0], loops.LoopConv2d, "backward", "dweight[o] +=", "dweight[o] -="),
        (SMALL[1], loops.LoopMaxPool2d, "backward", "+= dout", "-= dout"),
        (SMALL[1], loops.LoopMaxPool2d, "forward", ".max()", ".maximum()"),
    ],
)
def test_what_differs_or_raises_has_no_time(
    source: Source, loop: type, part: str, right: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, loop, part, right, wrong)
    found = published_rows(source)
    assert len(found) == 2
    assert all(row.differences and row.timing is None for row in found)
    assert found[0].as_json()["equal"] is False
    assert shown(found).count("DIFFERENT") == 2


def test_the_clock_changes_nothing() -> None:
    layer = Linear(3, 2)
    x = layer.weight.data
    out, dx = layer(x), layer.backward(layer(x))
    spent = clocked(layer)
    assert not spent
    assert (layer(x) == out).all()
    assert (layer.backward(out) == dx).all()
    assert spent.keys() == {"forward", "backward"}
    assert min(spent.values()) > 0


def test_named_pairs_go_without() -> None:
    assert len(planned([], layers=True)["published"]) == len(SOURCES)
    assert "published" not in planned([], layers=False)
