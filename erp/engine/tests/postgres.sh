#!/bin/sh
# Prints the address of a private PostgreSQL for tests, starting one when none runs: no TCP port, data in a temporary
# folder, nothing synced to disk. It ends by itself five minutes after the last call. Exit status 2: no PostgreSQL here.
set -eu

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)
[ -n "$bin" ] || bin=$(dirname "$(command -v initdb 2>/dev/null || echo /none/initdb)")
[ -x "$bin/initdb" ] || { echo "no PostgreSQL server programs found (Debian: postgresql-15)" >&2; exit 2; }

home="${TMPDIR:-/tmp}/erp-test-postgres.$(id -u)"
mkdir -p "$home"
chmod 755 "$home"
exec 9>"$home/lock"
flock 9

# PostgreSQL refuses to run as root; what is done as another user stands in one place.
as() {
    if [ "$(id -u)" = 0 ]; then
        user=$(id -un postgres 2>/dev/null || echo nobody)
        setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups env HOME="$home" "$@"
    else
        "$@"
    fi
}

touch "$home/used"
if ! as "$bin/pg_ctl" -D "$home/data" status >/dev/null 2>&1; then
    rm -rf "$home/data" "$home/run"
    install -d -m 700 "$home/data" "$home/run"
    [ "$(id -u)" != 0 ] || chown "$(id -un postgres 2>/dev/null || echo nobody)" "$home/data" "$home/run"
    chmod 755 "$home/run"
    as "$bin/initdb" -D "$home/data" -U erp -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$home/log" 2>&1
    as "$bin/pg_ctl" -D "$home/data" -l "$home/data/server.log" -w -t 60 \
        -o "-c listen_addresses= -c unix_socket_directories=$home/run -c fsync=off -c max_connections=300 -c shared_buffers=64MB" \
        start >>"$home/log" 2>&1 9>&- || { cat "$home/log" >&2; exit 1; }
    # The watchman: goes away with the server it watches.
    (
        while sleep 20; do
            (
                flock 9
                as "$bin/pg_ctl" -D "$home/data" status || exit 1
                [ -n "$(find "$home/used" -mmin +5)" ] || exit 0
                as "$bin/pg_ctl" -D "$home/data" -m immediate stop
                rm -rf "$home/data" "$home/run"
                exit 1
            ) 9>"$home/lock" || exit 0
        done
    ) </dev/null >/dev/null 2>&1 9>&- &
fi
echo "postgres://erp@localhost/postgres?host=$home/run"
