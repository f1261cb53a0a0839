"""Finds what answers a path: one dictionary step for each segment, verbs behind a colon told apart."""

import urllib.parse
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Found(NamedTuple, Generic[T]):
    """What answers, and what the path says by the names in the template."""

    what: T
    told: dict[str, str]


class _Node(Generic[T]):
    def __init__(self) -> None:
        self.steps: dict[str, _Node[T]] = {}
        self.any: tuple[str, _Node[T]] | None = None
        self.verbs: dict[str, dict[str, T]] = {}


class Tree(Generic[T]):
    """Templates such as `/v1/jobs/{job_id}:retry`; `{model_id*}` takes all segments that are left."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, method: str, template: str, what: T) -> None:
        """Let `what` answer this method of the template."""
        path, _, verb = template.partition(":")
        node = self._root
        for step in path.strip("/").split("/"):
            if step.startswith("{"):
                name = step[1:-1]
                node.any = node.any or (name, _Node())
                if node.any[0] != name:
                    raise ValueError(f"{template}: {node.any[0]} stands there already")
                node = node.any[1]
            else:
                node = node.steps.setdefault(step, _Node())
        if method in (methods := node.verbs.setdefault(verb, {})):
            raise ValueError(f"{method} {template} is there twice")
        methods[method] = what

    def find(self, method: str, path: bytes) -> Found[T] | list[str]:
        """What answers; or the methods that the path has, none when it is nowhere."""
        text = path.split(b"?", 1)[0].decode("ascii", errors="replace").strip("/")
        head, colon, verb = text.rpartition(":")
        if colon and "/" not in verb and (found := self._look(method, head, urllib.parse.unquote(verb))):
            return found
        return self._look(method, text, "") or []

    def _look(self, method: str, path: str, verb: str) -> Found[T] | list[str]:
        node, told = self._root, dict[str, str]()
        steps = path.split("/")
        for index, step in enumerate(steps):
            if step in node.steps:
                node = node.steps[step]
            elif node.any is not None and step:
                name, node = node.any
                if name.endswith("*"):
                    told[name[:-1]] = urllib.parse.unquote("/".join(steps[index:]))
                    break
                told[name] = urllib.parse.unquote(step)
            else:
                return []
        methods = node.verbs.get(verb, {})
        wanted = "GET" if method == "HEAD" and "HEAD" not in methods else method
        return Found(methods[wanted], told) if wanted in methods else sorted(methods)
