"""Names and words that others wrote: shown letter for letter, and suggested where one is nearly right."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from twofold.compare.names import meant, near, plain
from twofold.compare.screen import Screen, Words

HOSTILE = [
    "x [/]",
    "[bold red]x[/bold red]",
    "[link=http://a]b",
    ":smile: :warning:",
    "\x1b[2J\x1b[31mred",
    "\x1b]0;title\x07",
    "one\ntwo\r\nthree",
    "a\tb\vc\x00d",
    "\u202egpj.exe",
    "\udcff lone",
    "<script>&amp;\"'</script>",
    "$\\frac{$ _x^2 $",
    "{0} %s {name!r}",
    "Größe µ 猫",
    "",
]
ESCAPED = {
    "one\ntwo": "one\\ntwo",
    "\x1b[31m": "\\x1b[31m",
    "\u202egpj": "\\u202egpj",
    "\ud800": "\\ud800",
    "Größe µ 猫": "Größe µ 猫",
    "[/] $x$": "[/] $x$",
}


@pytest.mark.parametrize("text", ESCAPED)
def test_what_cannot_be_printed_is_written_out(text: str) -> None:
    assert plain(text) == ESCAPED[text]


@given(st.text())
def test_a_plain_text_is_one_line_that_any_file_takes(text: str) -> None:
    assert plain(text).isprintable()
    assert plain(text).encode() and "\n" not in plain(text) if text else plain(text) == ""


def shown(width: int = 200) -> tuple[Screen, io.StringIO]:
    screen, file = Screen(), io.StringIO()
    screen.width, screen.file = width, file
    return screen, file


@pytest.mark.parametrize("text", HOSTILE)
def test_the_screen_shows_a_text_as_it_is(text: str) -> None:
    screen, file = shown()
    screen.print(text)
    assert file.getvalue() == plain(text) + "\n"


@pytest.mark.parametrize("text", HOSTILE[:-1])
def test_a_table_shows_a_text_as_it_is(text: str) -> None:
    """In a title, a heading, a cell and a caption; a line break is one in a table, and nothing else is."""
    screen, file = shown()
    table = Table(text, "b", title=text, caption=text, box=None)
    table.add_row(text, Text("styled", "bold"))
    screen.table(table)
    lines = [plain(line) for line in text.split("\n")]
    assert all(file.getvalue().count(" ".join(line.split(" "))) >= 2 for line in lines)
    assert not any(letter in file.getvalue() for letter in "\x1b\r\x07\x00\u202e")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_bar_and_a_status_show_a_text_as_it_is(text: str) -> None:
    from rich.progress import Progress

    screen, _ = shown()
    progress = Progress(Words("{task.description}"), console=screen)
    progress.add_task(text, total=1)
    (column,), (task,) = progress.columns, progress.tasks
    assert isinstance(column, Words) and column.render(task).plain == plain(text)
    with screen.status(text) as status:
        status.update(text)
        assert str(status.status) == plain(text)


NAMES = ("mnist-cnn", "fc-net", "fc-net-adam", "sine-rnn", "lr", "weight_decay", "Adam")
NEAR = {
    "MNIST-CNN": ["mnist-cnn"],
    "mnist_cnn": ["mnist-cnn"],
    "adam": ["Adam"],
    "LR": ["lr"],
    "weight-decay": ["weight_decay"],
    "mnist-cn": ["mnist-cnn"],
    "sinernn": ["sine-rnn"],
    "fc-nett": ["fc-net", "fc-net-adam"],
    "nothing-like-it": [],
    "": [],
}


@pytest.mark.parametrize("name", NEAR)
def test_near_names(name: str) -> None:
    assert near(name, NAMES) == NEAR[name]
    assert meant(name, NAMES) == (f"; did you mean {', '.join(NEAR[name])}?" if NEAR[name] else "")


NO_WIDTHS = ["", "0", "1", "-7", "\u00b2", "\u0664\u0660", "9x"]
WIDTHS = [*((columns, 140) for columns in NO_WIDTHS), ("80", 80), ("300", 300)]


@pytest.mark.parametrize(("columns", "width"), WIDTHS)
def test_a_width_that_is_none_is_not_taken(columns: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert Screen().width == width


@pytest.mark.parametrize("width", [20, 40, 80, 100, 200])
def test_no_word_of_a_table_is_folded(width: int) -> None:
    names = ["three-layer-convnet-spatial-group-norm", "mnist/train-images-idx3-ubyte.gz", "SparseLoss(beta=0.01,"]
    screen, file = shown(width)
    table = Table("name", "file", "what it is", box=None, pad_edge=False, title="a title that is longer than twenty")
    for name in names:
        table.add_row(name, names[1], f"{names[2]} rho=0.2) and more that may go to another line")
    screen.table(table)
    assert all(name in file.getvalue() for name in (*names, "a title that is longer than twenty"))
    assert max(map(len, file.getvalue().splitlines())) <= max(width, len(names[0]))
