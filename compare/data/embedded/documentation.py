"""English text: the topics of Python's own documentation (`pydoc_data.topics`), as `help()` shows them.

The text, and so the vocabulary and the records, differ from one minor version of Python to the next.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from itertools import chain

from twofold.compare.data.errors import mismatch

NOTE = f"from the documentation of Python {sys.version_info.major}.{sys.version_info.minor}, another version's differs"
TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?|[.,:;?!()]")
SENTENCE_END = re.compile(r"(?<=[.?!:])\s+")
NOT_PROSE = re.compile(r"::=|>>>|^\s*[+|]")  # grammar, interpreter sessions, tables


def sentences() -> list[list[str]]:
    """Each sentence's lower-case words and punctuation marks; a paragraph that several topics share counts once."""
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise mismatch("pydoc_data.topics", "Python's documentation topics", f"ImportError: {error}") from error
    paragraphs = chain.from_iterable(re.split(r"\n\s*\n", topic) for topic in topics.values())
    prose = (text.lower() for text in dict.fromkeys(paragraphs) if not NOT_PROSE.search(text))
    return [TOKEN.findall(sentence) for text in prose for sentence in SENTENCE_END.split(text)]


def commonest(tokens: list[list[str]], count: int) -> tuple[str, ...]:
    """The `count` commonest tokens, the commonest first, equally common ones in order of first appearance."""
    return tuple(word for word, _ in Counter(chain.from_iterable(tokens)).most_common(count))
