"""The commands as a user calls them: exit status, one line for what is wrong, and what is not imported."""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.command import twofold
from tests.places import ROOT
from twofold import scratch
from twofold.compare.data import mnist
from twofold.compare.pairs import PAIRS


@pytest.fixture(autouse=True)
def no_data_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWOFOLD_DATA", raising=False)
    monkeypatch.setenv("COLUMNS", "200")


def one_line(capsys: pytest.CaptureFixture) -> str:
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1, captured.err
    assert "Traceback" not in captured.err
    return captured.err


WRONG = [
    (("check", "mnist-cn"), "unknown pair 'mnist-cn'; did you mean mnist-cnn"),
    (("train", "nothing", "--backend", "scratch"), "unknown pair 'nothing'"),
    (("report", "nothing"), "unknown pair 'nothing'"),
    (("chek",), "No such command 'chek'"),
    (("train", "mnist-cnn"), "--backend"),
    (("train", "mnist-cnn", "--backend", "jax"), "jax"),
    (("train", "mnist-cnn", "--backend", "scratch", "--epochs", "0"), "--epochs"),
    (("train", "catcar-mlp", "--backend", "scratch", "--device", "cuda"), "scratch runs on the CPU alone"),
    (("check", "--dtype", "float16"), "float16"),
    (("data", "fetch"), "needs a data set's name and --data DIR"),
    (("data", "fetch", "imagenet", "--data", "."), "imagenet"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[" ".join(row[0]) for row in WRONG])
def test_bad_usage_is_one_line_and_status_2(arguments, message: str, capsys: pytest.CaptureFixture) -> None:
    assert twofold(*arguments) == 2
    assert message in one_line(capsys)


def test_cuda_where_there_is_none(capsys: pytest.CaptureFixture) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    assert twofold("check", "catcar-mlp", "--device", "cuda") == 2
    assert "expected a CUDA device" in one_line(capsys)


def write_idx(path: Path, array: np.ndarray) -> None:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def test_a_truncated_idx_file(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name in [alternatives[0] for alternatives in mnist.FILES]:
        images = "images" in name
        write_idx(tmp_path / name.removesuffix(".gz"), np.zeros((5, 28, 28) if images else (5,), np.uint8))
    broken = folder / "train-images-idx3-ubyte"
    broken.write_bytes(broken.read_bytes()[:-1])
    assert twofold("train", "mnist-cnn", "--backend", "scratch", "--data", tmp_path, "--out", tmp_path / "out") == 2
    line = one_line(capsys)
    assert str(broken) in line
    assert "expected" in line
    assert "found" in line


def test_an_hdf5_file_without_the_key(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "eee443").mkdir()
    path = tmp_path / "eee443" / "assign2_data1.h5"
    with h5py.File(path, "w") as file:
        file["trainlbls"] = np.zeros(3)
    assert twofold("train", "catcar-mlp", "--backend", "scratch", "--data", tmp_path, "--out", tmp_path / "out") == 2
    line = one_line(capsys)
    assert str(path) in line
    assert "trainims" in line


def test_missing_files_never_turn_to_the_embedded_set(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert twofold("train", "mnist-cnn", "--backend", "scratch", "--data", tmp_path, "--out", tmp_path / "out") == 2
    assert "mnist" in one_line(capsys)


def test_list(capsys: pytest.CaptureFixture) -> None:
    assert twofold("list") == 0
    out = capsys.readouterr().out
    assert all(name in out for name in PAIRS)
    assert "105,634" in out


def test_list_as_json(capsys: pytest.CaptureFixture) -> None:
    assert twofold("list", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == list(PAIRS)
    counts = {row["name"]: row["parameters"] for row in rows}
    names = ("mnist-cnn", "catcar-mlp", "trigram-lm", "bn-convnet")
    assert [counts[name] for name in names] == [105634, 20521, 38426, 34826]


def test_check_passes_and_writes_json(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "check.json"
    assert twofold("check", "catcar-mlp", "--device", "cpu", "--json", path) == 0
    assert "2 of 2 trials agree" in capsys.readouterr().out
    content = json.loads(path.read_text())
    assert content["schema"] == 1
    assert [(r["pair"], r["dtype"], r["verdict"]) for r in content["results"]] == [
        ("catcar-mlp", "float64", "pass"),
        ("catcar-mlp", "float32", "pass"),
    ]


def test_json_alone_on_standard_output(capsys: pytest.CaptureFixture) -> None:
    assert twofold("check", "catcar-mlp", "--dtype", "float32", "--device", "cpu", "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["results"][0]["dtype"] == "float32"


def test_a_difference_is_status_1_and_names_the_module(monkeypatch, capsys: pytest.CaptureFixture) -> None:
    backward = scratch.Tanh.backward
    monkeypatch.setattr(scratch.Tanh, "backward", lambda self, dout: backward(self, dout) * 1.001)
    assert twofold("check", "catcar-mlp", "--dtype", "float32", "--device", "cpu") == 1
    out = capsys.readouterr().out
    table, told = out.split("\n\n")
    assert "gradient" in table and "FAIL" in table
    first, *why, last = told.splitlines()
    assert first == "catcar-mlp: not the same: scratch is wrong, in tanh2 (backward)"
    keys = [line.split()[0] for line in why]
    assert set(keys[:3]) <= {"<input>", "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"}
    assert keys[3:] == ["who", "line", "edit", "begins", "cause", "follows", "more"]
    line, edit = why[4:6]
    assert "tests/commands/test_cli.py:" in line and "lambda self, dout: backward(self, dout) * 1." in line
    assert "with `* 1.001` dropped" in edit
    assert last.startswith("0 of 1 trials agree")


def test_train_writes_checkpoint_and_curves(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    command = ("train", "catcar-mlp", "--backend", "scratch", "--out", tmp_path)
    assert twofold(*command, "--epochs", 1) == 0
    assert (tmp_path / "checkpoint.h5").is_file()
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob("*.part"))
    out = capsys.readouterr().out
    assert "epoch 1" in out
    assert "test: loss" in out
    assert twofold(*command, "--epochs", 2, "--resume") == 0
    out = capsys.readouterr().out
    assert "epoch 2" in out
    assert "epoch 1 " not in out


def test_resume_without_a_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert twofold("train", "catcar-mlp", "--backend", "scratch", "--out", tmp_path, "--resume") == 2
    assert "checkpoint.h5: expected a checkpoint to resume from, found no file" in one_line(capsys)


def test_data_lists_what_is_found(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert twofold("data") == 0
    assert "embedded" in capsys.readouterr().out
    (tmp_path / "eee443").mkdir()
    (tmp_path / "eee443" / "raw_sentences.txt").write_text("one two\n")
    assert twofold("data", "--data", tmp_path) == 0
    assert "8 bytes" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [[], ["--help"], *([name, "--help"] for name in ("list", "check", "train", "report", "data"))]
)
def test_help_teaches(arguments: list[str], capsys: pytest.CaptureFixture) -> None:
    assert twofold(*arguments) == 0
    out = capsys.readouterr().out
    assert "Usage" in out
    assert ("Example" in out) == (arguments not in ([], ["--help"], ["list", "--help"]))


WITHOUT_TORCH = [
    ["list"],
    ["train", "catcar-mlp", "--backend", "scratch", "--epochs", "1", "--out", "OUT"],
]


@pytest.mark.parametrize("arguments", WITHOUT_TORCH, ids=["list", "train"])
def test_torch_is_not_imported(arguments: list[str], tmp_path: Path) -> None:
    """In a fresh interpreter, whose sys.modules says what was imported."""
    code = f"""
import sys
sys.argv = ["twofold", *{[a.replace("OUT", str(tmp_path)) for a in arguments]!r}]
from twofold.compare.cli import main
try:
    main()
except SystemExit as exit:
    assert not exit.code, exit.code
heavy = {{"torch", "torchvision"}} | ({{"matplotlib", "h5py"}} if sys.argv[1] == "list" else set())
assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, cwd=ROOT)


def test_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "twofold", "check", "nothing"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("twofold: unknown pair 'nothing'")


def test_check_at_recipe_size(capsys: pytest.CaptureFixture) -> None:
    assert twofold("check", "catcar-mlp", "--full", "--dtype", "float32") == 0
    out = capsys.readouterr().out
    assert "catcar-mlp at recipe size" in " ".join(out.split())
    assert "1 of 1 trials agree" in out
    assert not any(line.startswith(("exact", "curve")) for line in out.splitlines())
