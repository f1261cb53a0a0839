"""Films."""

from libs import migrate, outbox

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE films (
  id text PRIMARY KEY CHECK (id LIKE 'film\\_%'),
  tenant_id text NOT NULL CHECK (tenant_id <> ''),
  request_id text NOT NULL CHECK (request_id <> ''),
  production_id text NOT NULL,
  edit_list bytea NOT NULL,
  state text NOT NULL CHECK (state IN ('QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELED')),
  version bigint NOT NULL CHECK (version > 0),
  attempts integer NOT NULL CHECK (attempts >= 0),
  progress double precision CHECK (progress BETWEEN 0 AND 1),
  result jsonb,
  fault jsonb,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  ended_at timestamptz,
  next_action_at timestamptz,
  lease_owner text,
  lease_epoch bigint NOT NULL DEFAULT 0,
  lease_until timestamptz,
  UNIQUE (tenant_id, request_id),
  CONSTRAINT ended_if_final CHECK ((ended_at IS NOT NULL) = (state IN ('COMPLETED', 'FAILED', 'CANCELED'))),
  -- What is not over has somebody who will look at it again.
  CONSTRAINT never_forgotten CHECK ((next_action_at IS NULL) = (ended_at IS NOT NULL)),
  CONSTRAINT result_if_completed CHECK ((result IS NOT NULL) = (state = 'COMPLETED')),
  CONSTRAINT fault_if_failed CHECK ((fault IS NOT NULL) = (state = 'FAILED'))
);
CREATE INDEX films_due ON films (next_action_at) WHERE next_action_at IS NOT NULL;
-- Lists page by id, which sorts by time.
CREATE INDEX films_of_tenant ON films (tenant_id, id DESC);
CREATE INDEX films_of_production ON films (tenant_id, production_id, id DESC);

-- Final is final: whatever comes late, a finished film keeps its state. Each change that can be seen is a version.
CREATE FUNCTION keep_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.ended_at IS NOT NULL AND NEW.state <> OLD.state THEN
    RAISE EXCEPTION '% is final, not %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
  END IF;
  IF (NEW.state, NEW.progress) IS DISTINCT FROM (OLD.state, OLD.progress) THEN
    NEW.version := OLD.version + 1;
  ELSE
    NEW.updated_at := OLD.updated_at; -- a lease was renewed: nobody can see that
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER final_is_final BEFORE UPDATE ON films FOR EACH ROW EXECUTE FUNCTION keep_final();
"""


def upgrade() -> None:
    """Make the tables."""
    migrate.run_sql(TABLES)
    migrate.run_sql(outbox.DDL)
    migrate.guard_tenants("films")
