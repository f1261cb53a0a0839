"""What replicas share of the traffic with each account: breaker, rate, and how its calls went lately."""

from libs import migrate

revision = "0005"
down_revision = "0004"

TABLES = """
CREATE TABLE accounts (
  name text PRIMARY KEY CHECK (name <> ''),
  breaker text NOT NULL CHECK (breaker IN ('CLOSED', 'OPEN', 'HALF_OPEN')),
  reason text NOT NULL,
  probe_at timestamptz,
  opened integer NOT NULL CHECK (opened >= 0),
  tat timestamptz,
  -- What is held back has a time at which it is tried again.
  CONSTRAINT open_has_probe CHECK ((breaker = 'CLOSED') = (probe_at IS NULL))
);
CREATE TABLE account_calls (
  account text NOT NULL,
  operation text NOT NULL,
  slot timestamptz NOT NULL,
  well bigint NOT NULL,
  badly bigint NOT NULL,
  PRIMARY KEY (account, operation, slot)
);
"""


def upgrade() -> None:
    """Make the tables."""
    migrate.run_sql(TABLES)
