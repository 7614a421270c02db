"""A training's configuration as a TOML file: the whole of it, to be read, changed and given back."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from twofold.compare import output
from twofold.compare.data import DataError
from twofold.compare.names import meant
from twofold.compare.training.settings import written
from twofold.compare.training.train import Configuration

NAME = "configuration.toml"
# What the file holds besides [settings], with the type of each.
ENTRIES = {
    "pair": str,
    "backend": str,
    "dtype": str,
    "device": str,
    "seed": int,
    "data": str,
    "threads": int,
    "workers": int,
}


def write(folder: Path, configuration: Configuration) -> None:
    import tomli_w

    content = asdict(configuration)
    content["settings"] = {key: plain(value) for key, value in configuration.settings.items()}
    output.write(folder / NAME, tomli_w.dumps(content))


def plain(value: Any) -> Any:
    """As TOML has it: None and no values at all are words there."""
    if value is None or value == ():
        return written(value)
    return list(value) if isinstance(value, tuple) else value


def read(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The entries of a file, and its settings as KEY=VALUE. Raises DataError in one line."""
    try:
        content: Mapping[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise DataError(f"{path}: expected a configuration in TOML, found {reason}") from error
    settings = content.get("settings", {})
    if not isinstance(settings, Mapping):
        raise DataError(f"{path}: expected a table [settings], found {settings!r}")
    entries = {key: value for key, value in content.items() if key != "settings"}
    for key, value in entries.items():
        if key not in ENTRIES or type(value) is not ENTRIES[key]:
            known = ", ".join(f"{name} ({kind.__name__})" for name, kind in ENTRIES.items())
            near = "" if key in ENTRIES else meant(key, ENTRIES)
            raise DataError(f"{path}: expected {known} and [settings], found {key} = {value!r}{near}")
    return entries, [f"{key}={written(value)}" for key, value in settings.items()]
