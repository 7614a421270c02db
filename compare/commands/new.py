"""`twofold new`: the three files of a small working pair to go on from."""

import re
from importlib import resources
from pathlib import Path
from string import Template

import twofold
from twofold.compare.errors import BadInput
from twofold.compare.output import write
from twofold.compare.pairs import PAIRS
from twofold.compare.tables import shown

# Template, and the folder that it goes to.
FILES = {"scratch": "scratch/models", "reference": "reference/models", "pair": "compare/pairs"}
NAME = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"


def run(name: str) -> None:
    """Writes the files and says how to go on. Raises BadInput where one cannot be."""
    for path in written(name, home()):
        print(f"wrote {shown(path)}")
    print(
        f"\nIt works as it stands: twofold check {name}, twofold train {name} --backend scratch --epochs 1"
        "\nChange the two models alike, then the sizes in the table; docs/adding-a-model.md says how."
    )


def home() -> Path:
    """The clone's folder. Raises BadInput in an installed package."""
    inside = Path(twofold.__file__).parent
    if (inside / "scratch").is_dir():
        raise BadInput(f"new: expected a clone of Twofold to add files to, found it installed in {inside}")
    return inside.parent


def written(name: str, folder: Path) -> list[Path]:
    """The paths of the files, none of which was there. Raises BadInput."""
    if not re.fullmatch(NAME, name):
        raise BadInput(f"new: expected a name of lower-case words joined by hyphens, such as my-net, found {name!r}")
    module = name.replace("-", "_")
    paths = {kind: folder / place / f"{module}.py" for kind, place in FILES.items()}
    if name in PAIRS or (there := [path for path in paths.values() if path.exists()]):
        found = f"the pair {name}" if name in PAIRS else shown(there[0])
        raise BadInput(f"new: expected a name that nothing has yet, found {found}")
    class_name = "".join(word.capitalize() for word in name.split("-"))
    for kind, path in paths.items():
        template = Template(resources.files("twofold.compare.templates").joinpath(f"{kind}.txt").read_text("utf-8"))
        text = template.substitute(name=name, module=module, class_name=class_name)
        try:
            write(path, text)
        except BadInput:
            for half in paths.values():  # a pair of which a file is lacking would be no pair
                half.unlink(missing_ok=True)
            raise
    return list(paths.values())
