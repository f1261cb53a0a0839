"""Quotes, budgets, the ledger and submissions, with their rules as constraints."""

from libs import migrate, outbox

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE quotes (
  id text PRIMARY KEY CHECK (id LIKE 'quote\\_%'),
  tenant_id text NOT NULL CHECK (tenant_id <> ''),
  request_id text NOT NULL CHECK (request_id <> ''),
  request_digest bytea NOT NULL,
  content bytea NOT NULL,
  created_at timestamptz NOT NULL,
  UNIQUE (tenant_id, request_id)
);

CREATE TABLE budgets (
  id text PRIMARY KEY CHECK (id LIKE 'budget\\_%'),
  tenant_id text NOT NULL CHECK (tenant_id <> ''),
  currency text NOT NULL CHECK (length(currency) = 3),
  limit_micros bigint NOT NULL CHECK (limit_micros >= 0),
  reserved_micros bigint NOT NULL CHECK (reserved_micros >= 0),
  spent_micros bigint NOT NULL CHECK (spent_micros >= 0),
  suspense_micros bigint NOT NULL CHECK (suspense_micros >= 0),
  UNIQUE (tenant_id, currency)
);

CREATE TABLE submissions (
  id text PRIMARY KEY CHECK (id LIKE 'sub\\_%' AND length(id) = 30),
  tenant_id text NOT NULL CHECK (tenant_id <> ''),
  job_id text NOT NULL CHECK (job_id <> ''),
  attempt integer NOT NULL CHECK (attempt > 0),
  production_id text NOT NULL,
  storyboard_id text NOT NULL,
  scene_id text NOT NULL,
  model text NOT NULL,
  endpoint text NOT NULL,
  wire_model text NOT NULL,
  spec bytea NOT NULL,
  last_frame_wanted boolean NOT NULL,
  traceparent text NOT NULL,
  currency text NOT NULL,
  reserved_micros bigint NOT NULL CHECK (reserved_micros >= 0),
  cost_micros bigint CHECK (cost_micros >= 0),
  state text NOT NULL,
  version bigint NOT NULL,
  tries integer NOT NULL,
  provider_job_id text CHECK (provider_job_id <> ''),
  clip jsonb,
  fault jsonb,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  sent_at timestamptz,
  clip_expires_at timestamptz,
  next_action_at timestamptz,
  lease_owner text,
  lease_epoch bigint NOT NULL DEFAULT 0,
  lease_until timestamptz,
  -- A job asks for one clip at a time, and each attempt is one submission for ever.
  CONSTRAINT one_attempt UNIQUE (job_id, attempt),
  -- What is not over has somebody who will look at it again.
  CONSTRAINT never_forgotten CHECK (
    next_action_at IS NOT NULL
    OR state IN ('STORED', 'CLIP_EXPIRED', 'REJECTED', 'ABSENT', 'PROVIDER_FAILED', 'CANCELED_FREE')
  ),
  CONSTRAINT stored_has_clip CHECK (state <> 'STORED' OR clip IS NOT NULL),
  CONSTRAINT accepted_has_id CHECK (
    provider_job_id IS NOT NULL OR state NOT IN ('ACCEPTED', 'PROVIDER_DONE', 'FETCHING', 'STORED')
  )
);
CREATE UNIQUE INDEX one_active ON submissions (job_id)
  WHERE state IN ('INTENT', 'SENDING', 'UNKNOWN', 'ACCEPTED', 'PROVIDER_DONE', 'FETCHING');
CREATE UNIQUE INDEX one_provider_id ON submissions (endpoint, provider_job_id) WHERE provider_job_id IS NOT NULL;
-- In the order in which they are claimed, so that a claim reads as many rows as it takes.
CREATE INDEX submissions_due ON submissions (clip_expires_at, next_action_at) WHERE next_action_at IS NOT NULL;
CREATE INDEX submissions_of_tenant ON submissions (tenant_id, id DESC);

-- Jobs whose cancel was heard: events come in no promised order, and an order that comes after it must not be bought.
CREATE TABLE cancellations (
  job_id text PRIMARY KEY,
  tenant_id text NOT NULL CHECK (tenant_id <> ''),
  heard_at timestamptz NOT NULL
);

-- Every change of state, for ever.
CREATE TABLE submission_log (
  submission_id text NOT NULL,
  version bigint NOT NULL,
  tenant_id text NOT NULL,
  state text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (submission_id, version)
);

CREATE FUNCTION check_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state = OLD.state THEN
    RETURN NEW;
  END IF;
  IF (OLD.state, NEW.state) NOT IN (
    ('INTENT', 'SENDING'), ('INTENT', 'CANCELED_FREE'),
    ('SENDING', 'INTENT'), ('SENDING', 'ACCEPTED'), ('SENDING', 'REJECTED'), ('SENDING', 'UNKNOWN'),
    ('UNKNOWN', 'ACCEPTED'), ('UNKNOWN', 'REJECTED'), ('UNKNOWN', 'ABSENT'), ('UNKNOWN', 'UNRESOLVED'),
    ('UNRESOLVED', 'ACCEPTED'), ('UNRESOLVED', 'ABSENT'),
    ('ACCEPTED', 'PROVIDER_DONE'), ('ACCEPTED', 'PROVIDER_FAILED'), ('ACCEPTED', 'UNKNOWN'),
    ('PROVIDER_DONE', 'FETCHING'),
    ('FETCHING', 'PROVIDER_DONE'), ('FETCHING', 'STORED'), ('FETCHING', 'CLIP_EXPIRED')
  ) THEN
    RAISE EXCEPTION 'a submission cannot go from % to %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
  END IF;
  NEW.version := OLD.version + 1;
  INSERT INTO submission_log (submission_id, version, tenant_id, state)
    VALUES (NEW.id, NEW.version, NEW.tenant_id, NEW.state);
  RETURN NEW;
END $$;
CREATE TRIGGER transitions BEFORE UPDATE OF state ON submissions FOR EACH ROW EXECUTE FUNCTION check_transition();

-- Double entry: what leaves one account enters another. Rows are only ever added.
CREATE TABLE ledger (
  id text PRIMARY KEY,
  tenant_id text NOT NULL,
  currency text NOT NULL,
  submission_id text NOT NULL REFERENCES submissions (id),
  kind text NOT NULL CHECK (kind IN ('reserve', 'commit', 'release', 'suspend')),
  available bigint NOT NULL,
  reserved bigint NOT NULL,
  spent bigint NOT NULL,
  suspense bigint NOT NULL,
  at timestamptz NOT NULL,
  CONSTRAINT balanced CHECK (available + reserved + spent + suspense = 0)
);
CREATE UNIQUE INDEX resolved_once ON ledger (submission_id) WHERE kind IN ('commit', 'release');
CREATE INDEX ledger_of_tenant ON ledger (tenant_id, id);
"""


def upgrade() -> None:
    """Make the tables."""
    migrate.run_sql(TABLES)
    migrate.run_sql(outbox.DDL)
    migrate.guard_tenants("quotes", "budgets", "submissions", "cancellations", "submission_log", "ledger")
