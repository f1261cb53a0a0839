"""Tenants' keys for endpoints, encrypted before they come here."""

from libs import migrate

revision = "0004"
down_revision = "0003"

TABLES = """
CREATE TABLE credentials (
  id text PRIMARY KEY CHECK (id LIKE 'cred\\_%'),
  tenant_id text NOT NULL CHECK (tenant_id <> ''),
  endpoint text NOT NULL CHECK (endpoint <> ''),
  name text NOT NULL CHECK (name <> ''),
  base_url text NOT NULL,
  settings jsonb NOT NULL,
  per_minute integer NOT NULL CHECK (per_minute >= 0),
  most_at_once integer NOT NULL CHECK (most_at_once >= 0),
  state text NOT NULL CHECK (state IN ('ENABLED', 'DISABLED', 'DELETED')),
  version bigint NOT NULL,
  key_version integer NOT NULL CHECK (key_version > 0),
  key_hint text NOT NULL CHECK (length(key_hint) <= 4),
  has_webhook_secret boolean NOT NULL,
  kek_id text,
  wrapped_key bytea,
  ciphertext bytea,
  request_id text NOT NULL CHECK (request_id <> ''),
  request_fingerprint text NOT NULL,
  created_at timestamptz NOT NULL,
  rotated_at timestamptz NOT NULL,
  deleted_at timestamptz,
  verified_at timestamptz,
  used_at timestamptz,
  refused_at timestamptz,
  refusal text NOT NULL,
  UNIQUE (tenant_id, request_id),
  -- A deleted key is destroyed, and nothing brings it back.
  CONSTRAINT sealed_or_deleted CHECK (
    num_nonnulls(kek_id, wrapped_key, ciphertext) = CASE state WHEN 'DELETED' THEN 0 ELSE 3 END
  )
);
CREATE UNIQUE INDEX one_name ON credentials (tenant_id, endpoint, name) WHERE state <> 'DELETED';
-- What is left to wrap anew after a key-encryption key was replaced.
CREATE INDEX credentials_by_kek ON credentials (kek_id, id) WHERE kek_id IS NOT NULL;
"""


def upgrade() -> None:
    """Make the table."""
    migrate.run_sql(TABLES)
    migrate.guard_tenants("credentials")
