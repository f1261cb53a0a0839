"""Dead letters are of tenants, and somebody decides about them."""

from libs import migrate, outbox

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Widen the table, and guard it."""
    migrate.run_sql(outbox.SETTLED_DDL)
    migrate.guard_tenants("dead_letters")
