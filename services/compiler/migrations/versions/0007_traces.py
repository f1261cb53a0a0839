"""Films and pieces know the trace that asked for them."""

from libs import migrate

revision = "0007"
down_revision = "0006"

COLUMNS = """
ALTER TABLE films ADD COLUMN traceparent text NOT NULL DEFAULT '';
ALTER TABLE segments ADD COLUMN traceparent text NOT NULL DEFAULT '';
"""


def upgrade() -> None:
    """Add the columns."""
    migrate.run_sql(COLUMNS)
