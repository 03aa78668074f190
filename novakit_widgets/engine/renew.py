"""Renews addresses of earlier results that a job takes as its source, before the job is submitted."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Protocol

from ..api.sources import ResultAddress
from ..api.transfers import OpensMedia, is_expired
from ..api.uploads import upload
from ..config.logs import log
from ..errors import InvalidParameterError, MediaError, MediaExpiredError, NotFoundError
from ..model.media import is_web_address
from ..model.parameters import PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..job_history.jobs import JobHistory
    from ..model.job import Job
    from ..model.tools import Tool

__all__ = ["Renews", "renewed"]

_PATIENCE = 5.0  # seconds for a media host; one that does not answer us may still answer the service


class Renews(OpensMedia, Protocol):
    """What renewing needs of a `NovaKitClient`."""

    @property
    def base_url(self) -> str:
        """The address of the service."""
        ...

    async def get(self, job_id: str) -> Job:
        """Ask for one job."""
        ...


async def renewed(client: Renews, tool: Tool, params: Mapping[str, Any], *, history: JobHistory) -> Mapping[str, Any]:
    """Return parameters whose addresses of earlier results are served, or their media themselves.

    An address that is no longer served is replaced by the one that the service has for the job now, or by the bytes of the media
    if this machine has them. Addresses of somebody else are left alone.

    Args:
        client: asks the media host without the key, and the service for the job.
        tool: the tool of the job.
        params: the encoded parameters by the service's names.
        history: tells which addresses are those of earlier results.

    Returns:
        ``params`` themselves where nothing has expired.

    Raises:
        MediaExpiredError: an address is no longer served, and there is no other. Nothing was submitted.
    """
    replaced: dict[str, Any] = {}
    for name, parameter in PARAMETERS[tool].items():
        if not parameter.url or not is_web_address(params.get(name)):
            continue
        address = await _known(params[name], history, base_url=client.base_url)
        current = None if address is None else await _current(client, tool, name, address)
        if current is not None:
            log.info("The address of %s is no longer served, so it was renewed: %s", name, tool)
            replaced[name] = current
    return {**params, **replaced} if replaced else params


async def _known(address: str, history: JobHistory, *, base_url: str) -> ResultAddress | None:
    """Return the address with its job; ``None`` where it is not that of an earlier result."""
    given = address if isinstance(address, ResultAddress) else None
    if given is not None and given.job_id is not None:
        return given
    entry = await history.off_loop(history.with_address, address, base_url=base_url)
    if entry is None or entry.job is None:
        return given
    number = [media.url for media in entry.job.media].index(address)
    file = entry.files[number] if number < len(entry.files) else None
    return ResultAddress.of(address, entry.job.id, number, file)


async def _current(client: Renews, tool: Tool, name: str, address: ResultAddress) -> str | None:
    """Return what to send in place of an address; ``None`` where it is still served, or can't be asked from here.

    Raises:
        MediaExpiredError: there is nothing to send.
    """
    if not await _is_gone(client, address):
        return None
    new = await _new_address(client, address)
    if new is None and address.held is not None:
        with contextlib.suppress(InvalidParameterError):  # too large, or the file is gone
            new = str(upload(address.held, tool=tool, name=name))
    if new is None:
        raise MediaExpiredError(
            f"{tool}: {name}: the result of {address.job_id or 'an earlier job'} is no longer served at its address, and NovaKit "
            "has no other for it. Nothing was submitted or billed. Use a saved file of it, such as "
            "pathlib.Path('result.png'), or generate it again."
        )
    return new


async def _is_gone(client: Renews, address: str) -> bool:
    try:
        return await asyncio.wait_for(is_expired(client, address), _PATIENCE)
    except (MediaError, asyncio.TimeoutError):
        return False


async def _new_address(client: Renews, address: ResultAddress) -> str | None:
    """Ask the service for the job once more: it may have a new address for the same media."""
    if address.job_id is None:
        return None
    try:
        job = await client.get(address.job_id)
    except NotFoundError:
        return None
    if address.number >= len(job.media):
        return None
    new = job.media[address.number].url
    if new == address or await _is_gone(client, new):
        return None
    return address.at(new)
