"""The money of a gateway's database, without the gateway: orders as they are held, kept and settled."""

import dataclasses
import datetime

import sqlalchemy as sa

from libs import ids
from services.provider_gateway import budgets, domain, ledger, store, switches, walls

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
S = domain.State


def ask(micros=100, **changes):
    base = domain.Submission(
        id=ids.new("sub"),
        tenant_id="acme",
        job_id=ids.new("job"),
        attempt=1,
        production_id="prod_1",
        storyboard_id="sb_1",
        scene_id="scene_1",
        model="sandbox/reel-1",
        endpoint="sandbox-openai",
        wire_model="sandbox-reel-1",
        spec=b"",
        likeness="",
        last_frame_wanted=False,
        traceparent="",
        account="cred_1",
        currency="XTS",
        reserved_micros=micros,
        created_at=NOW,
        updated_at=NOW,
        next_action_at=NOW,
    )
    return dataclasses.replace(base, **changes)


class Purse:
    """The money of one gateway's database, without the gateway."""

    def __init__(self, database):
        self.database = database

    async def own(self, micros, tenant_id="acme", currency="XTS"):
        async with self.database.house() as conn:
            return await ledger.open_budget(conn, tenant_id, currency, micros)

    async def wall(self, micros, scope, scope_id="", period=budgets.Period.EVER, now=NOW, tenant_id="acme"):
        async with self.database.tenant(tenant_id) as conn:
            place = budgets.Place(scope, scope_id, period)
            return await walls.set_limit(conn, tenant_id, "XTS", place, micros, now)

    async def hold(self, *asks, now=NOW, brake=ledger.BRAKE):
        """Those held and why the others were denied, by submission; kept as the gateway keeps them."""
        async with self.database.house() as conn:
            held, denied = await ledger.hold(conn, asks, now, brake)
            parked = [dataclasses.replace(one, state=S.PARKED, next_action_at=why.retry_at) for one, why in denied]
            if held or parked:
                await store.insert_submissions(conn, [*held, *parked])
        return held, {one.id: why for one, why in denied}

    async def post(self, before, state, now=NOW, **changes):
        """What becomes of the money when this one goes on."""
        after = dataclasses.replace(before, state=state, **changes)
        async with self.database.house() as conn:
            if posting := budgets.posting(before, after):
                await ledger.post(conn, [ledger.Entry(after, posting)], now)
        return after

    async def rows(self, query, tenant=None, **values):
        async with self.database.tenant(tenant) if tenant else self.database.house() as conn:
            return list((await conn.execute(sa.text(query), values)).mappings())

    async def used(self):
        """Each wall's (reserved, spent, suspense)."""
        found = await self.rows("SELECT * FROM budgets")
        return {one["id"]: (one["reserved_micros"], one["spent_micros"], one["suspense_micros"]) for one in found}

    async def check(self):
        """No wall is passed, and every wall is what the ledger says of the submissions behind it."""
        broken = """
            SELECT b.id FROM budgets b
            LEFT JOIN submissions s ON b.id = ANY (s.budgets) LEFT JOIN ledger l ON l.submission_id = s.id
            GROUP BY b.id
            HAVING (b.reserved_micros, b.spent_micros, b.suspense_micros) IS DISTINCT FROM
                (coalesce(sum(l.reserved), 0), coalesce(sum(l.spent), 0), coalesce(sum(l.suspense), 0))
                OR b.reserved_micros + b.spent_micros + b.suspense_micros > b.limit_micros"""
        assert await self.rows(broken) == []

    async def throw(self, scope, target="", tenant_id="acme", by="ada", now=NOW):
        scoped = self.database.house() if tenant_id == budgets.HOUSE else self.database.tenant(tenant_id)
        async with scoped as conn:
            return await switches.throw(conn, tenant_id, scope, target, "A key leaked.", by, now)

    async def release(self, switch, now=NOW):
        is_house = switch.tenant_id == budgets.HOUSE
        async with self.database.house() if is_house else self.database.tenant(switch.tenant_id) as conn:
            await switches.release(conn, switch.tenant_id, switch.id, "grace", now)

    async def thrown(self, tenant_id="acme"):
        async with self.database.tenant(tenant_id) as conn:
            return await switches.thrown(conn, tenant_id)
