"""Calls that have a limit are counted."""

from libs import limits, migrate

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table."""
    migrate.run_sql(limits.DDL)
