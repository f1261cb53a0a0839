"""Whether callers may still give and take access: what the tables say now, and not what was known half a minute ago."""

from sqlalchemy.ext.asyncio import AsyncConnection

from libs import auth
from libs.rpc import access
from services.storyboard import people, people_store, session_store, sessions, tokens


async def check_owner(conn: AsyncConnection, caller: auth.Caller) -> None:
    """They stay one until the transaction ends. Raises WholeTokenNeeded, PersonRemoved, RoleMissing or TokenInvalid."""
    tokens.check_maker(caller.subject, caller.scopes is not None)
    known = await people_store.share(conn, caller.tenant_id, caller.subject)
    if known and known.removed_at:
        raise people.PersonRemoved
    if access.OWNER not in await _roles(conn, caller, known):
        raise access.RoleMissing(role=access.OWNER)


async def _roles(conn: AsyncConnection, caller: auth.Caller, known: people.Person | None) -> tuple[str, ...]:
    if not caller.token.startswith(sessions.PREFIX):
        return people.roles_now(known.given if known else None, caller.roles)
    session = await session_store.find(conn, tokens.digest(caller.token))
    if session is None or session.ended_at:
        raise auth.TokenInvalid(why="its session was ended")
    return session.roles
