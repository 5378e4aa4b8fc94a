#!/usr/bin/env bash
# The pages in a real browser, on a shop that has just sold something.
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
demo="${CARGO_TARGET_DIR:-target}/debug/shop-demo"
"$demo" --dir "$dir/shop" --addresses "$dir/addresses" >"$dir/log" 2>&1 &
shop=$!
trap 'kill -TERM $shop 2>/dev/null; wait $shop 2>/dev/null; rm -rf "$dir"' EXIT
for _ in $(seq 600); do
    [ -f "$dir/addresses" ] && break
    kill -0 $shop 2>/dev/null || break
    sleep 0.1
done
[ -f "$dir/addresses" ] || { cat "$dir/log"; echo "the shop did not open"; exit 1; }
set -a
. "$dir/addresses"
set +a
cd tests/browser
node --test till.test.mjs
node --test smoke.test.mjs
