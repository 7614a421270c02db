"""Arguments and options that several commands have."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from twofold import __version__


def completed(incomplete: str) -> list[str]:
    """The pairs whose names begin so, for the shell."""
    from twofold.compare.pairs import PAIRS

    return [name for name in PAIRS if name.startswith(incomplete)]


def print_version(wanted: bool) -> None:
    if wanted:
        print(f"twofold {__version__}")
        raise typer.Exit()


def tried(file: Path | None) -> Path | None:
    """A file that can be written to, before the work whose result it is to hold."""
    from twofold.compare.output import try_file

    try_file(file)
    return file


def shard_of(text: str | None) -> Any:
    """Read at once, before any work."""
    from twofold.compare import sharding

    return text if text is None else str(sharding.shard_of(text))


def json_of(what: str) -> Any:
    return typer.Option("--json", metavar="FILE", callback=tried, help=f"{what} as JSON; - is standard output.")


Pairs = Annotated[
    list[str] | None,
    typer.Argument(help="Names as `twofold list` prints them; all by default.", autocompletion=completed),
]
One = Annotated[str, typer.Argument(help="A name as `twofold list` prints it.", autocompletion=completed)]
Data = Annotated[
    Path | None,
    typer.Option(
        envvar="TWOFOLD_DATA", help="Folder with the real data files; without it the embedded data sets serve."
    ),
]


def bound(gb: float | None) -> None:
    """Worker processes are to have it too, and so it goes into the environment, where the readers look it up."""
    from twofold.compare.data.readers.bound import VARIABLE

    if gb is not None:
        os.environ[VARIABLE] = str(gb)


MaxGB = Annotated[
    float | None,
    typer.Option(
        min=0.001,
        callback=bound,
        metavar="GB",
        help="How much of --data may be read; by default several times what was published, 0.02 to 1 GB by data set.",
    ),
]
PLACES = "cpu|cuda|auto|NAME"  # whatever torch.device takes
Device = Annotated[
    str, typer.Option(metavar=PLACES, help="Where the reference runs; auto is the CPU, and CUDA where it is present.")
]
Junit = Annotated[
    Path | None,
    typer.Option("--junit", metavar="FILE", callback=tried, help="The same as JUnit, for CI; - is standard output."),
]
Shard = Annotated[
    str | None,
    typer.Option(
        metavar="K/N",
        callback=shard_of,
        help="The K-th of N parts alone, for `merge`; env: RANK + 1 of WORLD_SIZE, as torchrun sets them.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Draws parameters, inputs and cotangents.")]


Resume = Annotated[bool, typer.Option("--resume", help="Take up what is finished, by the same code on the same data.")]
Backend = Annotated[Literal["scratch", "reference"], typer.Option(help="NumPy by hand, or torch.nn.")]
Records = Annotated[int | None, typer.Option(min=1, help="Train on the first N records alone.", metavar="N")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Default: the pair's recipe.")]
NoStop = Annotated[
    bool, typer.Option("--no-stop", help="Train all epochs, whatever the recipe's rules for stopping early say.")
]
TrainedOn = Annotated[
    str | None, typer.Option(metavar=PLACES, help="For the reference; auto, the default: CUDA if there.")
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Of NumPy's BLAS and of torch; their number decides bits. Default: 1.")
]
Workers = Annotated[
    str | None,
    typer.Option(
        metavar="N",
        help="Processes that share every batch, by torch's DistributedDataParallel, for the reference; env: those that "
        "torchrun has started.",
    ),
]
Dtype = Annotated[Literal["float32", "float64"] | None, typer.Option(help="Default: float32.")]
Watch = Annotated[
    Literal["gradients"] | None,
    typer.Option(help="gradients: their norms by layer and time step, and updates beside weights, in gradients.png."),
]
TrainingSeed = Annotated[int | None, typer.Option(min=0, help="Draws weights and batches; default: the recipe's.")]
