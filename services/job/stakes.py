"""What hangs on an event that the job service could not handle, by its own books."""

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncConnection

from libs import db, dead_letters
from services.job import store, tables


async def of(conn: AsyncConnection, event: Message) -> dead_letters.Stake | None:
    """What the job was charged, or was quoted; for a film, what all its jobs were charged."""
    if job := (await store.jobs_by_id(conn, [getattr(event, "job_id", "")])).get(getattr(event, "job_id", "")):
        micros = job.quoted_micros if job.cost_micros is None else job.cost_micros
        return dead_letters.Stake(job.currency, micros)
    jobs = await store.read_jobs(conn, db.one_of(tables.JOBS.c.production_id, [getattr(event, "production_id", "")]))
    spent = sum(job.cost_micros or 0 for job in jobs)
    return dead_letters.Stake(jobs[0].currency, spent) if jobs else None
