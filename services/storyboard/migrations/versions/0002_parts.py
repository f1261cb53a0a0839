"""Revisions are made of parts that they share; boards are found by their words, undone, and kept for guests."""

from libs import migrate

revision = "0002"
down_revision = "0001"

# Revisions of 0001 stay as they are, whole in `content`: the code opens both.
SCHEMA = """
CREATE TABLE parts (
  storyboard_id text NOT NULL REFERENCES storyboards ON DELETE CASCADE,
  digest uuid NOT NULL,
  tenant_id text NOT NULL,
  kind text NOT NULL,
  content jsonb NOT NULL,
  PRIMARY KEY (storyboard_id, digest)
);
ALTER TABLE revisions
  ALTER COLUMN content DROP NOT NULL,
  ADD COLUMN parts uuid[],
  ADD COLUMN same_as integer,
  ADD CHECK ((content IS NULL) <> (parts IS NULL)),
  ADD CHECK (same_as < number);
ALTER TABLE storyboards
  ADD COLUMN expires_at timestamptz,
  ADD COLUMN words tsvector;
CREATE INDEX storyboards_of_state ON storyboards (tenant_id, state, updated_at DESC, id DESC);
CREATE INDEX storyboards_expiring ON storyboards (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX storyboards_words ON storyboards USING gin (words);
CREATE INDEX storyboards_wordless ON storyboards (id) WHERE words IS NULL;
"""

# As the owner, for whom the policy of tenants does not stand between a query and the index of words (`@@` is not
# leakproof): so it names the tenant itself, the same that the policy asks for. Planned anew each time: whether to walk
# the newest boards or the index of words depends on how common the words are.
SEARCH = """
CREATE FUNCTION boards_with(
  wanted tsquery, of_state text, before_time timestamptz, before_id text, most integer
) RETURNS SETOF text LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
BEGIN
  RETURN QUERY SELECT s.id FROM storyboards s
    WHERE s.tenant_id = current_setting('rushes.tenant', true) AND s.words @@ wanted
      AND (of_state IS NULL OR s.state = of_state)
      AND (before_time IS NULL OR (s.updated_at, s.id) < (before_time, before_id))
    ORDER BY s.updated_at DESC, s.id DESC LIMIT most;
END $$;
"""


def upgrade() -> None:
    """Make the table of parts, and open the others for them."""
    migrate.run_sql(SCHEMA)
    migrate.guard_tenants("parts")
    migrate.run_sql(SEARCH)
