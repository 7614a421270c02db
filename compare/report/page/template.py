"""The templates of the pages, which stand beside this file."""

from typing import Any

from twofold.compare.names import plain_lines


def template(name: str) -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("twofold.compare.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
    )
    return templates.get_template(name)


def shown(value: Any) -> Any:
    """What a page shows of a value: words that are not its own in printable characters; it escapes them itself."""
    return plain_lines(value) if type(value) is str else value
