"""Who sees each exchange with the service, such as a recording. The client asks for them only where there are any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..runtime.loop import complaints

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..errors import NovaKitError
    from .answers import Answer
    from .connections import Connections

__all__ = ["Exchange", "observe", "observers", "tell"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request to the service and what came of it.

    Attributes:
        account: tells one key and address from another, without telling them.
        connections: those of the client that sent it.
        method: such as ``"GET"``.
        path: relative to the base URL.
        content: the body that was sent.
        result: the answer, or why there is none.
        seconds: how long it took.
    """

    account: str
    connections: Connections
    method: str
    path: str
    content: bytes | None
    result: Answer | NovaKitError
    seconds: float


observers: list[Callable[[Exchange], None]] = []
"""Called on the job loop after each exchange. They must be quick."""


def observe(observer: Callable[[Exchange], None]) -> Callable[[], None]:
    """Have something called after each exchange of this process.

    Args:
        observer: called on the job loop; quick.

    Returns:
        What ends it.
    """
    observers.append(observer)

    def stop() -> None:
        if observer in observers:
            observers.remove(observer)

    return stop


def tell(exchange: Exchange) -> None:
    """Tell all observers. The fault of one is shown, and costs neither the exchange nor the others."""
    for observer in tuple(observers):
        with complaints("An observer of requests failed"):
            observer(exchange)
