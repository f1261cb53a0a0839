"""Calls that have a limit are counted."""

from libs import limits, migrate

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the table."""
    migrate.run_sql(limits.DDL)
