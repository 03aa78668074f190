"""Keys, organisations, plans and quotas."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from datetime import datetime, timezone
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from ..model.tools import FACTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["PLANS", "SCOPES", "Accounts", "Charge", "Key", "Organisation", "Plan"]

SCOPES = ("chat", *(facts.scope for facts in FACTS.values()), "usage", "jobs")
"""Every documented scope."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan: its code, name, kind and monthly quotas (``None`` means unlimited)."""

    code: str
    name: str
    kind: str
    quotas: Mapping[str, int | None]


# The buckets are documented, the amounts are the sandbox's own.
_FREE = {
    "credits": 2_000,
    "image_generations": 100,
    "image_edits": 50,
    "video_seconds": 120,
    "stt_seconds": 3_600,
    "tts_chars": 100_000,
    "music_tracks": 20,
}


def _times(factor: int) -> Mapping[str, int | None]:
    return MappingProxyType({bucket: amount * factor for bucket, amount in _FREE.items()})


PLANS: Mapping[str, Plan] = MappingProxyType(
    {
        plan.code: plan
        for plan in (
            Plan("free", "Free", "free", _times(1)),
            Plan("pro", "Pro", "paid", _times(10)),
            Plan("business", "Business", "paid", _times(100)),
            Plan("cli_pro", "CLI Pro", "cli", _times(10)),
            Plan("cli_team", "CLI Team", "cli", _times(100)),
        )
    }
)
"""The documented plans by code."""


@dataclass(frozen=True, slots=True)
class Charge:
    """The charge of a generation: units of its bucket, and credits."""

    bucket: str
    units: float
    credits: float
    multiplier: float = 1.0


class Organisation:
    """An organisation: the owner of keys, jobs and quotas.

    Args:
        org_id: such as ``"org_3f…"``.
        quotas: the amount of each bucket; ``None`` means unlimited.
    """

    def __init__(self, org_id: str, quotas: Mapping[str, int | None]) -> None:
        self.id = org_id
        self._limits = dict(quotas)
        self._used = dict.fromkeys(self._limits, 0.0)

    def remaining(self, bucket: str) -> float | None:
        """Return the remaining amount of a bucket; ``None`` means unlimited."""
        limit = self._limits.get(bucket)
        return None if limit is None else max(0.0, limit - self._used[bucket])

    def shortage(self, charge: Charge) -> dict[str, Any] | None:
        """Return the body of a 402 if a charge exceeds a quota, else ``None``."""
        for bucket, needed in ((charge.bucket, charge.units), ("credits", charge.credits)):
            left = self.remaining(bucket)
            if left is not None and left < needed:
                return {
                    "error": f"Quota exceeded: {bucket}",
                    "bucket": bucket,
                    "generations_remaining": _plain(left),
                    "generations_needed": _plain(needed),
                    "quota_multiplier": _plain(charge.multiplier),
                    "credits_estimated": _plain(charge.credits),
                }
        return None

    def take(self, charge: Charge, sign: int = 1) -> None:
        """Apply a charge, or refund it with ``sign=-1``."""
        for bucket, units in ((charge.bucket, charge.units), ("credits", charge.credits)):
            if bucket in self._used:
                self._used[bucket] = max(0.0, self._used[bucket] + sign * units)

    def quotas_json(self) -> dict[str, Any]:
        """Return the buckets as ``GET /quota`` reports them."""
        return {
            bucket: None
            if limit is None
            else {
                "remaining": _plain(max(0.0, limit - self._used[bucket])),
                "limit": limit,
                "used": _plain(self._used[bucket]),
            }
            for bucket, limit in self._limits.items()
        }


@dataclass(frozen=True, slots=True)
class Key:
    """The permissions of a key. The key itself is not stored, only its last four characters."""

    last4: str
    scopes: frozenset[str]
    plan: Plan
    organisation: Organisation
    user_id: str


class Accounts:
    """The keys and organisations of one sandbox. Thread-safe.

    Args:
        plan: the plan of the first organisation.
        quotas: amounts that replace those of the plan, by bucket; ``None`` means unlimited.
    """

    def __init__(self, plan: str, quotas: Mapping[str, int | None] | None) -> None:
        unknown = sorted(set(quotas or ()) - set(_FREE))
        if unknown:
            raise ConfigurationError(f"There is no quota bucket {', '.join(unknown)}; there are {', '.join(_FREE)}.")
        self._plan = _plan(plan)
        self._overrides = dict(quotas or {})
        self._keys: dict[str, Key] = {}
        self._revoked: set[str] = set()
        self._organisations: dict[str, Organisation] = {}
        self._lock = threading.Lock()

    def add_key(
        self, scopes: Iterable[str] | None = None, plan: str | None = None, organisation: str = "default"
    ) -> str:
        """Create a key and return it. It is shown this once only."""
        wanted = frozenset(SCOPES if scopes is None else scopes)
        unknown = sorted(wanted.difference(SCOPES))
        if unknown:
            raise ConfigurationError(f"There is no scope {', '.join(unknown)}; there are {', '.join(SCOPES)}.")
        chosen = self._plan if plan is None else _plan(plan)
        value = f"sk_{secrets.token_hex(32)}"
        with self._lock:
            owner = self._organisations.get(organisation)
            if owner is None:
                amounts = {**chosen.quotas, **self._overrides}
                owner = self._organisations[organisation] = Organisation(f"org_{secrets.token_hex(6)}", amounts)
            self._keys[value] = Key(value[-4:], wanted, chosen, owner, f"user_{secrets.token_hex(6)}")
        return value

    def revoke(self, key: str) -> None:
        """Revoke a key.

        Raises:
            KeyError: the key is not one of this sandbox.
        """
        with self._lock:
            if key not in self._keys:
                raise KeyError("This sandbox has made no such key.")
            self._revoked.add(key)

    def find(self, authorization: str | None) -> Key | str:
        """Return the key of an ``Authorization`` header, or the error text of a 401."""
        scheme, _, value = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not value.strip():
            return "Missing or invalid Authorization header"
        value = value.strip()
        if value in self._revoked:
            return "API key has been revoked"
        return self._keys.get(value, "Invalid API key")


def quota_json(key: Key, now: datetime | None = None) -> dict[str, Any]:
    """Return the body of ``GET /quota``."""
    today = now or datetime.now(timezone.utc)
    year, month = divmod(today.year * 12 + today.month, 12)
    return {
        "org_id": key.organisation.id,
        "plan": {
            "code": key.plan.code,
            "name": key.plan.name,
            "kind": key.plan.kind,
            "entitled": True,
            "period_end": f"{year:04}-{month + 1:02}-01T00:00:00.000Z",
        },
        "quotas": key.organisation.quotas_json(),
    }


def _plan(code: str) -> Plan:
    if code not in PLANS:
        raise ConfigurationError(f"There is no plan {code!r}; there are {', '.join(PLANS)}.")
    return PLANS[code]


def _plain(number: float) -> float:
    """Return a whole number as an int, as a service writes it in JSON."""
    return int(number) if number == int(number) else round(number, 3)
