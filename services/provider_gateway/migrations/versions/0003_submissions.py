"""Submissions that wait for money, what is learned about lost ones, wishes to cancel, and the fair order of tenants."""

from libs import migrate

revision = "0003"
down_revision = "0002"

TABLES = """
ALTER TABLE submissions
  ADD COLUMN account text NOT NULL DEFAULT '',
  ADD COLUMN budgets text[] NOT NULL DEFAULT '{}',
  ADD COLUMN turn bigint NOT NULL DEFAULT 0,
  ADD COLUMN likeness text NOT NULL DEFAULT '',
  ADD COLUMN answered_at timestamptz,
  ADD COLUMN cancel_wanted_at timestamptz,
  ADD COLUMN cancel_tried_at timestamptz;
UPDATE submissions s SET account = 'endpoint:' || s.endpoint, budgets = ARRAY(
  SELECT b.id FROM budgets b
  WHERE b.tenant_id = s.tenant_id AND b.currency = s.currency AND b.scope = 'TENANT' AND b.period = 'EVER'
);

-- Nobody holds it and nothing can be sent for it: PARKED is as active as INTENT.
DROP INDEX one_active;
CREATE UNIQUE INDEX one_active ON submissions (job_id)
  WHERE state IN ('PARKED', 'INTENT', 'SENDING', 'UNKNOWN', 'ACCEPTED', 'PROVIDER_DONE', 'FETCHING');
DROP INDEX one_provider_id;
CREATE UNIQUE INDEX one_provider_id ON submissions (account, provider_job_id) WHERE provider_job_id IS NOT NULL;
DROP INDEX submissions_due;
CREATE INDEX submissions_due ON submissions (clip_expires_at, next_action_at)
  WHERE next_action_at IS NOT NULL AND state NOT IN ('PARKED', 'INTENT');
-- What waits to be sent, by account, in the fair order; and how far that order has come.
CREATE INDEX submissions_waiting ON submissions (account, turn) WHERE state = 'INTENT';
CREATE INDEX submissions_of_turns ON submissions (account, tenant_id, turn) WHERE state = 'INTENT';
CREATE INDEX submissions_served ON submissions (account, turn) WHERE state NOT IN ('PARKED', 'INTENT');
CREATE INDEX submissions_stale ON submissions (created_at) WHERE state = 'INTENT';
CREATE INDEX submissions_parked ON submissions (next_action_at) WHERE state = 'PARKED';
CREATE INDEX submissions_under_way ON submissions (account) WHERE state IN ('SENDING', 'UNKNOWN', 'ACCEPTED');

-- What was learned about a call, by whoever learned it: a worker that has lost its lease still writes it down here.
CREATE TABLE evidence (
  id text PRIMARY KEY CHECK (id LIKE 'evd\\_%'),
  submission_id text NOT NULL REFERENCES submissions (id),
  tenant_id text NOT NULL CHECK (tenant_id <> ''),
  kind text NOT NULL CHECK (kind IN ('ANSWER', 'FOUND', 'NOT_FOUND', 'AMBIGUOUS', 'CALLBACK', 'PERSON')),
  provider_job_id text NOT NULL,
  note text NOT NULL,
  at timestamptz NOT NULL
);
CREATE INDEX evidence_of_submission ON evidence (submission_id, id);

-- Callbacks that were heard: each once, however often the provider repeats it.
CREATE TABLE callbacks (
  account text NOT NULL,
  event_id text NOT NULL CHECK (event_id <> ''),
  tenant_id text NOT NULL CHECK (tenant_id <> ''),
  submission_id text NOT NULL,
  heard_at timestamptz NOT NULL,
  PRIMARY KEY (account, event_id)
);

CREATE TRIGGER only_added BEFORE UPDATE OR DELETE ON evidence FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE ON submission_log FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE OR REPLACE FUNCTION check_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state = OLD.state THEN
    IF OLD.state IN ('STORED', 'CLIP_EXPIRED', 'REJECTED', 'ABSENT', 'PROVIDER_FAILED', 'CANCELED_FREE')
       AND NEW IS DISTINCT FROM OLD THEN
      RAISE EXCEPTION 'a submission that is % does not change', OLD.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF (OLD.state, NEW.state) NOT IN (
    ('PARKED', 'INTENT'), ('PARKED', 'REJECTED'), ('PARKED', 'CANCELED_FREE'),
    ('INTENT', 'SENDING'), ('INTENT', 'REJECTED'), ('INTENT', 'CANCELED_FREE'),
    ('SENDING', 'INTENT'), ('SENDING', 'ACCEPTED'), ('SENDING', 'REJECTED'), ('SENDING', 'UNKNOWN'),
    ('UNKNOWN', 'ACCEPTED'), ('UNKNOWN', 'REJECTED'), ('UNKNOWN', 'ABSENT'), ('UNKNOWN', 'UNRESOLVED'),
    ('UNKNOWN', 'PROVIDER_FAILED'),
    ('UNRESOLVED', 'ACCEPTED'), ('UNRESOLVED', 'ABSENT'), ('UNRESOLVED', 'PROVIDER_FAILED'),
    ('ACCEPTED', 'PROVIDER_DONE'), ('ACCEPTED', 'PROVIDER_FAILED'), ('ACCEPTED', 'UNKNOWN'),
    ('PROVIDER_DONE', 'FETCHING'),
    ('FETCHING', 'PROVIDER_DONE'), ('FETCHING', 'STORED'), ('FETCHING', 'CLIP_EXPIRED'),
    ('CLIP_EXPIRED', 'PROVIDER_DONE')
  ) THEN
    RAISE EXCEPTION 'a submission cannot go from % to %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
  END IF;
  NEW.version := OLD.version + 1;
  INSERT INTO submission_log (submission_id, version, tenant_id, state)
    VALUES (NEW.id, NEW.version, NEW.tenant_id, NEW.state);
  RETURN NEW;
END $$;
-- Every update, not only those of the state: a final row is never touched again.
DROP TRIGGER transitions ON submissions;
CREATE TRIGGER transitions BEFORE UPDATE ON submissions FOR EACH ROW EXECUTE FUNCTION check_transition();
"""


def upgrade() -> None:
    """Widen the tables."""
    migrate.run_sql(TABLES)
    migrate.guard_tenants("evidence", "callbacks")
