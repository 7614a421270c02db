"""What users install: the wheel's content, and that it works beside files of theirs that have our folders' names."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.places import PACKAGE, ROOT, copied
from twofold import __version__

DATA = ("*.json", "*.html", "*.css", "*.txt", "py.typed")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clone, out = copied(tmp_path_factory.mktemp("clone")), tmp_path_factory.mktemp("wheel")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(out),
    ]
    subprocess.run([*pip, str(clone)], check=True, timeout=300)
    (found,) = out.glob("*.whl")
    return found


def expected() -> set[str]:
    """Every module and data file of the four folders, where the wheel has it."""
    files = {path for name in PACKAGE for kind in ("*.py", *DATA) for path in (ROOT / name).rglob(kind)}
    places = {path.relative_to(ROOT).as_posix() for path in files}
    return {place if place.startswith("twofold/") else f"twofold/{place}" for place in places}


def test_the_wheel_holds_one_package_and_every_file_of_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        described = {name for name in names if name.partition("/")[0] == f"twofold-{__version__}.dist-info"}
        scripts = archive.read(f"twofold-{__version__}.dist-info/entry_points.txt").decode()
    assert names - described == expected()
    assert "twofold = twofold.compare.cli:main" in scripts


def test_it_runs_beside_a_users_own_files_of_those_names(wheel: Path, tmp_path: Path) -> None:
    installed, work = tmp_path / "installed", tmp_path / "work"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(installed), str(wheel)]
    subprocess.run(pip, check=True, timeout=300)
    work.mkdir()
    for name in ("scratch", "reference", "compare", "tests"):
        (work / f"{name}.py").write_text(f"raise RuntimeError('the user's own {name}.py was read')\n")

    def run(*arguments: str) -> str:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(work), str(installed)])}
        done = subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, timeout=300, cwd=work, env=environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = "import twofold, twofold.compare; print(twofold.__path__, twofold.compare.__file__)"
    assert run("-c", where).strip() == f"['{installed / 'twofold'}'] {installed / 'twofold/compare/__init__.py'}"
    assert run("-m", "twofold", "--version").strip() == f"twofold {__version__}"
    assert "mnist-cnn" in run("-m", "twofold", "list")
    assert "1 of 1 trials agree" in run("-m", "twofold", "check", "catcar-mlp", "--dtype", "float64")
    done = subprocess.run(
        [sys.executable, "-m", "twofold", "new", "my-net"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=work,
        env={**os.environ, "PYTHONPATH": str(installed)},
    )
    assert done.returncode == 2 and "expected a clone of Twofold" in done.stderr


def test_importing_it_costs_nothing() -> None:
    """Neither torch nor matplotlib nor NumPy, until something of it is asked for."""
    code = (
        "import sys, twofold; assert not {'torch', 'matplotlib', 'numpy'} & sys.modules.keys(); twofold.Pair;"
        "twofold.scratch.Linear; assert not {'torch', 'matplotlib'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=ROOT)


def test_what_it_offers_is_there_and_nothing_else() -> None:
    import twofold

    assert all(getattr(twofold, name) is not None for name in twofold.__all__)
    assert dir(twofold) == twofold.__all__
    with pytest.raises(AttributeError, match="has no attribute 'judged'"):
        twofold.judged  # noqa: B018
