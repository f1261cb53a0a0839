"""Budgets of every scope and period, switches that stop buying, and records of money that nobody can change."""

from libs import migrate

revision = "0002"
down_revision = "0001"

TABLES = """
-- A row is a wall for one period; the next period's row begins as a copy of its limit with empty counters.
ALTER TABLE budgets
  ADD COLUMN scope text NOT NULL DEFAULT 'TENANT' CHECK (scope IN ('TENANT', 'STORYBOARD', 'PRODUCTION', 'CREDENTIAL')),
  ADD COLUMN scope_id text NOT NULL DEFAULT '',
  ADD COLUMN period text NOT NULL DEFAULT 'EVER' CHECK (period IN ('EVER', 'DAY', 'MONTH')),
  ADD COLUMN period_id text NOT NULL DEFAULT '',
  ADD CONSTRAINT scope_has_id CHECK ((scope = 'TENANT') = (scope_id = '')),
  ADD CONSTRAINT period_has_id CHECK ((period = 'EVER') = (period_id = '')),
  DROP CONSTRAINT budgets_tenant_id_currency_key,
  ADD CONSTRAINT one_wall UNIQUE (tenant_id, currency, scope_id, scope, period, period_id);

-- Whoever throws one stops buying at the next order; a released one stays, for the record.
CREATE TABLE switches (
  id text PRIMARY KEY CHECK (id LIKE 'switch\\_%'),
  tenant_id text NOT NULL CHECK (tenant_id <> ''),
  scope text NOT NULL CHECK (scope IN ('HOUSE', 'TENANT', 'ENDPOINT', 'MODEL')),
  target text NOT NULL,
  reason text NOT NULL CHECK (reason <> ''),
  thrown_by text NOT NULL CHECK (thrown_by <> ''),
  thrown_at timestamptz NOT NULL,
  released_by text,
  released_at timestamptz,
  CONSTRAINT house_is_everyone CHECK ((scope = 'HOUSE') = (tenant_id = '*')),
  CONSTRAINT scope_has_target CHECK ((scope IN ('HOUSE', 'TENANT')) = (target = '')),
  CONSTRAINT released_by_somebody CHECK ((released_at IS NULL) = (released_by IS NULL))
);
CREATE UNIQUE INDEX thrown_once ON switches (tenant_id, scope, target) WHERE released_at IS NULL;
CREATE INDEX switches_released ON switches (tenant_id, released_at) WHERE thrown_by = 'brake';

-- A reservation and its line are one statement of the law: the line may be written before the submission.
ALTER TABLE ledger ALTER CONSTRAINT ledger_submission_id_fkey DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX ledger_of_submission ON ledger (submission_id);
CREATE INDEX ledger_pace ON ledger (tenant_id, at) WHERE kind = 'reserve' AND currency <> 'XTS';
CREATE INDEX submissions_at_stake ON submissions (tenant_id) WHERE state IN ('PARKED', 'UNKNOWN', 'UNRESOLVED');
CREATE INDEX ledger_over_quote ON ledger (tenant_id, currency) WHERE kind = 'commit' AND available < 0;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE ON quotes FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

EVERYONE_SEES_THE_HOUSE_S = "CREATE POLICY house ON switches FOR SELECT USING (tenant_id = '*')"


def upgrade() -> None:
    """Widen the tables."""
    migrate.run_sql(TABLES)
    migrate.guard_tenants("switches")
    migrate.run_sql(EVERYONE_SEES_THE_HOUSE_S)
