-- A database as the first release left it: its schema, one storyboard with two revisions, one deleted. Never edit.
CREATE TABLE storyboards (
  id text PRIMARY KEY,
  tenant_id text NOT NULL,
  name text NOT NULL,
  state text NOT NULL CHECK (state IN ('active', 'deleted')),
  revision integer NOT NULL CHECK (revision >= 1),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  deleted_at timestamptz,
  request_id uuid NOT NULL,
  request_digest text NOT NULL,
  UNIQUE (tenant_id, request_id),
  CHECK ((state = 'deleted') = (deleted_at IS NOT NULL))
);
CREATE INDEX storyboards_last_updated ON storyboards (tenant_id, updated_at DESC, id DESC);
CREATE INDEX storyboards_deleted ON storyboards (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE TABLE revisions (
  storyboard_id text NOT NULL REFERENCES storyboards ON DELETE CASCADE,
  number integer NOT NULL CHECK (number >= 1),
  tenant_id text NOT NULL,
  author text NOT NULL,
  origin text NOT NULL,
  name text NOT NULL,
  content jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (storyboard_id, number)
);
CREATE TABLE outbox (
  id text PRIMARY KEY,
  subject text NOT NULL,
  payload bytea NOT NULL,
  headers jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  published_at timestamptz
);
CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL;
CREATE TABLE inbox (
  event_id text PRIMARY KEY,
  handled_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE dead_letters (
  event_id text PRIMARY KEY,
  subject text NOT NULL,
  payload bytea NOT NULL,
  headers jsonb NOT NULL,
  reason text NOT NULL,
  attempts integer NOT NULL,
  died_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE outbox_stream (
  "only" boolean PRIMARY KEY DEFAULT true CHECK ("only"),
  incarnation text NOT NULL
);

ALTER TABLE storyboards ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON storyboards
  USING (tenant_id = current_setting('rushes.tenant', true) OR current_setting('rushes.tenant', true) = '*');
ALTER TABLE revisions ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON revisions
  USING (tenant_id = current_setting('rushes.tenant', true) OR current_setting('rushes.tenant', true) = '*');
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('0001');
INSERT INTO storyboards VALUES
  ('sb_01k9m3v5q0aaaaaaaaaaaaaaaa', 'acme', 'The answer', 'active', 2, '2026-11-20 10:00:00+00', '2026-11-20 11:00:00.5+00', NULL,
   '7d9f7b5e-6f0c-4b44-9f43-0a8d5f8f7b10', 'b0'),
  ('sb_01k9m3v5q0bbbbbbbbbbbbbbbb', 'acme', 'Gone', 'deleted', 1, '2026-11-20 10:00:00+00', '2026-11-20 10:00:00+00',
   '2026-11-20 12:00:00+00', '7d9f7b5e-6f0c-4b44-9f43-0a8d5f8f7b11', 'b1');
INSERT INTO revisions VALUES
  ('sb_01k9m3v5q0aaaaaaaaaaaaaaaa', 1, 'acme', 'ada', 'CreateStoryboard', '', '{"name": "The letter", "logline": "", "preset": "noir", "size": {"width": 1920, "height": 1080}, "model": "sandbox/reel-1", "silent": true, "characters": [{"id": "char_01k9m3v5q0aaaaaaaaaaaaaaaa", "name": "Mara", "profile": "sixty", "identity_tag": "character:mara_id:0123abcd", "references": [{"key": "k", "content_type": "image/png", "size_bytes": 9, "sha256": "00"}]}], "locations": [{"id": "loc_01k9m3v5q0aaaaaaaaaaaaaaaa", "name": "Room", "description": "brass", "references": []}], "props": [{"id": "prop_01k9m3v5q0aaaaaaaaaaaaaaaa", "name": "letter", "description": "yellowed"}], "scenes": [{"id": "scene_01k9m3v5q0aaaaaaaaaaaaaaaa", "title": "Stairs", "subject": "Mara", "action": "climbs", "setting": "tower", "camera": "35 mm", "lighting": "lamp", "mood": "patient", "dialogue": "-", "seconds": 4, "seam": "last_frame", "cast": ["Mara"], "location": "Room", "props": ["letter"], "model": "", "negative_prompt": "", "seed": 7, "caption": "1987"}]}', '2026-11-20 10:00:00+00'),
  ('sb_01k9m3v5q0aaaaaaaaaaaaaaaa', 2, 'acme', 'bo', 'UpdateStoryboard', '', '{"name": "The answer", "logline": "", "preset": "noir", "size": {"width": 1920, "height": 1080}, "model": "sandbox/reel-1", "silent": true, "characters": [{"id": "char_01k9m3v5q0aaaaaaaaaaaaaaaa", "name": "Mara", "profile": "sixty", "identity_tag": "character:mara_id:0123abcd", "references": [{"key": "k", "content_type": "image/png", "size_bytes": 9, "sha256": "00"}]}], "locations": [{"id": "loc_01k9m3v5q0aaaaaaaaaaaaaaaa", "name": "Room", "description": "brass", "references": []}], "props": [{"id": "prop_01k9m3v5q0aaaaaaaaaaaaaaaa", "name": "letter", "description": "yellowed"}], "scenes": [{"id": "scene_01k9m3v5q0aaaaaaaaaaaaaaaa", "title": "Stairs", "subject": "Mara", "action": "climbs", "setting": "tower", "camera": "35 mm", "lighting": "lamp", "mood": "patient", "dialogue": "-", "seconds": 4, "seam": "last_frame", "cast": ["Mara"], "location": "Room", "props": ["letter"], "model": "", "negative_prompt": "", "seed": 7, "caption": "1987"}]}', '2026-11-20 11:00:00.5+00'),
  ('sb_01k9m3v5q0bbbbbbbbbbbbbbbb', 1, 'acme', 'ada', 'CreateStoryboard', '', '{"name": "Gone"}', '2026-11-20 10:00:00+00');
