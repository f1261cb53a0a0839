"""What a production makes with another model, or at another resolution, than its storyboard says."""

from libs import migrate

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Widen the table; what was made before was made as its storyboard said."""
    migrate.run_sql("""
        ALTER TABLE productions
          ADD COLUMN model text NOT NULL DEFAULT '',
          ADD COLUMN resolution text NOT NULL DEFAULT ''""")
