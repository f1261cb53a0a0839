"""Films in other forms."""

from libs import migrate

revision = "0004"
down_revision = "0003"

TABLES = """
CREATE TABLE exports (
  film_id text NOT NULL REFERENCES films,
  format text NOT NULL CHECK (format IN ('HLS', 'SCENES', 'OTIO', 'FCPXML', 'EDL', 'CSV')),
  tenant_id text NOT NULL CHECK (tenant_id <> ''),
  state text NOT NULL CHECK (state IN ('QUEUED', 'RUNNING', 'COMPLETED', 'FAILED')),
  attempts integer NOT NULL CHECK (attempts >= 0),
  progress double precision CHECK (progress BETWEEN 0 AND 1),
  media jsonb,
  fault jsonb,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  ended_at timestamptz,
  next_action_at timestamptz,
  lease_owner text,
  lease_epoch bigint NOT NULL DEFAULT 0,
  lease_until timestamptz,
  PRIMARY KEY (film_id, format),
  CONSTRAINT ended_if_final CHECK ((ended_at IS NOT NULL) = (state IN ('COMPLETED', 'FAILED'))),
  CONSTRAINT never_forgotten CHECK ((next_action_at IS NULL) = (ended_at IS NOT NULL)),
  CONSTRAINT media_if_completed CHECK ((media IS NOT NULL) = (state = 'COMPLETED')),
  CONSTRAINT fault_if_failed CHECK ((fault IS NOT NULL) = (state = 'FAILED'))
);
CREATE INDEX exports_due ON exports (next_action_at) WHERE next_action_at IS NOT NULL;
"""


def upgrade() -> None:
    """Make the table."""
    migrate.run_sql(TABLES)
    migrate.guard_tenants("exports")
