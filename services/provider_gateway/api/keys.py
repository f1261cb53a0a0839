"""Verbs of credentials: keys go in, are proven, replaced and destroyed, and never come out."""

import asyncio
import dataclasses
import logging

from sqlalchemy.ext.asyncio import AsyncConnection

from libs import audit, auth, paging, rpc
from rushes.provider_gateway.v1 import provider_gateway_service_pb2
from services.provider_gateway import (
    credential_store,
    credential_wire,
    credentials,
    domain,
    providers,
    vault,
)
from services.provider_gateway.api import desk
from services.provider_gateway.providers import registry

log = logging.getLogger(__name__)

_CHECK_S = 10.0


class Keys(desk.Desk):
    """The verbs of Credential."""

    async def CreateCredential(
        self, request: provider_gateway_service_pb2.CreateCredentialRequest, context: desk.Context
    ) -> provider_gateway_service_pb2.CreateCredentialResponse:
        """Encrypt and keep. What tells a repeat from another request is keyed, so that nobody can guess keys by it."""
        tenant_id, now = auth.caller().tenant_id, self.clock()
        self.check_endpoint(request.endpoint)
        credential_wire.check_create(request, self._terms(request.endpoint))
        said = request.SerializeToString(deterministic=True)
        secrets = vault.Secrets(vault.Secret(credentials.one_line(request.key)), vault.Secret(request.webhook_secret))
        new = credentials.sealed(credential_wire.new(request, tenant_id, now), secrets, self.vault)
        fingerprint = self.vault.fingerprint(said)
        async with self.database.tenant(tenant_id) as conn:
            before = await credential_store.insert_once(conn, new, request.request_id, fingerprint)
            if not before:
                await _note(conn, "credential_created", new)
        if before and not self.vault.matches(before.fingerprint, said):
            raise domain.RequestIdReused(request_id=request.request_id)
        if before and before.credential.state is credentials.State.DELETED:
            raise credentials.CredentialNotFound(credential_id=before.credential.id)
        if before:
            rpc.replayed()
        message = credential_wire.message(before.credential if before else new)
        return provider_gateway_service_pb2.CreateCredentialResponse(credential=message)

    async def GetCredential(
        self, request: provider_gateway_service_pb2.GetCredentialRequest, context: desk.Context
    ) -> provider_gateway_service_pb2.GetCredentialResponse:
        """Everything but the key."""
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            found = await credential_store.get(conn, tenant_id, request.credential_id)
        return provider_gateway_service_pb2.GetCredentialResponse(credential=credential_wire.message(found))

    async def ListCredentials(
        self, request: provider_gateway_service_pb2.ListCredentialsRequest, context: desk.Context
    ) -> provider_gateway_service_pb2.ListCredentialsResponse:
        """Newest first."""
        page = paging.by_id(request.page_size, request.page_token, f"credentials {request.endpoint}")
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            found = await credential_store.page(conn, tenant_id, request.endpoint, page.below, page.most)
        shown, more = page.cut(found)
        messages = map(credential_wire.message, shown)
        return provider_gateway_service_pb2.ListCredentialsResponse(credentials=messages, next_page_token=more)

    async def UpdateCredential(
        self, request: provider_gateway_service_pb2.UpdateCredentialRequest, context: desk.Context
    ) -> provider_gateway_service_pb2.UpdateCredentialResponse:
        """The key stays, and stays with its server."""
        tenant_id, wanted = auth.caller().tenant_id, request.credential
        async with self.database.tenant(tenant_id) as conn:
            before = await credential_store.get(conn, tenant_id, wanted.id)
            credentials.check_etag(before, wanted.etag)
            changes = credential_wire.changes(before, request, self._terms(before.endpoint))
            after = await credential_store.save(conn, before, dataclasses.replace(before, **changes))
            await _note(conn, "credential_changed", after, fields=" ".join(sorted(changes)))
        return provider_gateway_service_pb2.UpdateCredentialResponse(credential=credential_wire.message(after))

    async def RotateCredential(
        self, request: provider_gateway_service_pb2.RotateCredentialRequest, context: desk.Context
    ) -> provider_gateway_service_pb2.RotateCredentialResponse:
        """A new key under a new data key; the old one is gone from the row."""
        tenant_id = auth.caller().tenant_id
        credential_wire.check_rotate(request)
        webhook_secret = vault.Secret(request.webhook_secret)
        async with self.database.tenant(tenant_id) as conn:
            before = await credential_store.get(conn, tenant_id, request.credential_id)
            credentials.check_etag(before, request.etag)
            if not webhook_secret and before.has_webhook_secret and before.sealed:
                webhook_secret = self.vault.open(before.sealed, before.facts).webhook_secret
            secrets = vault.Secrets(vault.Secret(credentials.one_line(request.key)), webhook_secret)
            after = credentials.sealed(credentials.rotated(before, self.clock()), secrets, self.vault)
            after = await credential_store.save(conn, before, after)
            await _note(conn, "credential_rotated", after, key_version=after.key_version)
        return provider_gateway_service_pb2.RotateCredentialResponse(credential=credential_wire.message(after))

    async def VerifyCredential(
        self, request: provider_gateway_service_pb2.VerifyCredentialRequest, context: desk.Context
    ) -> provider_gateway_service_pb2.VerifyCredentialResponse:
        """Ask outside of any transaction; the answer counts for the key that was asked about."""
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            before = await credential_store.get(conn, tenant_id, request.credential_id)
        refusal = await self._refusal(before)
        async with self.database.tenant(tenant_id) as conn:
            await credential_store.note_word(conn, before, refusal, self.clock())
            after = await credential_store.get(conn, tenant_id, before.id)
            if refusal:
                await _note(conn, "credential_refused", before)
        return provider_gateway_service_pb2.VerifyCredentialResponse(credential=credential_wire.message(after))

    async def DeleteCredential(
        self, request: provider_gateway_service_pb2.DeleteCredentialRequest, context: desk.Context
    ) -> provider_gateway_service_pb2.DeleteCredentialResponse:
        """Destroy it, unless it is still needed to fetch what it has bought."""
        tenant_id = auth.caller().tenant_id
        async with self.database.tenant(tenant_id) as conn:
            before = await credential_store.get(conn, tenant_id, request.credential_id, lock=True)
            if under_way := await credential_store.under_way(conn, before.id):
                raise credentials.CredentialInUse(credential_id=before.id, under_way=under_way)
            await credential_store.save(conn, before, credentials.deleted(before, self.clock()))
            await _note(conn, "credential_destroyed", before)
        return provider_gateway_service_pb2.DeleteCredentialResponse()

    def _terms(self, endpoint: str) -> credential_wire.Terms:
        known = self.offer.endpoints.get(endpoint)  # which a new catalogue may have dropped
        needs = registry.needs(known.dialect) if known else ()
        return credential_wire.Terms(self.keyring.home(endpoint), self.keyring.private, needs)

    async def _refusal(self, of: credentials.Credential) -> str:
        """Why the provider refuses the key; empty when it takes it. Raises ProviderUnreachable, VaultLocked."""
        provider = self.keyring.open(of)
        try:
            async with asyncio.timeout(_CHECK_S):
                await provider.check()
        except providers.KeyRefused as fault:
            return str(fault)
        except TimeoutError:
            raise credentials.ProviderUnreachable(credential_id=of.id, why="it does not answer") from None
        except providers.ProviderAway as fault:
            raise credentials.ProviderUnreachable(credential_id=of.id, why=fault) from None
        finally:
            await provider.close()
        return ""


async def _note(conn: AsyncConnection, action: str, of: credentials.Credential, **facts: str | int) -> None:
    """Who did what to a key, for whoever asks at night, and whoever asks in a year."""
    who = {"tenant_id": of.tenant_id, "by": auth.caller().subject}
    log.info(action, extra={"credential_id": of.id, "endpoint": of.endpoint, **who, **facts})
    await audit.note(conn, of.tenant_id, action, of.id, endpoint=of.endpoint, **facts)
