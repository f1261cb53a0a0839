"""Links that show films and takes to people outside."""

from libs import migrate

revision = "0008"
down_revision = "0007"

TABLES = """
CREATE TABLE shares (
  id text PRIMARY KEY CHECK (id LIKE 'share\\_%'),
  tenant_id text NOT NULL CHECK (tenant_id <> ''),
  request_id uuid NOT NULL,
  sha256 bytea NOT NULL UNIQUE,
  film_id text NOT NULL,
  take_id text NOT NULL,
  snapshot jsonb NOT NULL,
  hint text NOT NULL,
  salt bytea NOT NULL CHECK (length(salt) = 32),
  seal bytea,
  allow_download boolean NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  views bigint NOT NULL CHECK (views >= 0),
  viewed_at timestamptz,
  full_until timestamptz NOT NULL,
  UNIQUE (tenant_id, request_id),
  CONSTRAINT of_one_thing CHECK ((film_id = '') <> (take_id = '')),
  CONSTRAINT ends CHECK (expires_at > created_at AND expires_at <= created_at + interval '366 days')
);
-- Lists page by id, which sorts by time.
CREATE INDEX shares_of_tenant ON shares (tenant_id, id DESC);
CREATE INDEX shares_of_film ON shares (tenant_id, film_id, id DESC) WHERE film_id <> '';
CREATE INDEX shares_of_take ON shares (tenant_id, take_id, id DESC) WHERE take_id <> '';

-- What was shared stays as it was, and what was taken back stays taken back; only views and tries move.
CREATE FUNCTION share_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.sha256, NEW.snapshot, NEW.salt, NEW.seal, NEW.allow_download, NEW.expires_at)
    IS DISTINCT FROM (OLD.sha256, OLD.snapshot, OLD.salt, OLD.seal, OLD.allow_download, OLD.expires_at)
    OR (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at) THEN
    RAISE EXCEPTION 'a share stays as it was made' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER stays BEFORE UPDATE ON shares FOR EACH ROW EXECUTE FUNCTION share_stays();
"""


def upgrade() -> None:
    """Make the table, and guard it."""
    migrate.run_sql(TABLES)
    migrate.guard_tenants("shares")
