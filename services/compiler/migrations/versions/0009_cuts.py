"""Films know the storyboard that they are cuts of, and count."""

from libs import migrate

revision = "0009"
down_revision = "0008"

COLUMNS = """
-- Films from before have neither: what they are made of names scenes, and only the storyboard service knows whose.
ALTER TABLE films ADD COLUMN storyboard_id text NOT NULL DEFAULT '', ADD COLUMN cut_number integer NOT NULL DEFAULT 0,
  ADD CONSTRAINT cuts_count CHECK ((storyboard_id <> '') = (cut_number > 0));
-- Lists page by id, which sorts by time.
CREATE INDEX films_of_storyboard ON films (tenant_id, storyboard_id, id DESC) WHERE storyboard_id <> '';
CREATE UNIQUE INDEX cuts_of_storyboard ON films (tenant_id, storyboard_id, cut_number) WHERE storyboard_id <> '';
"""


def upgrade() -> None:
    """Add the columns."""
    migrate.run_sql(COLUMNS)
