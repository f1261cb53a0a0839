"""Takes belong to the scenes of storyboards, productions have plans, and watches can follow more than one."""

from libs import migrate

revision = "0003"
down_revision = "0002"

WIDER = """
ALTER TABLE productions DROP CONSTRAINT productions_state_check;
ALTER TABLE productions ADD CONSTRAINT productions_state_check CHECK (state IN
  ('NEEDS_APPROVAL', 'FILMING', 'PAUSED', 'NEEDS_PICK', 'COMPILING', 'SUCCEEDED', 'FAILED', 'CANCELING', 'CANCELED'));
ALTER TABLE productions
  ADD COLUMN auto_pick text NOT NULL DEFAULT 'FIRST' CHECK (auto_pick IN ('FIRST', 'NEVER')),
  ADD COLUMN approved_by text NOT NULL DEFAULT '',
  ADD COLUMN changed_at bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint;
CREATE INDEX productions_changed ON productions (tenant_id, changed_at);
CREATE INDEX productions_open ON productions (tenant_id) WHERE ended_at IS NULL;
CREATE INDEX productions_of_storyboard ON productions (tenant_id, storyboard_id, id DESC);

ALTER TABLE jobs
  ADD COLUMN hold text NOT NULL DEFAULT '' CHECK (hold IN ('', 'SEAM', 'APPROVAL', 'PAUSED')),
  ADD COLUMN take_number integer NOT NULL DEFAULT 1 CHECK (take_number > 0),
  ADD COLUMN storyboard_id text NOT NULL DEFAULT '',
  ADD COLUMN digest text NOT NULL DEFAULT '',
  ADD COLUMN model text NOT NULL DEFAULT '',
  ADD COLUMN last_frame jsonb,
  ADD COLUMN input_take_id text NOT NULL DEFAULT '',
  ADD COLUMN submission_id text NOT NULL DEFAULT '',
  ADD COLUMN account text NOT NULL DEFAULT '',
  ADD COLUMN accepted_at timestamptz,
  ADD COLUMN retries text NOT NULL DEFAULT '',
  ADD COLUMN changed_at bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint;
CREATE INDEX jobs_measured ON jobs (tenant_id, model, id DESC) WHERE state = 'SUCCEEDED' AND accepted_at IS NOT NULL;
CREATE INDEX jobs_open ON jobs (tenant_id, storyboard_id) WHERE ended_at IS NULL;
CREATE INDEX jobs_lost ON jobs (tenant_id, state, id DESC) WHERE state IN ('FAILED', 'CANCELED');

ALTER TABLE takes
  ADD COLUMN storyboard_id text NOT NULL DEFAULT '',
  ADD COLUMN digest text NOT NULL DEFAULT '',
  ADD COLUMN opens_on text NOT NULL DEFAULT '',
  ADD COLUMN closes_on text NOT NULL DEFAULT '',
  ADD COLUMN input_take_id text NOT NULL DEFAULT '',
  ADD COLUMN model text NOT NULL DEFAULT '',
  ADD COLUMN note text NOT NULL DEFAULT '';

CREATE TABLE slots (
  production_id text NOT NULL REFERENCES productions (id),
  tenant_id text NOT NULL CHECK (tenant_id <> ''),
  scene_number integer NOT NULL,
  scene_id text NOT NULL,
  scene_title text NOT NULL,
  seam integer NOT NULL,
  action text NOT NULL CHECK (action IN ('REUSE', 'MAKE', 'REMAKE')),
  reason text NOT NULL,
  take_id text REFERENCES takes (id),
  PRIMARY KEY (production_id, scene_number)
);
"""

FILLED = """
-- The first field of a ClipSpec is its model: a tag of one byte, a length of one byte, the text.
UPDATE jobs j SET storyboard_id = p.storyboard_id,
  digest = encode(sha256(j.spec), 'hex'),
  hold = CASE WHEN j.state = 'WAITING' THEN 'SEAM' ELSE '' END,
  model = CASE WHEN length(j.spec) > 2 AND get_byte(j.spec, 0) = 10 AND get_byte(j.spec, 1) < 128
    THEN convert_from(substring(j.spec FROM 3 FOR get_byte(j.spec, 1)), 'UTF8') ELSE '' END
FROM productions p WHERE p.id = j.production_id;
UPDATE jobs j SET input_take_id = t.id FROM takes t WHERE t.job_id = j.waits_for AND j.first_frame IS NOT NULL;
UPDATE takes t SET storyboard_id = j.storyboard_id, digest = j.digest, model = j.model, input_take_id = j.input_take_id,
  opens_on = coalesce(j.first_frame ->> 'sha256', '')
FROM jobs j WHERE j.id = t.job_id;
INSERT INTO slots (production_id, tenant_id, scene_number, scene_id, scene_title, seam, action, reason, take_id)
SELECT j.production_id, j.tenant_id, j.scene_number, j.scene_id, j.scene_title, j.seam, 'MAKE', 'UNSPECIFIED', t.id
FROM jobs j LEFT JOIN takes t ON t.job_id = j.id AND t.picked;
"""

PICKED = """
-- Of the takes of a scene that several productions have picked, the newest stays picked.
UPDATE takes t SET picked = false WHERE t.picked AND EXISTS (
  SELECT FROM takes newer WHERE newer.tenant_id = t.tenant_id AND newer.storyboard_id = t.storyboard_id
    AND newer.scene_id = t.scene_id AND newer.picked AND newer.id > t.id);
DROP INDEX one_picked;
CREATE UNIQUE INDEX one_picked ON takes (tenant_id, storyboard_id, scene_id) WHERE picked;
CREATE INDEX takes_of_scene ON takes (tenant_id, storyboard_id, scene_id, id DESC);
"""


def upgrade() -> None:
    """Widen the tables, and fill in what old rows tell."""
    migrate.run_sql(WIDER)
    migrate.run_sql(FILLED)
    migrate.run_sql(PICKED)
    migrate.guard_tenants("slots")
