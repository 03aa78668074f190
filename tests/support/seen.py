"""What a front end knows of a kernel: its cells, its widgets' models, and the cards that they make up."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kernel import Kernel

__all__ = ["PATIENCE", "Card", "Cell", "Model"]

PATIENCE = 30.0  # seconds until something that should happen has gone wrong
_VIEW = "application/vnd.jupyter.widget-view+json"
_REFERENCE = "IPY_MODEL_"
_TAG = re.compile(r"<style>.*?</style>|<[^>]+>", re.DOTALL)


@dataclass
class Cell:
    """Code that was sent, and what has come of it so far.

    Attributes:
        code: what was sent.
        outputs: stream, display_data, update_display_data, execute_result and error messages, in order.
        reply: the execute_reply; ``None`` until it is there.
        idle: whether the kernel has told that it is done with it.
    """

    code: str
    outputs: list[dict[str, Any]] = field(default_factory=list)
    reply: dict[str, Any] | None = None
    idle: bool = False

    @property
    def done(self) -> bool:
        return self.reply is not None and self.idle

    @property
    def content(self) -> dict[str, Any]:
        assert self.reply is not None, f"no reply yet: {self.code}"
        return self.reply["content"]

    @property
    def status(self) -> str:
        return self.content["status"]

    @property
    def error(self) -> str | None:
        """The exception's name; ``None`` when there was none."""
        return self.content.get("ename")

    @property
    def text(self) -> str:
        """What was printed."""
        return self._stream("stdout")

    @property
    def stderr(self) -> str:
        return self._stream("stderr")

    @property
    def seconds(self) -> float:
        """How long the kernel had it, by the kernel's own clock."""
        assert self.reply is not None
        started = self.reply["metadata"]["started"]
        began = started if isinstance(started, datetime) else datetime.fromisoformat(started.replace("Z", "+00:00"))
        return (self.reply["header"]["date"] - began).total_seconds()

    @property
    def views(self) -> list[str]:
        """The model ids of the widgets that it shows."""
        shown = [message["content"].get("data", {}).get(_VIEW) for message in self.outputs]
        return [view["model_id"] for view in shown if view is not None]

    @property
    def display_ids(self) -> list[str]:
        """Where something else can be put in place of what it shows."""
        made = [message["content"] for message in self.outputs if message["msg_type"] == "display_data"]
        return [content["transient"]["display_id"] for content in made if "display_id" in content.get("transient", {})]

    def _stream(self, name: str) -> str:
        messages = [message["content"] for message in self.outputs if message["msg_type"] == "stream"]
        return "".join(content["text"] for content in messages if content["name"] == name)


@dataclass
class Model:
    """A widget as the front end knows it.

    Attributes:
        id: the comm's.
        state: everything that was sent, bytes in their places.
        changes: when and what, the first being all of it.
        closed: whether the kernel has closed it.
    """

    id: str
    state: dict[str, Any] = field(default_factory=dict)
    changes: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)
    closed: bool = False

    @property
    def name(self) -> str:
        return self.state["_model_name"]

    def values(self, name: str) -> list[Any]:
        """Return every value that one of its traits has had."""
        return [state[name] for _, state in self.changes if name in state]

    def update(self, at: datetime, data: Mapping[str, Any], buffers: list[Any]) -> None:
        state = dict(data["state"])
        for path, buffer in zip(data.get("buffer_paths", ()), buffers, strict=True):
            place: Any = state
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = bytes(buffer)
        self.state.update(state)
        self.changes.append((at, state))


class Card:
    """A job's card on the page."""

    def __init__(self, kernel: Kernel, box: Model) -> None:
        self._kernel = kernel
        self.box = box

    @property
    def models(self) -> list[Model]:
        """Every model inside, from top to bottom."""
        return list(self._inside(self.box))

    @property
    def bar(self) -> Model:
        return next(model for model in self.models if model.name == "FloatProgressModel")

    @property
    def button(self) -> Model:
        return next(model for model in self.models if model.name == "ButtonModel")

    @property
    def action(self) -> str:
        """What the button says; nothing while it can't be pressed."""
        return "" if self.button.state["disabled"] else self.button.state["description"]

    @property
    def words(self) -> str:
        """What the card says, without its media."""
        values = [model.state["value"] for model in self.models if model.name == "HTMLModel"]
        return " ".join(_TAG.sub(" ", " ".join(values)).split())

    @property
    def media(self) -> list[Model]:
        return [model for model in self.models if model.name in ("VideoModel", "AudioModel")]

    def says(self, *words: str, seconds: float = PATIENCE) -> None:
        """Return when the card says all of this."""
        self._kernel.until(lambda: all(word in self.words for word in words), seconds, what=f"the card says {words}")

    def offers(self, action: str, seconds: float = PATIENCE) -> None:
        """Return when the button says this and can be pressed."""
        self._kernel.until(lambda: self.action == action, seconds, what=f"the button {action!r} is there")

    def press(self, action: str) -> None:
        """Press the button, which must say this."""
        self.offers(action)
        self._kernel.click(self.button)

    def _inside(self, model: Model) -> Iterator[Model]:
        for reference in model.state.get("children", ()):
            child = self._kernel.models[reference.removeprefix(_REFERENCE)]
            yield child
            yield from self._inside(child)
