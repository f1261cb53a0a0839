"""What happened to each job, change by change."""

from libs import migrate

revision = "0006"
down_revision = "0005"

LOG = """
CREATE TABLE job_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  job_id text NOT NULL,
  tenant_id text NOT NULL CHECK (tenant_id <> ''),
  version bigint NOT NULL,
  at timestamptz NOT NULL,
  state_before text NOT NULL,
  state text NOT NULL,
  hold text NOT NULL,
  attempt integer NOT NULL,
  submission_state text NOT NULL,
  reason text NOT NULL
);
CREATE INDEX job_log_of_job ON job_log (job_id, id);

-- Changes alone: what a job began as is the state before the first of them, so creating jobs costs nothing more.
CREATE FUNCTION log_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO job_log (job_id, tenant_id, version, at, state_before, state, hold, attempt, submission_state, reason)
  SELECT n.id, n.tenant_id, n.changed_in, n.updated_at, o.state, n.state, n.hold, n.attempt, n.submission_state,
    coalesce(n.fault ->> 'reason', n.parked ->> 'reason', '')
  FROM new_rows n JOIN old_rows o ON o.id = n.id
  WHERE (o.state, o.hold, o.attempt, o.submission_state, o.fault ->> 'reason', o.parked ->> 'reason')
    IS DISTINCT FROM (n.state, n.hold, n.attempt, n.submission_state, n.fault ->> 'reason', n.parked ->> 'reason')
  ORDER BY n.id;
  RETURN NULL;
END $$;
CREATE TRIGGER log_on_update AFTER UPDATE ON jobs REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION log_jobs();

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is only added to', TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE ON job_log FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    """Add the table, and what fills it."""
    migrate.run_sql(LOG)
    migrate.guard_tenants("job_log")
