"""ProviderGatewayService: one method per RPC."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import grpc.aio

from libs import auth, db, errors, ids, paging
from rushes.provider_gateway.v1 import (
    provider_gateway_service_pb2,
    provider_gateway_service_pb2_grpc,
    quote_pb2,
    submission_pb2,
)
from services.provider_gateway import catalogue, domain, ledger, models, store, wire

Context = grpc.aio.ServicerContext[Any, Any]


class GatewayApi(provider_gateway_service_pb2_grpc.ProviderGatewayServiceServicer):
    """Answers callers; `limits` are what new tenants may spend, by currency, in micros."""

    def __init__(
        self,
        database: db.Database,
        offer: catalogue.Catalogue,
        configured: frozenset[str],
        limits: dict[str, int],
        clock: Callable[[], datetime],
    ) -> None:
        self._database, self._offer, self._configured = database, offer, configured
        self._limits, self._clock = limits, clock

    async def ListModels(
        self, request: provider_gateway_service_pb2.ListModelsRequest, context: Context
    ) -> provider_gateway_service_pb2.ListModelsResponse:
        """The catalogue, usable models first."""
        today = self._clock().date()
        found = [models.message(model, self._configured, today) for model in self._offer.models]
        usable = [model for model in found if models.is_usable(model)]
        rest = [] if request.usable_only else [model for model in found if not models.is_usable(model)]
        return provider_gateway_service_pb2.ListModelsResponse(
            models=[*sorted(usable, key=lambda m: m.id), *sorted(rest, key=lambda m: m.id)],
            default_model=self._offer.default_model,
        )

    async def GetModel(
        self, request: provider_gateway_service_pb2.GetModelRequest, context: Context
    ) -> provider_gateway_service_pb2.GetModelResponse:
        """One model, retired ones included."""
        model = self._offer.find(request.model_id)
        message = models.message(model, self._configured, self._clock().date())
        return provider_gateway_service_pb2.GetModelResponse(model=message)

    async def CreateQuote(
        self, request: provider_gateway_service_pb2.CreateQuoteRequest, context: Context
    ) -> provider_gateway_service_pb2.CreateQuoteResponse:
        """Price every clip at its most, and see whether the budget holds it."""
        now, tenant_id = self._clock(), auth.caller().tenant_id
        async with self._database.tenant(tenant_id) as conn:
            if before := await self._replayed(conn, tenant_id, request):
                return provider_gateway_service_pb2.CreateQuoteResponse(quote=before)
        items, warnings = self._priced(request, now)
        currency = items[0].most_you_can_pay.currency
        quote = wire.quote(ids.new("quote"), items, currency == wire.PLAY_CURRENCY, warnings, now)
        row = {
            "id": quote.id,
            "tenant_id": tenant_id,
            "request_id": request.request_id,
            "request_digest": wire.digest(request),
            "content": quote.SerializeToString(deterministic=True),
            "created_at": now,
        }
        async with self._database.tenant(tenant_id) as conn:
            budget = await ledger.open_budget(conn, tenant_id, currency, self._limits[currency])
            if quote.most_you_can_pay.micros > budget.left_micros:
                raise domain.exceeded(budget, quote.most_you_can_pay.micros)
            if not await store.insert_quote_once(conn, row):
                quote = await self._replayed(conn, tenant_id, request) or quote
        return provider_gateway_service_pb2.CreateQuoteResponse(quote=quote)

    async def GetQuote(
        self, request: provider_gateway_service_pb2.GetQuoteRequest, context: Context
    ) -> provider_gateway_service_pb2.GetQuoteResponse:
        """One quote, as it was made."""
        tenant_id = auth.caller().tenant_id
        async with self._database.tenant(tenant_id) as conn:
            content = await store.get_quote(conn, tenant_id, request.quote_id)
        return provider_gateway_service_pb2.GetQuoteResponse(quote=quote_pb2.Quote.FromString(content))

    async def GetSubmission(
        self, request: provider_gateway_service_pb2.GetSubmissionRequest, context: Context
    ) -> provider_gateway_service_pb2.GetSubmissionResponse:
        """One paid call."""
        tenant_id = auth.caller().tenant_id
        async with self._database.tenant(tenant_id) as conn:
            found = await store.get_submission(conn, tenant_id, request.submission_id)
        return provider_gateway_service_pb2.GetSubmissionResponse(submission=wire.submission(found))

    async def ListSubmissions(
        self, request: provider_gateway_service_pb2.ListSubmissionsRequest, context: Context
    ) -> provider_gateway_service_pb2.ListSubmissionsResponse:
        """Newest first."""
        page = paging.by_id(request.page_size, request.page_token, f"submissions {request.state} {request.job_id}")
        name = submission_pb2.Submission.State.Name(request.state).removeprefix("STATE_")
        state = domain.State(name) if request.state else None
        tenant_id = auth.caller().tenant_id
        async with self._database.tenant(tenant_id) as conn:
            found = await store.list_submissions(conn, tenant_id, state, request.job_id, page.below, page.most)
        shown, more = page.cut(found)
        messages = map(wire.submission, shown)
        return provider_gateway_service_pb2.ListSubmissionsResponse(submissions=messages, next_page_token=more)

    async def GetBudget(
        self, request: provider_gateway_service_pb2.GetBudgetRequest, context: Context
    ) -> provider_gateway_service_pb2.GetBudgetResponse:
        """The tenant's budget in real money."""
        tenant_id = auth.caller().tenant_id
        async with self._database.tenant(tenant_id) as conn:
            budget = await ledger.open_budget(conn, tenant_id, wire.CURRENCY, self._limits[wire.CURRENCY])
        return provider_gateway_service_pb2.GetBudgetResponse(budget=wire.budget(budget))

    async def SetBudget(
        self, request: provider_gateway_service_pb2.SetBudgetRequest, context: Context
    ) -> provider_gateway_service_pb2.SetBudgetResponse:
        """Move the wall; what is behind it already stays."""
        limit, tenant_id = wire.limit_micros(request), auth.caller().tenant_id
        async with self._database.tenant(tenant_id) as conn:
            budget = await ledger.set_limit(conn, tenant_id, request.limit.currency, limit)
        return provider_gateway_service_pb2.SetBudgetResponse(budget=wire.budget(budget))

    def _priced(
        self, request: provider_gateway_service_pb2.CreateQuoteRequest, now: datetime
    ) -> tuple[list[quote_pb2.QuoteItem], list[str]]:
        found = wire.check_create_quote(request)
        priced, warnings = [], dict[str, None]()
        for index, item in enumerate(request.items):
            model = self._offer.usable(item.spec.model or self._offer.default_model, self._configured, now.date())
            faults = models.violations(model, item.spec)
            found += [errors.Violation(f"items[{index}].spec.{field}", why) for field, why in faults]
            if not faults:
                priced.append(models.priced(model, item))
                warnings |= dict.fromkeys(self._offer.warnings(model, now.date()))
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
        return quote_pb2.Quote.FromString(content)
