"""Storyboards, and every revision of them."""

from libs import migrate, outbox

revision = "0001"
down_revision = None

SCHEMA = """
CREATE TABLE storyboards (
  id text PRIMARY KEY,
  tenant_id text NOT NULL,
  name text NOT NULL,
  state text NOT NULL CHECK (state IN ('active', 'deleted')),
  revision integer NOT NULL CHECK (revision >= 1),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  deleted_at timestamptz,
  request_id uuid NOT NULL,
  request_digest text NOT NULL,
  UNIQUE (tenant_id, request_id),
  CHECK ((state = 'deleted') = (deleted_at IS NOT NULL))
);
CREATE INDEX storyboards_last_updated ON storyboards (tenant_id, updated_at DESC, id DESC);
CREATE INDEX storyboards_deleted ON storyboards (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE TABLE revisions (
  storyboard_id text NOT NULL REFERENCES storyboards ON DELETE CASCADE,
  number integer NOT NULL CHECK (number >= 1),
  tenant_id text NOT NULL,
  author text NOT NULL,
  origin text NOT NULL,
  name text NOT NULL,
  content jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (storyboard_id, number)
);
"""


def upgrade() -> None:
    """Make the tables, and guard those that belong to a tenant."""
    migrate.run_sql(SCHEMA + outbox.DDL)
    migrate.guard_tenants("storyboards", "revisions")
