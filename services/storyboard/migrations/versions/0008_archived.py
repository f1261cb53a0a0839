"""Storyboards that are kept out of sight."""

from libs import migrate

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Allow the state."""
    migrate.run_sql("""
        ALTER TABLE storyboards DROP CONSTRAINT storyboards_state_check;
        ALTER TABLE storyboards ADD CONSTRAINT storyboards_state_check
          CHECK (state IN ('active', 'deleted', 'archived'));
    """)
