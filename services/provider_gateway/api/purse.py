"""Verbs of money: budgets, the ledger, and the switches that stop all buying."""

import contextlib
import dataclasses
import logging

from sqlalchemy.ext.asyncio import AsyncConnection

from libs import audit, auth, paging
from rushes.provider_gateway.v1 import provider_gateway_service_pb2
from services.provider_gateway import books, budgets, ledger, statements, switches, walls
from services.provider_gateway.api import desk

log = logging.getLogger(__name__)


class Purse(desk.Desk):
    """Budgets, ledger, balances, spend switches."""

    async def GetBudget(
        self, request: provider_gateway_service_pb2.GetBudgetRequest, context: desk.Context
    ) -> provider_gateway_service_pb2.GetBudgetResponse:
        """One wall as it stands now."""
        place, currency = statements.named(request)
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            await ledger.open_budget(conn, tenant_id, currency, self.limits[currency])
            found = await walls.find(conn, tenant_id, currency, place, self.clock())
        return provider_gateway_service_pb2.GetBudgetResponse(budget=statements.budget(found))

    async def SetBudget(
        self, request: provider_gateway_service_pb2.SetBudgetRequest, context: desk.Context
    ) -> provider_gateway_service_pb2.SetBudgetResponse:
        """Put a wall up, or move it; what is behind it already stays."""
        place, limit, caller = statements.wanted(request), request.limit, auth.caller()
        tenant_id = caller.tenant_id
        async with self.database.tenant(tenant_id) as conn:
            await ledger.open_budget(conn, tenant_id, limit.currency, self.limits[limit.currency])
            wall = await walls.set_limit(conn, tenant_id, limit.currency, place, limit.micros, self.clock())
            await _note(conn, "budget_set", tenant_id, place, limit.currency, limit_micros=limit.micros)
        return provider_gateway_service_pb2.SetBudgetResponse(budget=statements.budget(wall))

    async def ListBudgets(
        self, request: provider_gateway_service_pb2.ListBudgetsRequest, context: desk.Context
    ) -> provider_gateway_service_pb2.ListBudgetsResponse:
        """Every wall that stands now."""
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            for currency, limit in self.limits.items():
                await ledger.open_budget(conn, tenant_id, currency, limit)
            found = await walls.listed(conn, tenant_id, self.clock())
        return provider_gateway_service_pb2.ListBudgetsResponse(budgets=map(statements.budget, found))

    async def DeleteBudget(
        self, request: provider_gateway_service_pb2.DeleteBudgetRequest, context: desk.Context
    ) -> provider_gateway_service_pb2.DeleteBudgetResponse:
        """Take a wall down."""
        place, currency = statements.removable(request)
        caller = auth.caller()
        async with self.database.tenant(caller.tenant_id) as conn:
            await walls.remove(conn, caller.tenant_id, currency, place, self.clock())
            await _note(conn, "budget_deleted", caller.tenant_id, place, currency)
        return provider_gateway_service_pb2.DeleteBudgetResponse()

    async def ListLedgerEntries(
        self, request: provider_gateway_service_pb2.ListLedgerEntriesRequest, context: desk.Context
    ) -> provider_gateway_service_pb2.ListLedgerEntriesResponse:
        """Newest first."""
        of, currency, tenant_id = request.submission_id, request.currency, auth.caller().tenant_id
        page = paging.by_id(request.page_size, request.page_token, f"ledger {of} {currency}")
        async with self.database.tenant(tenant_id) as conn:
            found = await books.lines(conn, tenant_id, of, currency, page.below, page.most)
        shown, more = page.cut(found)
        entries = map(statements.entry, shown)
        return provider_gateway_service_pb2.ListLedgerEntriesResponse(entries=entries, next_page_token=more)

    async def ListBalances(
        self, request: provider_gateway_service_pb2.ListBalancesRequest, context: desk.Context
    ) -> provider_gateway_service_pb2.ListBalancesResponse:
        """Where the tenant stands, in each currency."""
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            own = [await ledger.open_budget(conn, tenant_id, *limit) for limit in self.limits.items()]
            found = [await books.balance(conn, budget) for budget in own]
        return provider_gateway_service_pb2.ListBalancesResponse(balances=map(statements.balance, found))

    async def ThrowSpendSwitch(
        self, request: provider_gateway_service_pb2.ThrowSpendSwitchRequest, context: desk.Context
    ) -> provider_gateway_service_pb2.ThrowSpendSwitchResponse:
        """Stop buying; a target has to exist, or the switch would stop nothing."""
        reach, caller = statements.thrown(request), auth.caller()
        if reach is budgets.Reach.MODEL:
            self.offer.find(request.target)
        elif reach is budgets.Reach.ENDPOINT:
            self.check_endpoint(request.target)
        tenant_id = _operated(caller) if reach is budgets.Reach.HOUSE else caller.tenant_id
        async with self._scope(tenant_id) as conn:
            switch = await switches.throw(
                conn, tenant_id, reach, request.target, request.reason, caller.subject, self.clock()
            )
            await audit.note(conn, tenant_id, "spend_switch_thrown", switch.id, scope=reach, thing=request.target)
        message = statements.spend_switch(switch)
        return provider_gateway_service_pb2.ThrowSpendSwitchResponse(spend_switch=message)

    async def ReleaseSpendSwitch(
        self, request: provider_gateway_service_pb2.ReleaseSpendSwitchRequest, context: desk.Context
    ) -> provider_gateway_service_pb2.ReleaseSpendSwitchResponse:
        """Let buying go on."""
        caller = auth.caller()
        async with self.database.tenant(caller.tenant_id) as conn:
            switch = await switches.find(conn, caller.tenant_id, request.spend_switch_id)
        tenant_id = _operated(caller) if switch.scope is budgets.Reach.HOUSE else caller.tenant_id
        async with self._scope(tenant_id) as conn:
            await switches.release(conn, tenant_id, switch.id, caller.subject, self.clock())
            await audit.note(conn, tenant_id, "spend_switch_released", switch.id, scope=switch.scope)
        return provider_gateway_service_pb2.ReleaseSpendSwitchResponse()

    async def ListSpendSwitches(
        self, request: provider_gateway_service_pb2.ListSpendSwitchesRequest, context: desk.Context
    ) -> provider_gateway_service_pb2.ListSpendSwitchesResponse:
        """The switches that stop this tenant."""
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            found = await switches.thrown(conn, tenant_id)
        messages = map(statements.spend_switch, found)
        return provider_gateway_service_pb2.ListSpendSwitchesResponse(spend_switches=messages)

    def _scope(self, tenant_id: str) -> contextlib.AbstractAsyncContextManager[AsyncConnection]:
        """A transaction for one tenant, or for the whole house."""
        return self.database.house() if tenant_id == budgets.HOUSE else self.database.tenant(tenant_id)


async def _note(
    conn: AsyncConnection, action: str, tenant_id: str, place: budgets.Place, currency: str, **facts: int
) -> None:
    """Who moved which wall, for whoever asks at night, and whoever asks in a year."""
    where = dataclasses.asdict(place) | {"currency": currency}
    log.info(action, extra={"tenant_id": tenant_id, "by": auth.caller().subject, **where, **facts})
    await audit.note(conn, tenant_id, action, place.scope_id or place.scope, **where, **facts)


def _operated(caller: auth.Caller) -> str:
    """The house, for an operator. Raises OperatorNeeded."""
    if budgets.OPERATOR not in caller.roles:
        raise budgets.OperatorNeeded
    return budgets.HOUSE
