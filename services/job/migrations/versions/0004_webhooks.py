"""Endpoints of tenants that are told of new states, what is sent there, and what each attempt came to."""

from libs import migrate

revision = "0004"
down_revision = "0003"

TABLES = """
CREATE TABLE webhook_endpoints (
  id text PRIMARY KEY CHECK (id LIKE 'whe\\_%'),
  tenant_id text NOT NULL CHECK (tenant_id <> ''),
  request_id text NOT NULL,
  request_digest bytea NOT NULL,
  url text NOT NULL,
  event_types text[] NOT NULL,
  description text NOT NULL,
  concurrency integer NOT NULL CHECK (concurrency BETWEEN 1 AND 10),
  state text NOT NULL CHECK (state IN ('ENABLED', 'PAUSED', 'DELETED')),
  pause text NOT NULL CHECK (pause IN ('', 'ASKED', 'GONE', 'FAILING')),
  pause_note text NOT NULL,
  secret_version integer NOT NULL CHECK (secret_version > 0),
  key_id text NOT NULL,
  key_id_before text NOT NULL,
  secret_replaced_at timestamptz,
  failures integer NOT NULL,
  failing_since timestamptz,
  resting_until timestamptz,
  version bigint NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  UNIQUE (tenant_id, request_id)
);
CREATE INDEX webhook_endpoints_of_tenant ON webhook_endpoints (tenant_id, id DESC) WHERE state <> 'DELETED';

CREATE TABLE webhook_deliveries (
  id text PRIMARY KEY CHECK (id LIKE 'whd\\_%'),
  tenant_id text NOT NULL CHECK (tenant_id <> ''),
  endpoint_id text NOT NULL REFERENCES webhook_endpoints (id),
  type text NOT NULL,
  data jsonb NOT NULL,
  state text NOT NULL CHECK (state IN ('PENDING', 'DELIVERED', 'FAILED')),
  tries integer NOT NULL DEFAULT 0,
  attempts integer NOT NULL DEFAULT 0,
  due_at timestamptz NOT NULL,
  lease text,
  leased_until timestamptz,
  created_at timestamptz NOT NULL,
  ended_at timestamptz
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_at, id) WHERE state = 'PENDING';
CREATE INDEX webhook_deliveries_leased ON webhook_deliveries (endpoint_id) WHERE lease IS NOT NULL;
CREATE INDEX webhook_deliveries_of_endpoint ON webhook_deliveries (endpoint_id, id DESC);
CREATE INDEX webhook_deliveries_swept ON webhook_deliveries (created_at);

CREATE TABLE webhook_attempts (
  delivery_id text NOT NULL REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
  number integer NOT NULL,
  tenant_id text NOT NULL CHECK (tenant_id <> ''),
  at timestamptz NOT NULL,
  status integer,
  fault text NOT NULL,
  duration_ms integer NOT NULL,
  PRIMARY KEY (delivery_id, number)
);
"""

TRIGGERS = """
-- An id as libs/ids.py makes them; those of one millisecond are in the order in which they were made.
CREATE SEQUENCE webhook_order;
CREATE FUNCTION webhook_delivery_id() RETURNS text LANGUAGE sql VOLATILE AS $$
  SELECT 'whd_' || string_agg(substr('0123456789abcdefghjkmnpqrstvwxyz',
    1 + substring(made.bits FROM 1 + 5 * place FOR 5)::int, 1), '' ORDER BY place)
  FROM (SELECT B'00' || ((extract(epoch FROM clock_timestamp()) * 1000)::bigint)::bit(48)
    || nextval('webhook_order')::bit(32) || ('x' || right(gen_random_uuid()::text, 12))::bit(48) AS bits) made,
    generate_series(0, 25) AS place
$$;

CREATE FUNCTION tell_webhooks(the_tenant text, the_type text, the_data jsonb, happened timestamptz)
RETURNS void LANGUAGE sql AS $$
  INSERT INTO webhook_deliveries (id, tenant_id, endpoint_id, type, data, state, due_at, created_at)
  SELECT webhook_delivery_id(), the_tenant, e.id, the_type, the_data, 'PENDING', happened, happened
  FROM webhook_endpoints e
  WHERE e.tenant_id = the_tenant AND e.state <> 'DELETED' AND (e.event_types = '{}'
    OR e.event_types && ARRAY[the_type, split_part(the_type, '.', 1) || '.*'])
$$;

-- Each new state of a job or a production, in the transaction that writes it, and none that is rolled back.
CREATE FUNCTION tell_webhooks_of_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM webhook_endpoints WHERE state <> 'DELETED') THEN RETURN NULL; END IF;
  IF TG_OP = 'INSERT' THEN
    PERFORM tell_webhooks(n.tenant_id, 'job.' || lower(n.state), jsonb_build_object('job_id', n.id,
      'production_id', n.production_id, 'storyboard_id', n.storyboard_id, 'scene_id', n.scene_id,
      'state', n.state, 'version', n.changed_in), n.updated_at) FROM new_rows n;
  ELSE
    PERFORM tell_webhooks(n.tenant_id, 'job.' || lower(n.state), jsonb_build_object('job_id', n.id,
      'production_id', n.production_id, 'storyboard_id', n.storyboard_id, 'scene_id', n.scene_id,
      'state', n.state, 'version', n.changed_in), n.updated_at)
    FROM new_rows n JOIN old_rows o ON o.id = n.id AND o.state <> n.state;
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION tell_webhooks_of_productions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM webhook_endpoints WHERE state <> 'DELETED') THEN RETURN NULL; END IF;
  IF TG_OP = 'INSERT' THEN
    PERFORM tell_webhooks(n.tenant_id, 'production.' || lower(n.state), jsonb_build_object('production_id', n.id,
      'storyboard_id', n.storyboard_id, 'film_id', n.film_id, 'state', n.state, 'version', n.version), n.updated_at)
    FROM new_rows n;
  ELSE
    PERFORM tell_webhooks(n.tenant_id, 'production.' || lower(n.state), jsonb_build_object('production_id', n.id,
      'storyboard_id', n.storyboard_id, 'film_id', n.film_id, 'state', n.state, 'version', n.version), n.updated_at)
    FROM new_rows n JOIN old_rows o ON o.id = n.id AND o.state <> n.state;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER webhooks_on_insert AFTER INSERT ON jobs REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION tell_webhooks_of_jobs();
CREATE TRIGGER webhooks_on_update AFTER UPDATE ON jobs REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION tell_webhooks_of_jobs();
CREATE TRIGGER webhooks_on_insert AFTER INSERT ON productions REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION tell_webhooks_of_productions();
CREATE TRIGGER webhooks_on_update AFTER UPDATE ON productions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION tell_webhooks_of_productions();
"""


def upgrade() -> None:
    """Add the tables, and what fills them."""
    migrate.run_sql(TABLES)
    migrate.guard_tenants("webhook_endpoints", "webhook_deliveries", "webhook_attempts")
    migrate.run_sql(TRIGGERS)
