"""The calls within one from outside as a tree, where a module was called more than once in it."""

from collections.abc import Iterable, Iterator
from typing import Any

Entry = tuple[int, Any, Any]  # how many had ended when it began, its module, and what that left


class NOTHING:
    """Stands for what a module left that has no cache, and for what was not given."""


def once_more(kind: str, expected: str) -> RuntimeError:
    return RuntimeError(f"{kind} expected a backward pass for {expected}, found one more")


class Node:
    """One call, and in it those of other modules, or of the same, of which the first `left` wait."""

    __slots__ = ("cache", "inner", "left", "module", "token")

    state = 3  # its backward pass, in which what it called is looked for

    def __init__(self, module: Any, cache: Any, inner: "list[Node]", token: Entry | None) -> None:
        self.module, self.cache, self.inner, self.token = module, cache, inner, token
        self.left = len(inner)

    @classmethod
    def of(cls, entries: Iterable[Entry], cache: Any) -> "Node":
        """The whole, of a module that is not held: it holds this."""
        done: list[tuple[int, Node]] = []
        for entry in entries:
            start, module, left = entry
            inner: list[Node] = []
            while done and done[-1][0] >= start:
                inner.insert(0, done.pop()[1])
            done.append((start, cls(module, left, inner, entry)))
        return cls(None, cache, [node for _, node in done], None)

    def begin(self, module: Any) -> None:
        """Before its backward pass: all within wait, and its module finds its cache."""
        self.left = len(self.inner)
        if "cache" in vars(module):
            module.cache = self.cache

    def next(self, module: Any) -> "Node | None":
        """The last that waits of a module's, brought to the end of those that wait, or the only one again, or None.

        Raises RuntimeError where several were made, and all are taken back.
        """
        for n in reversed(range(self.left)):
            if self.inner[n].module is module:
                self.inner.insert(self.left - 1, self.inner.pop(n))
                return self.inner[self.left - 1]
        own = [node for node in self.inner if node.module is module]
        if len(own) > 1:
            raise once_more(type(module).__name__, f"each of {len(own)} calls")
        return own[0] if own else None

    def done(self, node: Any) -> None:
        if self.left and self.inner[self.left - 1] is node:
            self.left -= 1

    def add(self, module: Any, node: "Node") -> None:
        """What its backward pass calls, to compute something again, is the first to be taken back."""
        node.module, node.token = module, (0, module, node.cache)
        self.inner.insert(self.left, node)
        self.left += 1

    def last(self) -> Entry | None:
        return self.inner[self.left - 1].token

    def maker(self, module: Any) -> "Node | None":
        """The last call within this one that made one of a module's, one that waits if there is one."""
        made = [node for node in (*self.within(), self) if any(inner.module is module for inner in node.inner)]
        waits = [node for node in made if any(inner.module is module for inner in node.inner[: node.left])]
        return next(iter((waits or made)[::-1]), None)

    def within(self) -> "Iterator[Node]":
        for node in self.inner:
            yield node
            yield from node.within()
