"""Where the database is, so that a restored copy of it is known as one; and since when an order may have been sent."""

from libs import migrate

revision = "0009"
down_revision = "0008"

TABLES = """
ALTER TABLE submissions ADD COLUMN doubted_from timestamptz;

-- Where these rows were written last. A copy that is restored brings the row along, and is somewhere else.
CREATE TABLE whereabouts (
  "only" boolean PRIMARY KEY DEFAULT true CHECK ("only"),
  place text NOT NULL CHECK (place <> ''),
  restored_at timestamptz
);

-- The cluster, the timeline it writes on, the database and the table: a dump that is loaded makes another table, a
-- cluster that is brought back to an earlier moment or a standby that takes over begins a timeline of its own.
CREATE FUNCTION database_place() RETURNS text LANGUAGE sql STABLE AS $$
  SELECT concat_ws('/',
    (SELECT system_identifier FROM pg_control_system()),
    left(pg_walfile_name(pg_current_wal_lsn()), 8),
    (SELECT oid FROM pg_database WHERE datname = current_database()),
    'public.submissions'::regclass::oid)
$$;
"""


def upgrade() -> None:
    """Widen the table, and make the others."""
    migrate.run_sql(TABLES)
