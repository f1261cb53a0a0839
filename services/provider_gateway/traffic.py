"""How much may be sent to whom: rates, orders under way and breakers, shared by all replicas through their database."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import prometheus_client
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db
from services.provider_gateway import breakers, catalogue, domain, keyring, providers
from services.provider_gateway.credential_store import CREDENTIALS
from services.provider_gateway.store import METADATA, SUBMISSIONS

log = logging.getLogger(__name__)

_TIME = sa.DateTime(timezone=True)

ACCOUNTS = sa.Table(
    "accounts",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("breaker", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("probe_at", _TIME),
    sa.Column("opened", sa.Integer, nullable=False),
    sa.Column("tat", _TIME),
)

ACCOUNT_CALLS = sa.Table(
    "account_calls",
    METADATA,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("operation", sa.Text, primary_key=True),
    sa.Column("slot", _TIME, primary_key=True),
    sa.Column("well", sa.BigInteger, nullable=False),
    sa.Column("badly", sa.BigInteger, nullable=False),
)

_IS_CLOSED = ACCOUNTS.c.breaker == breakers.Breaker.CLOSED
_PLACE = sa.func.coalesce(CREDENTIALS.c.endpoint, sa.func.split_part(ACCOUNTS.c.name, ":", 2))
_HELD_BACK = (
    sa.select(_PLACE, sa.func.count())
    .select_from(ACCOUNTS.outerjoin(CREDENTIALS, CREDENTIALS.c.id == ACCOUNTS.c.name))
    .where(~_IS_CLOSED)
    .group_by(_PLACE)
)
_KNOWN = sa.select(ACCOUNTS).where(ACCOUNTS.c.name == sa.bindparam("account"))
_OWN = sa.select(*(CREDENTIALS.c[name] for name in ("tenant_id", "endpoint", "per_minute", "most_at_once"))).where(
    CREDENTIALS.c.id == sa.bindparam("account")
)
_TO_FETCH = (domain.State.PROVIDER_DONE, domain.State.FETCHING)
_CREATE = "create"
_SLOT_S = 10
_PROBE_S = 45.0
_PAUSE_S = 60.0
_OPEN = prometheus_client.Gauge(
    "rushes_breakers_open", "Accounts whose orders are held back, by where they buy.", ["endpoint"]
)


Calls = Counter[tuple[str, str, bool]]
"""How many calls of an account and operation ended well, or badly."""


class Limits(NamedTuple):
    """What one account may ask for; None: no limit. A job runs for `max_runtime` at most."""

    per_minute: int | None
    most_at_once: int | None
    max_runtime: timedelta


@dataclass(frozen=True, slots=True)
class Load:
    """What a tenant has at one account; `at_stake` is the most that unknown outcomes can have cost, in micros."""

    waiting: int = 0
    under_way: int = 0
    unknown: int = 0
    at_stake: int = 0
    currency: str = ""
    to_fetch: int = 0
    first_expiry: datetime | None = None
    endpoint: str = ""


class Traffic:
    """The gates. Counts are kept here and shared once a second, so that no call costs a write."""

    def __init__(
        self,
        database: db.Database,
        offer: catalogue.Catalogue,
        keys: keyring.Keyring,
        clock: Callable[[], datetime],
    ) -> None:
        self._database, self._offer, self._keys, self._clock = database, offer, keys, clock
        self._calls: Calls = Counter()
        self._trust: Counter[str] = Counter()
        self._sending: Counter[str] = Counter()
        self._pauses: dict[str, tuple[str, float]] = {}

    def went(self, account: str, operation: str, well: bool) -> None:
        """A call ended: with any answer of the provider's own, or without one."""
        self._calls[account, operation, well] += 1
        if operation == _CREATE:
            self._trust[account] = breakers.trust(self._trust[account], well)

    def pause(self, account: str, reason: str, seconds: float | None) -> None:
        """The provider wants no more orders of this account for a while."""
        self._pauses[account] = (reason, seconds or _PAUSE_S)

    @contextlib.contextmanager
    def sending(self, account: str) -> Iterator[None]:
        """While an order of this account is being sent."""
        self._sending[account] += 1
        try:
            yield
        finally:
            self._sending[account] -= 1

    async def room(self, conn: AsyncConnection, account: str, most: int) -> int:
        """How many of its orders may be sent now; the account is locked until the transaction ends if it has limits."""
        if account in self._pauses:
            return 0
        limits = await self._limits(conn, account)
        is_free = limits.per_minute is limits.most_at_once is None
        known = await (_find if is_free else _lock)(conn, account)
        well, badly = (self._calls[account, _CREATE, well] for well in (True, False))
        if known.breaker is not breakers.Breaker.CLOSED or breakers.trips(well, badly, known.opened):
            return 0
        most = min(most, breakers.at_once(self._trust[account], known.opened) - self._sending[account])
        if limits.most_at_once is not None:
            since = self._clock() - limits.max_runtime
            most = min(most, limits.most_at_once - await under_way(conn, account, since))
        if limits.per_minute is not None:
            most = min(most, breakers.at_the_rate(limits.per_minute, known.tat, self._clock()))
        return max(0, most)

    async def sent(self, conn: AsyncConnection, account: str, orders: int) -> None:
        """So many of its orders are being sent: its rate is used up by them."""
        limits = await self._limits(conn, account)
        if orders and limits.per_minute is not None:
            known = await _lock(conn, account)
            tat = breakers.after(limits.per_minute, known.tat, orders, self._clock())
            await conn.execute(sa.update(ACCOUNTS).where(ACCOUNTS.c.name == account).values(tat=tat))

    async def share(self) -> int:
        """Add this process's counts to everyone's, and open the breakers that should be."""
        calls, pauses = Counter(self._calls), dict(self._pauses)
        async with self._database.house() as conn:
            await self._share(conn, calls, pauses)
            held_back = {endpoint: count for endpoint, count in await conn.execute(_HELD_BACK)}
        self._calls -= calls
        for account in pauses:
            if self._pauses[account] == pauses[account]:
                del self._pauses[account]
        for endpoint in self._offer.endpoints.keys() | held_back.keys():
            _OPEN.labels(endpoint).set(held_back.get(endpoint, 0))
        return 0

    async def _share(self, conn: AsyncConnection, calls: Calls, pauses: Mapping[str, tuple[str, float]]) -> None:
        now = self._clock()
        await _count(conn, calls, now)
        for account in sorted(pauses.keys() | {account for account, _, well in calls if not well}):
            known = await _lock(conn, account)
            if account in pauses:
                await self._open(conn, known, *pauses[account])
            elif await _is_failing(conn, known, now):
                await self._open(conn, known, "too many of its calls got no answer", None)
        answered = {account for account, operation, well in calls if operation == _CREATE and well}
        trusted = sa.and_(db.one_of(ACCOUNTS.c.name, answered), ACCOUNTS.c.opened > 0, _IS_CLOSED)
        await conn.execute(sa.update(ACCOUNTS).where(trusted).values(opened=0))

    async def probe(self) -> int:
        """Try an account again that has been left alone for long enough: with a free call, never with an order."""
        async with self._database.house() as conn:
            account = await _take_probe(conn, self._clock())
            own = await _own(conn, account) if account else None
        if account is None:
            return 0
        why, word = await self._try(account, own.tenant_id if own else "")
        async with self._database.house() as conn:
            if why:
                await self._open(conn, await _lock(conn, account), why, None)
            else:
                await _close(conn, account)
                log.info("breaker_closed", extra={"account": account})
            if word is not None:
                await self._keys.judged(conn, account, word)
        return 1

    async def _try(self, account: str, tenant_id: str) -> tuple[str, str | None]:
        """Why it is to be left alone, empty when it is not; and the provider's word on its key, None without one."""
        provider = await self._keys.provider(account, tenant_id)
        try:
            async with asyncio.timeout(_PROBE_S / 2):
                await provider.check()
        except providers.KeyRefused as fault:
            return str(fault), str(fault)
        except providers.ProviderAway as fault:
            return str(fault), None
        except TimeoutError:
            return "it does not answer", None
        return "", ""

    async def _open(self, conn: AsyncConnection, known: breakers.Account, reason: str, seconds: float | None) -> None:
        """Hold the orders of this account back, which is locked: for so long, or longer each time in a row."""
        if known.breaker is breakers.Breaker.OPEN and not seconds:
            return
        wait = timedelta(seconds=seconds or breakers.open_s(known.opened))
        probe_at = self._clock() + wait
        if known.breaker is breakers.Breaker.OPEN and known.probe_at:
            probe_at = max(probe_at, known.probe_at)
        values = {"breaker": breakers.Breaker.OPEN, "reason": reason[:300], "probe_at": probe_at}
        values["opened"] = known.opened + (not seconds)
        await conn.execute(sa.update(ACCOUNTS).where(ACCOUNTS.c.name == known.name).values(values))
        log.warning("breaker_opened", extra={"account": known.name, "why": reason, "wait_s": wait.total_seconds()})

    async def _limits(self, conn: AsyncConnection, account: str) -> Limits:
        own = await _own(conn, account)
        terms = self._offer.endpoints.get(own.endpoint if own else account.partition(":")[2])
        told = terms.limits if terms else catalogue.Pace()
        max_runtime = timedelta(seconds=terms.capabilities.max_runtime_s if terms else 0)
        if own is None:
            return Limits(told.per_minute, told.most_at_once, max_runtime)
        return Limits(own.per_minute or told.per_minute, own.most_at_once or told.most_at_once, max_runtime)


async def _own(conn: AsyncConnection, account: str) -> Any:
    """The credential that the account is; None for one of the installation's own."""
    return (await conn.execute(_OWN, {"account": account})).first()


async def under_way(conn: AsyncConnection, account: str, since: datetime) -> int:
    """How many of its orders are with the provider, or may be: counted, because a counter would drift.

    An order in doubt that was sent before `since` would have ended by now, wherever it is.
    """
    state, in_doubt = SUBMISSIONS.c.state, SUBMISSIONS.c.state == domain.State.UNKNOWN
    states = state.in_([domain.State.SENDING, domain.State.UNKNOWN, domain.State.ACCEPTED])
    query = sa.select(sa.func.count()).where(
        SUBMISSIONS.c.account == account, states, sa.or_(~in_doubt, SUBMISSIONS.c.sent_at > since)
    )
    return int((await conn.execute(query)).scalar_one())


async def accounts(conn: AsyncConnection) -> Mapping[str, breakers.Account]:
    """What is shared of every account, by name."""
    return {row["name"]: _account(row) for row in (await conn.execute(sa.select(ACCOUNTS))).mappings()}


async def loads(conn: AsyncConnection, tenant_id: str) -> Mapping[str, Load]:
    """What this tenant has under way, by account."""
    state = SUBMISSIONS.c.state

    def those(*states: domain.State) -> sa.FunctionFilter[int]:
        return sa.func.count().filter(state.in_(states))

    unknown = (domain.State.UNKNOWN, domain.State.UNRESOLVED)
    reserved = sa.func.sum(SUBMISSIONS.c.reserved_micros).filter(state.in_(unknown))
    at_stake = sa.cast(sa.func.coalesce(reserved, 0), sa.BigInteger)  # PostgreSQL sums bigint to numeric
    query = (
        sa.select(
            SUBMISSIONS.c.account,
            those(domain.State.PARKED, domain.State.INTENT),
            those(domain.State.SENDING, domain.State.ACCEPTED),
            those(*unknown),
            at_stake,
            sa.func.max(SUBMISSIONS.c.currency),
            those(*_TO_FETCH),
            sa.func.min(SUBMISSIONS.c.clip_expires_at).filter(state.in_(_TO_FETCH)),
            sa.func.max(SUBMISSIONS.c.endpoint),
        )
        .where(SUBMISSIONS.c.tenant_id == tenant_id, SUBMISSIONS.c.next_action_at.is_not(None))
        .group_by(SUBMISSIONS.c.account)
    )
    return {account: Load(*rest) for account, *rest in await conn.execute(query)}


def _account(row: Mapping[Any, Any]) -> breakers.Account:
    return breakers.Account(**{**row, "breaker": breakers.Breaker(row["breaker"])})


async def _find(conn: AsyncConnection, account: str) -> breakers.Account:
    row = (await conn.execute(_KNOWN, {"account": account})).mappings().first()
    return _account(row) if row else breakers.Account(account)


async def _lock(conn: AsyncConnection, account: str) -> breakers.Account:
    row = {"name": account, "breaker": breakers.Breaker.CLOSED, "reason": "", "opened": 0}
    await conn.execute(pg.insert(ACCOUNTS).values(row).on_conflict_do_nothing())
    return _account((await conn.execute(_KNOWN.with_for_update(), {"account": account})).mappings().one())


async def _take_probe(conn: AsyncConnection, now: datetime) -> str | None:
    """One account whose time has come, for this process alone; if that dies, another has it after a while."""
    due = (
        sa.select(ACCOUNTS.c.name)
        .where(~_IS_CLOSED, ACCOUNTS.c.probe_at <= now)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    half_open = {"breaker": breakers.Breaker.HALF_OPEN, "probe_at": now + timedelta(seconds=_PROBE_S)}
    query = sa.update(ACCOUNTS).where(ACCOUNTS.c.name == due).values(half_open).returning(ACCOUNTS.c.name)
    found: str | None = (await conn.execute(query)).scalar()
    return found


async def _close(conn: AsyncConnection, account: str) -> None:
    """Send its orders again; how often it was opened is forgotten only when one of them has been answered."""
    await conn.execute(sa.delete(ACCOUNT_CALLS).where(ACCOUNT_CALLS.c.account == account))  # locked first, as in _share
    closed = {"breaker": breakers.Breaker.CLOSED, "reason": "", "probe_at": None}
    await conn.execute(sa.update(ACCOUNTS).where(ACCOUNTS.c.name == account).values(closed))


async def _count(conn: AsyncConnection, calls: Calls, now: datetime) -> None:
    slot = now.replace(second=now.second // _SLOT_S * _SLOT_S, microsecond=0)
    places = sorted({(account, operation) for account, operation, _ in calls})
    rows = [
        {"account": account, "operation": operation, "slot": slot}
        | {name: calls[account, operation, well] for name, well in (("well", True), ("badly", False))}
        for account, operation in places
    ]
    if not rows:
        return
    insert = pg.insert(ACCOUNT_CALLS)
    sums = {name: ACCOUNT_CALLS.c[name] + insert.excluded[name] for name in ("well", "badly")}
    keys = list(ACCOUNT_CALLS.primary_key)
    await conn.execute(insert.values(rows).on_conflict_do_update(index_elements=keys, set_=sums))
    await conn.execute(sa.delete(ACCOUNT_CALLS).where(ACCOUNT_CALLS.c.slot < now - 10 * breakers.WINDOW))


async def _is_failing(conn: AsyncConnection, known: breakers.Account, now: datetime) -> bool:
    """Whether any operation went too badly in the window: orders may fail while polls are answered."""
    sums = [sa.func.sum(ACCOUNT_CALLS.c[name]) for name in ("well", "badly")]
    recent = sa.and_(ACCOUNT_CALLS.c.account == known.name, ACCOUNT_CALLS.c.slot >= now - breakers.WINDOW)
    query = sa.select(ACCOUNT_CALLS.c.operation, *sums).where(recent).group_by(ACCOUNT_CALLS.c.operation)
    return any(
        breakers.trips(int(well), int(badly), known.opened if operation == _CREATE else 0)
        for operation, well, badly in await conn.execute(query)
    )
