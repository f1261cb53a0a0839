"""What has just ended is found without reading what ended long ago."""

from libs import migrate

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the index."""
    migrate.run_sql("CREATE INDEX jobs_ended ON jobs (ended_at) WHERE ended_at IS NOT NULL")
