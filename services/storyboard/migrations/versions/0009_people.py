"""Who belongs to a tenant and with which role, whom it invites, and what a browser that is signed in is."""

from libs import migrate

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the table, guard it, and have a tenant keep an owner whatever is asked at the same time."""
    migrate.run_sql("""
        CREATE TABLE people (
          id text PRIMARY KEY,
          tenant_id text NOT NULL,
          subject text NOT NULL,
          name text NOT NULL,
          claimed text[] NOT NULL,
          given text CHECK (given IN ('viewer', 'editor', 'owner')),
          invited_by text,
          first_seen_at timestamptz NOT NULL,
          last_seen_at timestamptz NOT NULL,
          removed_at timestamptz,
          version bigint NOT NULL,
          is_owner boolean NOT NULL
            GENERATED ALWAYS AS (removed_at IS NULL AND coalesce(given = 'owner', 'owner' = ANY (claimed))) STORED,
          UNIQUE (tenant_id, subject),
          CHECK (invited_by IS NULL OR given IS NOT NULL)
        );
        CREATE INDEX people_tenant ON people (tenant_id, id);
        -- The lock makes those who take an owner away come one after the other; what is asked after it sees what the
        -- one before has done. What the issuer says of people is written in `claimed`, and is not refused here.
        CREATE FUNCTION an_owner_stays() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          PERFORM pg_advisory_xact_lock(hashtext('people'), hashtext(OLD.tenant_id));
          IF NOT EXISTS (SELECT FROM people WHERE tenant_id = OLD.tenant_id AND is_owner) THEN
            RAISE EXCEPTION 'a tenant keeps an owner' USING ERRCODE = 'check_violation', CONSTRAINT = 'an_owner_stays';
          END IF;
          RETURN NULL;
        END $$;
        CREATE TRIGGER an_owner_stays AFTER UPDATE OF given, removed_at ON people FOR EACH ROW
          WHEN (OLD.is_owner AND NOT NEW.is_owner) EXECUTE FUNCTION an_owner_stays();
        ALTER TABLE tickets
          ADD COLUMN invitation_id text UNIQUE,
          ADD COLUMN invited_by text,
          ADD COLUMN created_at timestamptz,
          ADD CHECK (num_nonnulls(invitation_id, invited_by, created_at) IN (0, 3));
        ALTER TABLE sessions
          ADD COLUMN device text NOT NULL DEFAULT '',
          ADD COLUMN seen_at timestamptz;
    """)
    migrate.guard_tenants("people")
