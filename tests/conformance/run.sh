#!/usr/bin/env bash
# The external API as existing clients use it, against the shipped program over TLS.
set -euo pipefail
cd "$(dirname "$0")/../.."
python="${XDG_CACHE_HOME:-$HOME/.cache}/iot-erp/conformance/bin/python"
[ -x "$python" ] || { echo "the clients are not installed: run tests/install-tools.sh"; exit 1; }
dir=$(mktemp -d)
erp="$(realpath "${CARGO_TARGET_DIR:-target}/debug/erp")"
server=
cleanup() {
    if [ -n "$server" ]; then
        kill -TERM "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$dir"
}
trap cleanup EXIT
printf 'admin-secret' >"$dir/password"
"$erp" init --data "$dir/erp" --name conformance --admin-password-file "$dir/password" --demo >"$dir/init.log"
ERP_LOG_FORMAT=json "$erp" serve --data "$dir/erp" --listen 127.0.0.1:0 2>"$dir/log" &
server=$!
url=
for _ in $(seq 200); do
    url=$(grep -o '"url":"[^"]*"' "$dir/log" | head -1 | cut -d'"' -f4 || true)
    [ -z "$url" ] || break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
[ -n "$url" ] || { cat "$dir/log"; echo "the server did not start"; exit 1; }
port="${url##*:}"
curl -sSfk "https://localhost:$port/iot/v1/ca.pem" -o "$dir/ca.pem"
status=0
SSL_CERT_FILE="$dir/ca.pem" ERP_BIN="$erp" ERP_PORT="$port" ERP_DB=conformance ERP_PASSWORD=admin-secret \
    "$python" -W ignore::ResourceWarning -m unittest discover -s tests/conformance -t tests/conformance ${1:+-k "$1"} || status=$?
[ "$status" = 0 ] || grep -E '"level":"(ERROR|WARN)"' "$dir/log" | tail -20
exit "$status"
