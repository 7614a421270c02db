"""The commands. Heavy imports stand inside them, so that `list` answers at once and scratch trains without torch."""

import errno
import os
import sys
import traceback
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from twofold.compare.errors import MEANING, BadInput, Status
from twofold.compare.interrupts import Interrupted, at_once, handled
from twofold.compare.names import plain
from twofold.compare.options import (
    PLACES,
    Backend,
    Data,
    Device,
    Dtype,
    Epochs,
    Junit,
    MaxGB,
    NoStop,
    Pairs,
    Records,
    Resume,
    Seed,
    Shard,
    Threads,
    TrainedOn,
    TrainingSeed,
    Watch,
    Workers,
    completed,
    json_of,
    print_version,
)

WRITING = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EBADF)  # what standard output may refuse

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Settles whether two implementations of a neural network are the same computation: every model is built "
    "twice, from scratch in NumPy and with torch.nn, and judged on identical weights and batches.",
    epilog=f"Exit status: {', '.join(f'{status:d} {meaning}' for status, meaning in MEANING.items())}.",
)


@app.callback()
def settings(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=print_version, help="Prints the version.")
    ] = False,
) -> None:
    """Options of the program itself."""


@app.command("list")
def list_pairs(as_json: Annotated[bool, typer.Option("--json", help="As JSON on standard output.")] = False) -> None:
    """The pairs: name, layers, parameters, data, loss and optimizer."""
    from twofold.compare.commands import listing as command

    command.run(as_json)


@app.command()
def check(
    pairs: Pairs = None,
    dtype: Annotated[Literal["float32", "float64"] | None, typer.Option(help="Default: both.")] = None,
    device: Device = "auto",
    seed: Seed = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that share the trials, where there are enough.")] = 2,
    json_file: Annotated[
        Path | None,
        json_of("Results"),
    ] = None,
    junit_file: Junit = None,
    full: Annotated[bool, typer.Option("--full", help="At recipe size, on the data's own records; minutes.")] = False,
    data: Data = None,
    max_gb: MaxGB = None,
    shard: Shard = None,
) -> None:
    """Runs the battery: is scratch the same computation as the reference?

    Errors are printed as multiples of a measured noise floor: how far the reference itself moves when everything in it
    is moved by one unit in the last place. Up to 8 floors count as equal. "-" means that a check does not apply, as
    exactness for a layer that rounds; it is never counted as passed. A difference is placed (module, time step and
    gate, training step) and blamed: on scratch, on the reference, on conventions that differ, or on neither.

    Pairs are checked small. With --full one batch of the recipe's own model and data (at most 64 records) goes through
    the checks of single passes: forward, loss, gradient, grad_output, chunks, strides, twice and modes.

    With --shard 2/3 the second of three hosts does its third; `twofold merge` makes one result of their JSON.

    Example: twofold check mnist-cnn --dtype float32

    Example: twofold check --shard 2/3 --json shard-2.json

    A name that ends with .py is a file of your own: it is run, and each call of `twofold.judge` in it gives a verdict.

    Example: twofold check activity-lstm --full

    Example: twofold check mynet.py
    """
    from twofold.compare.commands import check as command
    from twofold.compare.commands import own
    from twofold.compare.commands.choosing import chosen
    from twofold.compare.sharding import shard_of

    if files := [name for name in pairs or () if own.is_file(name)]:
        if len(files) < len(pairs or ()):
            raise BadInput("expected names of pairs or files of your own, found both; check them one after the other")
        if shard or junit_file:
            option = "--shard" if shard else "--junit"
            raise BadInput(f"check {option}: expected pairs, found a file of your own, which is judged as one")
        raise typer.Exit(own.run(files, json_file))

    what = (chosen(pairs), dtype, device, seed, jobs, json_file, junit_file, full, data)
    raise typer.Exit(command.run(command.Wanted(*what, shard_of(shard) if shard else None)))


@app.command()
def train(
    pair: Annotated[
        str | None,
        typer.Argument(help="A name as `twofold list` prints it; or --config names it.", autocompletion=completed),
    ] = None,
    backend: Annotated[
        Literal["scratch", "reference"] | None, typer.Option(help="NumPy by hand, or torch.nn; or --config names it.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting; several values as 512x64.")
    ] = None,
    records: Records = None,
    epochs: Epochs = None,
    every: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Also evaluate, print and plot every N steps.")
    ] = None,
    no_stop: NoStop = False,
    watch: Watch = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A configuration.toml; what else is given goes before it.")
    ] = None,
    data: Data = None,
    max_gb: MaxGB = None,
    dtype: Dtype = None,
    device: TrainedOn = None,
    seed: TrainingSeed = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for checkpoint and curves; default runs/PAIR-BACKEND.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in the output folder.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew, though a longer training lies in the output folder.")
    ] = False,
    save_every: Annotated[
        float, typer.Option(min=0, metavar="MINUTES", help="Also save the checkpoint within an epoch.")
    ] = 5.0,
    threads: Threads = None,
    workers: Workers = None,
) -> None:
    """Trains one side of a pair. The same seed gives both backends the same weights and batches.

    Writes checkpoint.h5 after every epoch, every so many minutes, and when Ctrl-C or SIGTERM asks it to stop, which it
    does after a whole step (a second Ctrl-C: at once, and nothing is saved); --resume goes on from there as if nothing
    had happened. A loss, gradient or weight that is no finite number ends it with status 4. Also writes the whole
    configuration as configuration.toml, which --config takes back, and curves.png. The figures of a line are those
    after the epoch, in evaluation mode; the bar shows running means. Settings are the arguments of the model, the
    optimizer, the loss and the penalty, and batch, epochs, records, stop_below, patience, optimizer and clip; a wrong
    one names those that there are.

    With --workers N the reference's batches are shared by N processes, whose mean gradient is that of the whole batch:
    the same training but for the last bits. A worker that ends or does not answer ends all, with status 2.

    Example: twofold train fc-net-adam --backend scratch --set lr=0.0005 --records 50 --epochs 20

    Example: twofold train mnist-cnn --backend reference --workers 2

    Example: torchrun --nproc-per-node 2 --no-python twofold train mnist-cnn --backend reference --workers env
    """
    from twofold.compare.commands import train as command

    stop, given = not no_stop, tuple(settings or ())
    what = (pair, backend, given, records, epochs, stop, every, config)
    saving = (resume, watch is not None, overwrite, save_every, threads, workers)
    command.run(command.Wanted(*what, data, dtype, device, seed, out, *saving))


@app.command()
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint.h5, or the folder that it lies in.")],
    data: Data = None,
    max_gb: MaxGB = None,
    device: Annotated[str, typer.Option(metavar=PLACES, help="For the reference; auto: CUDA if there.")] = "auto",
    out: Annotated[
        Path | None, typer.Option(help="Folder for the pictures; default: evaluation, beside the checkpoint.")
    ] = None,
) -> None:
    """Figures and pictures of a trained side, without training.

    Example: twofold evaluate runs/catcar-mlp-scratch
    """
    from twofold.compare.commands import evaluate as command

    command.run(checkpoint, data, device, out)


@app.command()
def sweep(
    pairs: Annotated[
        list[str],
        typer.Argument(help="One pair or several, laid over each other.", autocompletion=completed, metavar="PAIR..."),
    ],
    backend: Backend,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=V1,V2", help="A setting and its values; several as 512x64."),
    ] = None,
    best_by: Annotated[
        str, typer.Option(metavar="METRIC", help="loss, or a metric of the pair, on the validation set.")
    ] = "loss",
    records: Records = None,
    epochs: Epochs = None,
    no_stop: NoStop = False,
    watch: Watch = None,
    data: Data = None,
    max_gb: MaxGB = None,
    dtype: Dtype = None,
    device: TrainedOn = None,
    seed: TrainingSeed = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for results and picture; default runs/PAIR-BACKEND-sweep.")
    ] = None,
    threads: Threads = None,
) -> None:
    """Trains one side once for every combination of settings and pairs, each time a new net from the same seed.

    Settings are those of `train --set`. Coupled ones change together: optimizer+lr=SGD:0.01,Adam:0.001. Several pairs,
    of the same data, are laid over each other, each with its own recipe. Finished combinations are kept in sweep.json,
    and the same command goes on from there; sweep.png has all curves, and best/ the checkpoint and pictures of the
    best.

    Example: twofold sweep catcar-mlp --set hidden=4,20,512x64 --set lr=0.1,0.35 --backend scratch --epochs 20

    Example: twofold sweep fc-net-sgd fc-net fc-net-rmsprop fc-net-adam --records 1000 --backend scratch
    """
    from twofold.compare.commands import sweep as command

    stop, given = not no_stop, tuple(settings or ())
    what = (pairs, backend, given, best_by, records, epochs, stop)
    command.run(command.Wanted(*what, data, dtype, device, seed, out, watch is not None, threads))


@app.command()
def report(
    pairs: Pairs = None,
    out: Annotated[Path, typer.Option(help="Folder for index.html and report.json.")] = Path("report"),
    data: Data = None,
    max_gb: MaxGB = None,
    device: Device = "auto",
    seed: Seed = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that share the pairs; times are taken alone.")] = 2,
    resume: Resume = False,
    shard: Shard = None,
    missing: Annotated[
        Literal["fail", "embedded", "skip"],
        typer.Option(help="What becomes of a pair of which --data lacks a file: looked for before any work."),
    ] = "fail",
    from_file: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Draws the page of a report.json again.")
    ] = None,
    opened: Annotated[bool, typer.Option("--open", help="Shows the page in the browser.")] = False,
) -> None:
    """Checks, trains both sides, times them, plants the known mistakes, and writes one self-contained page.

    What is measured of a pair is kept in DIR/finished as soon as it is done; --resume goes on from there. With
    --shard K/N so many hosts share the pairs: each writes DIR/shard-K-of-N.json, and `twofold merge` the page.

    Example: twofold report mnist-cnn catcar-mlp --data DIR
    """
    from twofold.compare.commands import report as command
    from twofold.compare.commands.choosing import systems
    from twofold.compare.sharding import shard_of

    part = shard_of(shard) if shard else None
    if from_file:
        status = command.again(from_file, out)
    else:
        status = command.run(systems(pairs), out, data, device, seed, jobs, resume, part, missing)
    if opened and not part:
        command.show(out / "index.html")
    raise typer.Exit(status)


@app.command()
def merge(
    files: Annotated[
        list[Path], typer.Argument(help="The JSON of every shard of one run, in any order.", metavar="FILE...")
    ],
    json_file: Annotated[Path | None, json_of("Results of a check")] = None,
    junit_file: Junit = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for index.html and report.json of a report; default: report.")
    ] = None,
    data: Data = None,
    max_gb: MaxGB = None,
) -> None:
    """One result of what `check --shard K/N` or `report --shard K/N` found on several hosts.

    Prints the table and what differs as one run would, and ends with its status. The JSON is one run's to the byte, but
    for measured seconds. A shard that is missing, doubled, or of another run, version or data is refused.

    Example: twofold merge shard-1.json shard-2.json shard-3.json --json all.json --junit all.xml
    """
    from twofold.compare.commands import merge as command

    raise typer.Exit(command.run(files, json_file, junit_file, out, data))


@app.command()
def faults(
    pairs: Pairs = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Each mistake in one case alone, that in which it shows best.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that share the pairs.")] = 2,
    json_file: Annotated[
        Path | None,
        json_of("Every cell"),
    ] = None,
) -> None:
    """Plants every known mistake in scratch and says whether the judge finds, places, blames and names it.

    A mistake is a piece of scratch's own source with another in its place, planted in every pair that has the layer,
    loss or optimizer. The last lines say how small an error of a gradient is always seen. Status 1 if one survives.

    Example: twofold faults mnist-cnn
    """
    from twofold.compare.commands import faults as command
    from twofold.compare.commands.choosing import chosen

    if quick and pairs:
        raise BadInput("faults --quick: expected no pairs, for each mistake has its own")
    raise typer.Exit(command.run(chosen(pairs), json_file, jobs, quick))


@app.command()
def reproduce(
    pairs: Annotated[list[str] | None, typer.Argument(help="Systems with published figures; all by default.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(envvar="TWOFOLD_DATA", help="Folder with the real data files; what needs others is unavailable."),
    ] = None,
    max_gb: MaxGB = None,
    json_file: Annotated[
        Path | None,
        json_of("Figures"),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that share the runs.")] = 2,
    out: Annotated[Path, typer.Option(help="Folder in which each run is kept as soon as it is done.")] = Path(
        "runs/reproduce"
    ),
    resume: Resume = False,
) -> None:
    """Runs the published figures again: each beside scratch's and the reference's, digit by digit.

    float32 logs are held to the digit as far as their recipe says, from there on to the envelope of one-ulp twins
    while it is below 1 % of the value; after that they are not informative. Each run is printed as it comes. Status 3
    if no figure could be judged.

    Example: twofold reproduce mnist-cnn --data DIR
    """
    from twofold.compare.commands import reproduce as command

    raise typer.Exit(command.run(pairs or [], data, json_file, jobs, out, resume))


@app.command()
def bench(
    pairs: Annotated[
        list[str] | None, typer.Argument(help="Names as `twofold list` prints them; by default the systems and layers.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Of NumPy's BLAS and of torch alike.")] = 1,
    memory: Annotated[
        bool,
        typer.Option("--memory", help="Also the peak of memory, by a process for each side; a minute or two more."),
    ] = False,
    judge: Annotated[
        bool,
        typer.Option("--judge", help="Also what judging costs at the recipe's size, in passes of the reference."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for growth.png, time over batches, and judging.png, cost over sizes."),
    ] = None,
    json_file: Annotated[
        Path | None,
        json_of("Every row"),
    ] = None,
) -> None:
    """Times scratch against the reference: training steps, and without names also single layers and plain loops.

    Both run interleaved in one process on the same batch and threads, in float32 and float64, after their results were
    found equal. A ratio below 1 means that scratch is faster; behind it the quartiles of the rounds. Goals are those of
    one machine: to miss one is no error. "products" is the share of scratch's time that its matrix products take alone,
    "least" the ratio that they alone would have: a goal below it asks for faster products, not for other layers.

    Example: twofold bench mnist-cnn activity-lstm --out bench
    """
    from twofold.compare.commands import bench as command
    from twofold.compare.commands.choosing import systems

    raise typer.Exit(0 if command.run(systems(pairs), json_file, threads, out, not pairs, memory, judge) else 1)


@app.command()
def data(
    action: Annotated[Literal["fetch"] | None, typer.Argument(help="fetch: download NAME into --data.")] = None,
    name: Annotated[str | None, typer.Argument(help="The data set to fetch.")] = None,
    data: Data = None,
) -> None:
    """Which data sets are known, and which of their files are found.

    Example: twofold data --data DIR
    """
    from twofold.compare.commands import data as command

    if action == "fetch":
        if name is None or data is None:
            raise BadInput("data fetch needs a data set's name and --data DIR")
        command.download(name, data)
    else:
        command.show(data)


@app.command()
def new(name: Annotated[str, typer.Argument(help="Lower-case words joined by hyphens, such as my-net.")]) -> None:
    """Writes a small working pair to go on from: a model on each side, and the table that makes them one.

    Example: twofold new my-net
    """
    from twofold.compare.commands import new as command

    command.run(name)


def fail(message: str, status: int = Status.BAD_INPUT) -> NoReturn:
    print(f"twofold: {plain(message)}", file=sys.stderr)
    raise SystemExit(status)


def main() -> None:
    """The console script: bad usage and bad input end with one line and status 2, a difference alone with 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has not every letter is no reason to end
    try:
        with handled(at_once):
            status = app(sys.argv[1:] or ["--help"], standalone_mode=False)
            sys.stdout.flush()
    except typer.TyperException as error:
        fail(" ".join(error.format_message().split()))
    except BadInput as error:
        fail(str(error), error.status)
    except Interrupted as error:
        fail("interrupted", error.status)
    except SystemExit as left:
        if left.code == 1:  # typer and rich say so where the reader has left; a difference is never said so
            os._exit(Status.UNREAD)
        raise
    except BrokenPipeError:
        os._exit(Status.UNREAD)
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None and error.errno in WRITING:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left of it cannot be written when Python ends either
            fail(f"standard output: expected to write to it, found: {error.strerror}")
        traceback.print_exc()
        raise SystemExit(Status.BROKEN) from None
    raise SystemExit(status or 0)
