"""Verbs that begin productions: a plan spends nothing, and what was planned is what is done."""

import dataclasses
import uuid
from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from libs import auth, errors, failpoints, ids, outbox, rpc
from rushes.job.v1 import job_pb2
from rushes.job.v1 import job_service_pb2 as pb
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway_pb2
from rushes.provider_gateway.v1 import quote_pb2
from rushes.storyboard.v1 import storyboard_service_pb2 as storyboard_pb2
from services.job import continuity, domain, estimate, follow, gauges, lifecycle, planning, plans, store, takes, wire
from services.job.api import desk, refusals


@dataclasses.dataclass(frozen=True, slots=True)
class _Asked:
    """What a revision asks for as the caller wants it made, and what its models can and cannot."""

    storyboard_id: str
    title: str
    scenes: Sequence[domain.Scene]
    able: Mapping[str, continuity.Capability]
    faults: Mapping[str, errors.Violation]


@dataclasses.dataclass(frozen=True, slots=True)
class _Draft:
    """What would be done, in which order, and what people should know about it."""

    planned: Sequence[planning.Planned]
    warnings: Sequence[str]

    @property
    def made(self) -> list[planning.Planned]:
        return [one for one in self.planned if one.is_made]


class Planner(desk.Desk):
    """Plan and create."""

    async def PlanProduction(
        self, request: pb.PlanProductionRequest, context: desk.Context
    ) -> pb.PlanProductionResponse:
        """For each scene: the take that fits, or why there is none, and for how much it is made."""
        plans.check(request)
        tenant_id = auth.caller().tenant_id
        options = plans.options(request.options, tenant_id)
        asked = await self._asked(request, options, context)
        async with self.database.tenant(tenant_id) as conn:
            draft = await _drafted(conn, tenant_id, asked, options)
            left = await self.time_left(conn, tenant_id, estimate.lines_planned(draft.planned), self.clock())
        quote = await self._terms(request.quote_id, draft, context)
        digest = planning.digest(
            request.storyboard_id, request.revision, quote.id if quote else "", draft.planned, options
        )
        most = plans.most_micros(draft.planned, wire.prices(quote, _scenes(draft))) if quote else 0
        wanted = self._wants_approval(options, most)
        plan = plans.plan(request, draft.planned, quote, digest, draft.warnings, left, wanted)
        return pb.PlanProductionResponse(plan=plan)

    async def CreateProduction(
        self, request: pb.CreateProductionRequest, context: desk.Context
    ) -> pb.CreateProductionResponse:
        """Plan the jobs of a revision and ask for every clip that can be made now: all of it, or nothing."""
        wire.check_create_production(request)
        tenant_id = auth.caller().tenant_id
        options = plans.options(request.options, tenant_id)
        if replayed := await self._replayed(request):
            return pb.CreateProductionResponse(production=replayed)
        quote = await self._quote(request.quote_id) if request.quote_id else None
        if quote:
            wire.check_quote_alive(quote, self.clock())
        asked = await self._asked(request, options, context)
        async with self.database.tenant(tenant_id) as conn:
            await takes.queue(conn, [request.storyboard_id])
            if request.plan_digest:
                draft = await _drafted(conn, tenant_id, asked, options)
                _check_unchanged(request, draft, options)
            else:
                draft = _all_anew(asked, options)
                if quote:
                    wire.check_quote_fits(quote, asked.scenes)
            message = await self._begin(conn, request, asked.title, draft, quote, options)
            failpoints.reach("production.before_commit")
        failpoints.reach("production.committed")
        if message is None:
            return pb.CreateProductionResponse(production=await self._replayed(request))
        desk.note("production_created", production_id=message.id)
        return pb.CreateProductionResponse(production=message)

    async def _begin(
        self,
        conn: AsyncConnection,
        request: pb.CreateProductionRequest,
        title: str,
        draft: _Draft,
        quote: quote_pb2.Quote | None,
        options: planning.Options,
    ) -> job_pb2.Production | None:
        """Write it all down in this transaction; None when another with this request_id was quicker."""
        now = self.clock()
        quoted = wire.prices(quote, _scenes(draft)) if quote else {}
        most = plans.most_micros(draft.planned, quoted)
        waits = self._wants_approval(options, most)
        production = domain.Production(
            id=ids.new("prod"),
            tenant_id=auth.caller().tenant_id,
            storyboard_id=request.storyboard_id,
            revision=request.revision,
            title=title,
            quote_id=quote.id if quote else "",
            currency=_currency(draft, quote),
            most_micros=most,
            created_at=now,
            updated_at=now,
            state=domain.ProductionState.NEEDS_APPROVAL if waits else domain.ProductionState.FILMING,
            auto_pick=options.auto_pick,
            model=options.model,
            resolution=options.resolution,
        )
        jobs = planning.jobs(production, draft.planned, quoted, ids.new)
        jobs = [lifecycle.held(job, production.state, now) for job in jobs]
        slots = planning.slots(production, draft.planned)
        digest = wire.digest(request)
        if not await store.insert_production_once(conn, production, jobs, slots, request.request_id, digest):
            return None
        gauges.created(conn, len(jobs))
        for take in [one.take for one in draft.planned if one.take and not one.take.picked]:
            await takes.pick(conn, production.tenant_id, take)
        running = [job for job in jobs if job.state is domain.JobState.RUNNING]
        await outbox.put(conn, *(wire.clip_requested(production, job) for job in running))
        if not jobs:
            held = {production.id: follow.Held(production, now)}
            production = (await follow.settle(conn, held))[production.id]
        return wire.production(production, 0, [wire.job(job, now) for job in jobs], slots)

    def _wants_approval(self, options: planning.Options, most_micros: int) -> bool:
        limits = [one for one in (self.approve_above_micros, options.approve_above_micros) if one is not None]
        return bool(limits) and most_micros > min(limits)

    async def _replayed(self, request: pb.CreateProductionRequest) -> job_pb2.Production | None:
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            found = await store.find_requested(conn, tenant_id, request.request_id)
        if found is None:
            return None
        production, digest = found
        if digest != wire.digest(request):
            raise domain.RequestIdReused(request_id=request.request_id)
        rpc.replayed()
        message, _ = await self.snapshot(production.id)
        return message

    async def _terms(self, quote_id: str, draft: _Draft, context: desk.Context) -> quote_pb2.Quote | None:
        """The quote that the caller names, or one that the gateway makes now; None when nothing is made."""
        if not draft.made:
            return None
        if quote_id:
            return await self._quote(quote_id)
        request = gateway_pb2.CreateQuoteRequest(request_id=str(uuid.uuid4()), items=plans.items(draft.planned))
        async with refusals.passed_on(context, refusals.scenes_of(draft.planned)):
            response = await self.gateway.CreateQuote(request, timeout=desk.CALL_S, metadata=rpc.bearer())
        quote: quote_pb2.Quote = response.quote
        return quote

    async def _quote(self, quote_id: str) -> quote_pb2.Quote:
        request = gateway_pb2.GetQuoteRequest(quote_id=quote_id)
        missing = domain.QuoteNotFound(quote_id=quote_id)
        with desk.meaning({desk.Code.NOT_FOUND: missing, desk.Code.INVALID_ARGUMENT: missing}):
            response = await self.gateway.GetQuote(request, timeout=desk.CALL_S, metadata=rpc.bearer())
        quote: quote_pb2.Quote = response.quote
        return quote

    async def _asked(
        self,
        request: pb.PlanProductionRequest | pb.CreateProductionRequest,
        options: planning.Options,
        context: desk.Context,
    ) -> _Asked:
        offer = await self._offer(context) if options.model or options.resolution else ()
        plans.check_model(options.model, offer)
        quote_id = request.quote_id if isinstance(request, pb.CreateProductionRequest) else ""
        composed = await self._composed(request.storyboard_id, request.revision, options.model, context, quote_id)
        scenes, faults = plans.at(options.resolution, wire.scenes(composed), offer)
        able = await self._able(scenes, context)
        return _Asked(request.storyboard_id, composed.storyboard_name, scenes, able, faults)

    async def _offer(self, context: desk.Context) -> plans.Offer:
        request = gateway_pb2.ListModelsRequest(usable_only=True)
        async with refusals.passed_on(context, str):
            response = await self.gateway.ListModels(request, timeout=desk.CALL_S, metadata=rpc.bearer())
        found: plans.Offer = response.models
        return found

    async def _composed(
        self, storyboard_id: str, revision: int, model: str, context: desk.Context, quote_id: str = ""
    ) -> storyboard_pb2.ComposePromptsResponse:
        asked = storyboard_pb2.ComposePromptsRequest(storyboard_id=storyboard_id, revision=revision, model=model)
        missing = domain.StoryboardNotFound(storyboard_id=storyboard_id, revision=revision)
        told: dict[desk.Code, errors.Error] = {desk.Code.NOT_FOUND: missing, desk.Code.INVALID_ARGUMENT: missing}
        if quote_id:  # a revision without scenes cannot be composed, and no quote was made for it
            told[desk.Code.FAILED_PRECONDITION] = domain.QuoteChanged(quote_id=quote_id)
        async with refusals.passed_on(context, str):
            with desk.meaning(told):
                response = await self.storyboards.ComposePrompts(asked, timeout=desk.CALL_S, metadata=rpc.bearer())
        composed: storyboard_pb2.ComposePromptsResponse = response
        return composed

    async def _able(self, scenes: Sequence[domain.Scene], context: desk.Context) -> dict[str, continuity.Capability]:
        """What the models can that seams need."""
        found = {}
        for model in sorted(continuity.joined(scenes)):
            request = gateway_pb2.GetModelRequest(model_id=model)
            async with refusals.passed_on(context, str):
                response = await self.gateway.GetModel(request, timeout=desk.CALL_S, metadata=rpc.bearer())
            found[model] = continuity.Capability(response.model.first_frame, response.model.last_frame)
        return found


async def _drafted(
    conn: AsyncConnection,
    tenant_id: str,
    asked: _Asked,
    options: planning.Options,
) -> _Draft:
    """What would be done as the takes are now. Raises SeamsRefused and BadRequest."""
    wanted = {scene.scene_id: scene.digest for scene in asked.scenes}
    found = await takes.candidates(conn, tenant_id, asked.storyboard_id, wanted)
    known = await takes.filmed(conn, tenant_id, asked.storyboard_id)
    others = [take.id for ones in found.values() for take in ones if take.digest != wanted[take.scene_id]]
    resized = plans.differ_in_size(asked.scenes, found, await takes.specs(conn, others) if others else {})
    planned = planning.decide(asked.scenes, found, known, options, resized)
    plans.check_films(planned)
    plans.check_resolution(planned, asked.faults)
    made = {one.scene.scene_id for one in planned if one.is_made}
    warnings = continuity.check(asked.scenes, made, asked.able, options.keyframes)
    busy = await store.under_way(conn, tenant_id, asked.storyboard_id, {key: wanted[key] for key in made})
    if busy:
        warnings.append(
            f"{busy} clips of these very scenes are being made already; what is created now is bought besides."
        )
    return _Draft(planned, warnings)


def _all_anew(asked: _Asked, options: planning.Options) -> _Draft:
    """Every scene is made, whatever takes there are. Raises SeamsRefused and BadRequest."""
    planned = planning.everything(asked.scenes, dataclasses.replace(options, leave=frozenset()))
    plans.check_resolution(planned, asked.faults)
    made = {scene.scene_id for scene in asked.scenes}
    return _Draft(planned, continuity.check(asked.scenes, made, asked.able, options.keyframes))


def _check_unchanged(request: pb.CreateProductionRequest, draft: _Draft, options: planning.Options) -> None:
    """Raises PlanChanged when it is not what the caller was shown."""
    digest = planning.digest(request.storyboard_id, request.revision, request.quote_id, draft.planned, options)
    if digest != request.plan_digest or (draft.made and not request.quote_id):
        raise domain.PlanChanged(storyboard_id=request.storyboard_id, revision=request.revision)


def _scenes(draft: _Draft) -> list[domain.Scene]:
    return [one.scene for one in draft.made]


def _currency(draft: _Draft, quote: quote_pb2.Quote | None) -> str:
    if quote:
        return quote.most_you_can_pay.currency
    return next((one.take.currency for one in draft.planned if one.take), "")
