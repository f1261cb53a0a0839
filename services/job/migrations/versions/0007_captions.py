"""What is shown over a scene while its take is seen."""

from libs import migrate

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Widen the table."""
    migrate.run_sql("ALTER TABLE slots ADD COLUMN caption text NOT NULL DEFAULT ''")
