"""The verbs of what reaches providers, and of what is there to choose from."""

from libs import auth
from rushes.storyboard.v1 import storyboard_service_pb2 as pb
from services.storyboard import asks, compose, domain, presets, store, templates, wire
from services.storyboard.api import desk


class Prompts(desk.Desk):
    """Compose prompts; list looks and scenes to begin with."""

    async def ListPresets(self, request: pb.ListPresetsRequest, context: desk.Context) -> pb.ListPresetsResponse:
        """The looks of this release."""
        return pb.ListPresetsResponse(presets=map(wire.from_preset, presets.PRESETS))

    async def ListSceneTemplates(
        self, request: pb.ListSceneTemplatesRequest, context: desk.Context
    ) -> pb.ListSceneTemplatesResponse:
        """Those of this release."""
        return pb.ListSceneTemplatesResponse(templates=map(wire.from_template, templates.TEMPLATES))

    async def ComposePrompts(
        self, request: pb.ComposePromptsRequest, context: desk.Context
    ) -> pb.ComposePromptsResponse:
        """Deleted storyboards can still be composed: their productions go on."""
        tenant_id, storyboard_id = auth.caller().tenant_id, asks.storyboard_id(request.storyboard_id)
        limits, model = asks.limits(request), asks.model(request)
        async with self._database.tenant(tenant_id) as conn:
            number = request.revision or (await store.get(conn, tenant_id, storyboard_id)).revision
            revision, content = await store.get_revision(conn, tenant_id, storyboard_id, number)
        domain.check_filmable(revision, content)
        return pb.ComposePromptsResponse(
            storyboard_name=content.name,
            revision=number,
            prompts=[wire.from_prompt(it, limits) for it in compose.prompts(content, self._default_model, model)],
            composer_version=compose.COMPOSER_VERSION,
        )
