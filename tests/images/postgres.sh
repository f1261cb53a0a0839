#!/bin/sh
# As the image that it stands for: the first start makes the databases' folder, and who serves is not root.
set -eu
export PGDATA=/var/lib/postgresql/18/docker PATH=/usr/local/bin:/bin
as_postgres='exec "$0" "$@"'
if [ ! -e "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA"
  chown postgres:postgres /var/lib/postgresql /var/lib/postgresql/18 "$PGDATA"
  # shellcheck disable=SC2086
  su -c "$as_postgres" -- postgres initdb --username=postgres --pwfile="$POSTGRES_PASSWORD_FILE" --auth-local=trust \
    --auth-host=scram-sha-256 $POSTGRES_INITDB_ARGS
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
fi
exec su -c "$as_postgres" -- postgres "$@"
