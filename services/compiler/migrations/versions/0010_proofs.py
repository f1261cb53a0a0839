"""What was looked through is a piece as well."""

from libs import migrate

revision = "0010"
down_revision = "0009"

KINDS = """
ALTER TABLE segments DROP CONSTRAINT segments_kind_check;
ALTER TABLE segments ADD CONSTRAINT segments_kind_check CHECK (kind IN ('House', 'Render', 'Sound', 'Proof'));
"""


def upgrade() -> None:
    """Take the kind."""
    migrate.run_sql(KINDS)
