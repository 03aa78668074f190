"""How a card is shown: live, as the HTML that a saved notebook keeps, and with the card of an equal job below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...engine.state import Phase
from ...runtime import loop as job_loop
from ..common.live_widget import LiveWidget
from .plain import plain, running, summary

if TYPE_CHECKING:
    from typing_extensions import Self

    from ...engine.run import JobRun
    from .parts import Parts
    from .result import CardResult
    from .view import View

__all__ = ["ShownCard"]


class ShownCard(LiveWidget):
    """The display of a card; see also `novakit_widgets.engine.equal`."""

    _parts: Parts
    _result: CardResult
    _run: JobRun
    _view: View | None = None
    _equal: Self | None = None  # the card of an equal job, while it is shown below

    def _attached(self, job_id: str) -> Self:
        """Return a card for a job of the same service."""
        raise NotImplementedError

    def _settled(self) -> bool:
        return self._run.settled

    def _live_bundle(self) -> dict[str, Any]:
        bundle: dict[str, Any] = self._repr_mimebundle_()
        # For readers without a kernel, if the page was closed before the job ended.
        return {**bundle, "text/html": str(running(self._run)), "text/plain": summary(self._run)}

    def _plain_bundle(self) -> dict[str, Any] | None:
        if self._run.phase is not Phase.ENDED or (self._run.error is None and self._result.kept is None):
            return None
        note = f"{self._result.note or self._run.note} {self._run.remarks}".strip()
        html = str(plain(self._run, self._result.kept or (), note=note))
        if self._equal is not None:
            html += self._equal._saved_html()  # noqa: SLF001 # a card, too
        return {"text/html": html, "text/plain": summary(self._run)}

    def _saved_html(self) -> str:
        return str((self._display.plain() or {}).get("text/html") or running(self._run))

    def _offer_equal(self) -> None:
        """Add the button that shows the equal job, unless it is there."""
        rows = self._parts.rows
        self._parts.offer_equal(self._clicked_equal)
        if rows is not self._parts.rows:
            self.children = self._parts.rows

    def _clicked_equal(self, _button: object) -> None:
        """Show the equal job below this card. The click may come on any thread."""
        job_loop.call(self._show_equal)

    def _show_equal(self) -> None:
        job_id = "" if self._view is None else self._view.equal
        if not self._made or not job_id or (self._equal is not None and self._equal.job_id == job_id):
            return
        self._close_equal()
        self._equal = self._attached(job_id)
        self.children = (*self._parts.rows, self._equal)

    def _close_equal(self) -> None:
        if self._equal is not None:
            self.children = self._parts.rows
            self._equal.close()
            self._equal = None
