"""The tables of productions, jobs, takes, and the places that takes fill."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

METADATA = sa.MetaData()
_TIME = sa.DateTime(timezone=True)

PRODUCTIONS = sa.Table(
    "productions",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("request_digest", sa.LargeBinary, nullable=False),
    sa.Column("storyboard_id", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("quote_id", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("most_micros", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("auto_pick", sa.Text, nullable=False),
    sa.Column("approved_by", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("changed_at", sa.BigInteger, nullable=False),
    sa.Column("film_id", sa.Text, nullable=False),
    sa.Column("film_progress", sa.Float),
    sa.Column("fault", pg.JSONB(none_as_null=True)),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("updated_at", _TIME, nullable=False),
    sa.Column("ended_at", _TIME),
)

JOBS = sa.Table(
    "jobs",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("production_id", sa.Text, nullable=False),
    sa.Column("scene_id", sa.Text, nullable=False),
    sa.Column("scene_number", sa.Integer, nullable=False),
    sa.Column("scene_title", sa.Text, nullable=False),
    sa.Column("seam", sa.Integer, nullable=False),
    sa.Column("spec", sa.LargeBinary, nullable=False),
    sa.Column("waits_for", sa.Text),
    sa.Column("last_frame_wanted", sa.Boolean, nullable=False),
    sa.Column("first_frame", pg.JSONB(none_as_null=True)),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("quoted_micros", sa.BigInteger, nullable=False),
    sa.Column("cost_micros", sa.BigInteger),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("hold", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("take_number", sa.Integer, nullable=False),
    sa.Column("storyboard_id", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("last_frame", pg.JSONB(none_as_null=True)),
    sa.Column("input_take_id", sa.Text, nullable=False),
    sa.Column("submission_id", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("accepted_at", _TIME),
    sa.Column("retries", sa.Text, nullable=False),
    sa.Column("submission_state", sa.Text, nullable=False),
    sa.Column("submission_version", sa.BigInteger, nullable=False),
    sa.Column("parked", pg.JSONB(none_as_null=True)),
    sa.Column("fault", pg.JSONB(none_as_null=True)),
    sa.Column("changed_in", sa.BigInteger, nullable=False),
    sa.Column("changed_at", sa.BigInteger, nullable=False),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("updated_at", _TIME, nullable=False),
    sa.Column("ended_at", _TIME),
)

TAKES = sa.Table(
    "takes",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("job_id", sa.Text, nullable=False),
    sa.Column("production_id", sa.Text, nullable=False),
    sa.Column("scene_id", sa.Text, nullable=False),
    sa.Column("clip", pg.JSONB, nullable=False),
    sa.Column("last_frame", pg.JSONB(none_as_null=True)),
    sa.Column("picked", sa.Boolean, nullable=False),
    sa.Column("created_at", _TIME, nullable=False),
    sa.Column("storyboard_id", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("opens_on", sa.Text, nullable=False),
    sa.Column("closes_on", sa.Text, nullable=False),
    sa.Column("input_take_id", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
)

SLOTS = sa.Table(
    "slots",
    METADATA,
    sa.Column("production_id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("scene_number", sa.Integer, primary_key=True),
    sa.Column("scene_id", sa.Text, nullable=False),
    sa.Column("scene_title", sa.Text, nullable=False),
    sa.Column("seam", sa.Integer, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("take_id", sa.Text),
    sa.Column("caption", sa.Text, nullable=False),
)

CHANGED_AT = sa.text("pg_current_xact_id()::text::bigint")
"""Which transaction changes a row: watches that follow many productions go on from there."""
