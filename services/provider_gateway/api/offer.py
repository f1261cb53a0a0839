"""Verbs of models and quotes: what can be bought, and what it costs at most."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from libs import auth, errors, ids, rpc
from rushes.provider_gateway.v1 import provider_gateway_service_pb2, quote_pb2
from services.provider_gateway import budgets, domain, ledger, models, store, walls, wire
from services.provider_gateway.api import desk


class Offer(desk.Desk):
    """ListModels, GetModel, CreateQuote, GetQuote."""

    async def ListModels(
        self, request: provider_gateway_service_pb2.ListModelsRequest, context: desk.Context
    ) -> provider_gateway_service_pb2.ListModelsResponse:
        """The catalogue, usable models first."""
        today, configured = self.clock().date(), await self._configured()
        wanted = self.offer.matching(request.endpoint, request.family)
        found = [models.message(model, self.offer.state(model, configured, today)) for model in wanted]
        usable = [model for model in found if models.is_usable(model)]
        rest = [] if request.usable_only else [model for model in found if not models.is_usable(model)]
        return provider_gateway_service_pb2.ListModelsResponse(
            models=[*sorted(usable, key=lambda m: m.id), *sorted(rest, key=lambda m: m.id)],
            default_model=self.offer.default_model,
        )

    async def GetModel(
        self, request: provider_gateway_service_pb2.GetModelRequest, context: desk.Context
    ) -> provider_gateway_service_pb2.GetModelResponse:
        """One model, retired ones included."""
        model = self.offer.find(request.model_id)
        state = self.offer.state(model, await self._configured(), self.clock().date())
        message = models.message(model, state)
        return provider_gateway_service_pb2.GetModelResponse(model=message)

    async def CreateQuote(
        self, request: provider_gateway_service_pb2.CreateQuoteRequest, context: desk.Context
    ) -> provider_gateway_service_pb2.CreateQuoteResponse:
        """Price every clip at its most, and see whether the budget holds it."""
        now, tenant_id = self.clock(), auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            if before := await self._replayed(conn, tenant_id, request):
                return provider_gateway_service_pb2.CreateQuoteResponse(quote=before)
            configured = await self.keyring.configured(conn, tenant_id)
        items, warnings = self._priced(request, configured, now)
        currency, most = items[0].most_you_can_pay.currency, sum(item.most_you_can_pay.micros for item in items)
        async with self.database.tenant(tenant_id) as conn:
            budget = await ledger.open_budget(conn, tenant_id, currency, self.limits[currency])
            if most > budget.left_micros:
                raise budgets.exceeded(budget, most)
            warnings += await walls.shortages(conn, tenant_id, currency, most, now)
            quote = wire.quote(ids.new("quote"), items, currency == wire.PLAY_CURRENCY, warnings, now)
            row = {
                "id": quote.id,
                "tenant_id": tenant_id,
                "request_id": request.request_id,
                "request_digest": wire.digest(request),
                "content": quote.SerializeToString(deterministic=True),
                "created_at": now,
            }
            if not await store.insert_quote_once(conn, row):
                quote = await self._replayed(conn, tenant_id, request) or quote
        return provider_gateway_service_pb2.CreateQuoteResponse(quote=quote)

    async def GetQuote(
        self, request: provider_gateway_service_pb2.GetQuoteRequest, context: desk.Context
    ) -> provider_gateway_service_pb2.GetQuoteResponse:
        """One quote, as it was made."""
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            content = await store.get_quote(conn, tenant_id, request.quote_id)
        return provider_gateway_service_pb2.GetQuoteResponse(quote=quote_pb2.Quote.FromString(content))

    async def _configured(self) -> frozenset[str]:
        async with self.database.tenant(tenant_id := auth.caller().tenant_id) as conn:
            return await self.keyring.configured(conn, tenant_id)

    def _priced(
        self, request: provider_gateway_service_pb2.CreateQuoteRequest, configured: Collection[str], now: datetime
    ) -> tuple[list[quote_pb2.QuoteItem], list[str]]:
        found = wire.check_create_quote(request, auth.caller().tenant_id)
        priced, warnings = [], dict[str, None]()
        for index, item in enumerate(request.items):
            model = self.offer.usable(item.spec.model or self.offer.default_model, configured, now.date())
            faults = models.violations(model, item.spec)
            found += [errors.Violation(f"items[{index}].spec.{field}", why) for field, why in faults]
            if not faults:
                priced.append(models.priced(model, item))
                warnings |= dict.fromkeys(self.offer.warnings(model, now.date()))
        currencies = sorted({item.most_you_can_pay.currency for item in priced})
        if len(currencies) > 1:
            found.append(errors.Violation("items", f"mix {' and '.join(currencies)}; quote them apart"))
        if found:
            raise wire.BadRequest(found)
        return priced, list(warnings)

    async def _replayed(
        self, conn: Any, tenant_id: str, request: provider_gateway_service_pb2.CreateQuoteRequest
    ) -> quote_pb2.Quote | None:
        before = await store.find_requested_quote(conn, tenant_id, request.request_id)
        if before is None:
            return None
        content, digest = before
        if digest != wire.digest(request):
            raise domain.RequestIdReused(request_id=request.request_id)
        rpc.replayed()
        return quote_pb2.Quote.FromString(content)
