"""What a job's submission is parked for."""

from libs import migrate

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Widen the table."""
    migrate.run_sql("ALTER TABLE jobs ADD COLUMN parked jsonb")
