"""What was decided about money, keys and access is kept, and cannot be changed."""

from libs import audit, migrate

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table, and guard it."""
    migrate.run_sql(audit.DDL)
    migrate.guard_tenants("audit")
