"""Productions, jobs and takes."""

from libs import migrate, outbox

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE productions (
  id text PRIMARY KEY CHECK (id LIKE 'prod\\_%'),
  tenant_id text NOT NULL CHECK (tenant_id <> ''),
  request_id text NOT NULL CHECK (request_id <> ''),
  request_digest bytea NOT NULL,
  storyboard_id text NOT NULL,
  revision integer NOT NULL CHECK (revision > 0),
  title text NOT NULL,
  quote_id text NOT NULL,
  currency text NOT NULL,
  most_micros bigint NOT NULL CHECK (most_micros >= 0),
  state text NOT NULL CHECK (state IN ('FILMING', 'COMPILING', 'SUCCEEDED', 'FAILED', 'CANCELING', 'CANCELED')),
  version bigint NOT NULL,
  film_id text NOT NULL,
  film_progress double precision,
  fault jsonb,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  ended_at timestamptz,
  UNIQUE (tenant_id, request_id),
  CONSTRAINT ended_if_final CHECK ((ended_at IS NOT NULL) = (state IN ('SUCCEEDED', 'FAILED', 'CANCELED')))
);
-- Lists page by id, which sorts by time.
CREATE INDEX productions_of_tenant ON productions (tenant_id, id DESC);

CREATE TABLE jobs (
  id text PRIMARY KEY CHECK (id LIKE 'job\\_%'),
  tenant_id text NOT NULL CHECK (tenant_id <> ''),
  production_id text NOT NULL REFERENCES productions (id),
  scene_id text NOT NULL,
  scene_number integer NOT NULL,
  scene_title text NOT NULL,
  seam integer NOT NULL,
  spec bytea NOT NULL,
  waits_for text REFERENCES jobs (id),
  last_frame_wanted boolean NOT NULL,
  first_frame jsonb,
  currency text NOT NULL,
  quoted_micros bigint NOT NULL CHECK (quoted_micros >= 0),
  cost_micros bigint CHECK (cost_micros >= 0),
  state text NOT NULL CHECK (state IN ('WAITING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELING', 'CANCELED')),
  attempt integer NOT NULL CHECK (attempt > 0),
  submission_state text NOT NULL,
  submission_version bigint NOT NULL,
  fault jsonb,
  changed_in bigint NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  ended_at timestamptz,
  CONSTRAINT ended_if_final CHECK ((ended_at IS NOT NULL) = (state IN ('SUCCEEDED', 'FAILED', 'CANCELED'))),
  CONSTRAINT fault_if_failed CHECK ((fault IS NOT NULL) OR state <> 'FAILED')
);
CREATE INDEX jobs_of_production ON jobs (production_id, scene_number);
CREATE INDEX jobs_of_tenant ON jobs (tenant_id, id DESC);
CREATE INDEX jobs_waiting ON jobs (waits_for) WHERE waits_for IS NOT NULL;

CREATE TABLE takes (
  id text PRIMARY KEY CHECK (id LIKE 'take\\_%'),
  tenant_id text NOT NULL CHECK (tenant_id <> ''),
  job_id text NOT NULL UNIQUE REFERENCES jobs (id),
  production_id text NOT NULL REFERENCES productions (id),
  scene_id text NOT NULL,
  clip jsonb NOT NULL,
  last_frame jsonb,
  picked boolean NOT NULL,
  created_at timestamptz NOT NULL
);
-- A scene has one place in the film, so one take of it is picked.
CREATE UNIQUE INDEX one_picked ON takes (production_id, scene_id) WHERE picked;

-- Final is final: whatever comes late, a finished job or production keeps its state.
CREATE FUNCTION keep_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.ended_at IS NOT NULL AND NEW.state <> OLD.state THEN
    RAISE EXCEPTION '% is final, not %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER final_is_final BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION keep_final();
CREATE TRIGGER final_is_final BEFORE UPDATE ON productions FOR EACH ROW EXECUTE FUNCTION keep_final();
"""


def upgrade() -> None:
    """Make the tables."""
    migrate.run_sql(TABLES)
    migrate.run_sql(outbox.DDL)
    migrate.guard_tenants("productions", "jobs", "takes")
