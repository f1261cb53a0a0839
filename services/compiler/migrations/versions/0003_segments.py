"""Films are made of pieces, which are made once and kept; clips are looked into once."""

from libs import migrate

revision = "0003"
down_revision = "0002"

TABLES = """
ALTER TABLE films
  ADD COLUMN seconds_left double precision CHECK (seconds_left >= 0),
  ADD COLUMN address text NOT NULL DEFAULT '',
  ADD COLUMN steps bigint NOT NULL DEFAULT 0 CHECK (steps >= 0),
  ADD COLUMN work jsonb,
  ADD COLUMN planned_at timestamptz;
-- A film whose recipe was made before is that film.
CREATE INDEX films_alike ON films (tenant_id, address, id DESC) WHERE state = 'COMPLETED';

CREATE TABLE segments (
  tenant_id text NOT NULL CHECK (tenant_id <> ''),
  address text NOT NULL CHECK (address ~ '^[0-9a-f]{64}$'),
  kind text NOT NULL CHECK (kind IN ('House', 'Render', 'Sound')),
  recipe text NOT NULL,
  needs text[] NOT NULL,
  steps bigint NOT NULL CHECK (steps >= 0),
  state text NOT NULL CHECK (state IN ('WAITING', 'RUNNING', 'DONE', 'FAILED')),
  share double precision NOT NULL DEFAULT 0 CHECK (share BETWEEN 0 AND 1),
  size_bytes bigint NOT NULL DEFAULT 0 CHECK (size_bytes >= 0),
  attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  seconds double precision,
  fault jsonb,
  used_at timestamptz NOT NULL DEFAULT now(),
  made_at timestamptz,
  next_action_at timestamptz,
  lease_owner text,
  lease_epoch bigint NOT NULL DEFAULT 0,
  lease_until timestamptz,
  PRIMARY KEY (tenant_id, address),
  CONSTRAINT never_forgotten CHECK ((next_action_at IS NULL) = (state IN ('DONE', 'FAILED'))),
  CONSTRAINT fault_if_failed CHECK ((fault IS NOT NULL) = (state = 'FAILED')),
  CONSTRAINT made_if_done CHECK ((made_at IS NOT NULL) = (state = 'DONE'))
);
CREATE INDEX segments_due ON segments (next_action_at) WHERE next_action_at IS NOT NULL;
CREATE INDEX segments_by_use ON segments (tenant_id, used_at);

CREATE TABLE film_segments (
  film_id text NOT NULL REFERENCES films,
  address text NOT NULL,
  tenant_id text NOT NULL,
  reused boolean NOT NULL,
  PRIMARY KEY (film_id, address),
  -- What a film still needs cannot be evicted, whatever the code thinks.
  FOREIGN KEY (tenant_id, address) REFERENCES segments
);
CREATE INDEX film_segments_of ON film_segments (tenant_id, address);

CREATE TABLE clips (
  tenant_id text NOT NULL CHECK (tenant_id <> ''),
  key text NOT NULL,
  digest text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
  facts text,
  heard boolean NOT NULL,
  PRIMARY KEY (tenant_id, key)
);
CREATE INDEX clips_by_digest ON clips (tenant_id, digest);
"""


def upgrade() -> None:
    """Make the tables."""
    migrate.run_sql(TABLES)
    migrate.guard_tenants("segments", "film_segments", "clips")
