"""API tokens, of which only the hash is kept."""

from libs import migrate

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table, and guard it."""
    migrate.run_sql("""
        CREATE TABLE api_tokens (
          id text PRIMARY KEY,
          tenant_id text NOT NULL,
          name text NOT NULL,
          role text NOT NULL CHECK (role IN ('viewer', 'editor', 'owner', 'service')),
          scopes text[] NOT NULL,
          created_by text NOT NULL,
          created_at timestamptz NOT NULL,
          expires_at timestamptz NOT NULL,
          revoked_at timestamptz,
          sha256 bytea NOT NULL UNIQUE,
          request_id uuid NOT NULL,
          UNIQUE (tenant_id, request_id)
        );
    """)
    migrate.guard_tenants("api_tokens")
