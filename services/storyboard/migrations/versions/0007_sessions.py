"""Browsers that are signed in, and tickets that sign one in; of their secrets only the hashes are kept."""

from libs import migrate

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the tables, and guard them."""
    migrate.run_sql("""
        CREATE TABLE sessions (
          id text PRIMARY KEY,
          tenant_id text NOT NULL,
          subject text NOT NULL,
          name text NOT NULL,
          roles text[] NOT NULL,
          created_at timestamptz NOT NULL,
          expires_at timestamptz NOT NULL,
          ended_at timestamptz,
          sha256 bytea NOT NULL UNIQUE
        );
        CREATE INDEX sessions_tenant ON sessions (tenant_id, id);
        CREATE INDEX sessions_expires_at ON sessions (expires_at);
        CREATE TABLE tickets (
          sha256 bytea PRIMARY KEY,
          tenant_id text NOT NULL,
          subject text NOT NULL,
          name text NOT NULL,
          roles text[] NOT NULL,
          expires_at timestamptz NOT NULL
        );
        CREATE INDEX tickets_expires_at ON tickets (expires_at);
    """)
    migrate.guard_tenants("sessions", "tickets")
