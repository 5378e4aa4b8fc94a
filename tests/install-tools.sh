#!/usr/bin/env bash
# Installs what the tests use beside Rust, gcc and Node, where this machine lets us: Debian packages as root, the rest
# below the user's home. What cannot be installed is named; the tests that need it then say so and fail.
# An argument says for what: test (else), bench, or lab, which needs a few packages alone.
set -euo pipefail
cd "$(dirname "$0")/.."
what="${1:-test}"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/iot-erp"
mkdir -p "$cache"

packages=()
need() { command -v "$1" >/dev/null || packages+=("$2"); }
if [ "$what" != lab ]; then
    need chromium chromium
    need mosquitto mosquitto
    need mosquitto_pub mosquitto-clients
    need faketime faketime
    need openssl openssl
    PATH="$PATH:/usr/sbin" need ippeveprinter cups-ipp-utils
    PATH="$PATH:/usr/sbin" need avahi-daemon avahi-daemon
    need dbus-daemon dbus
    [ -n "$(ls -d /usr/lib/postgresql/*/bin/postgres 2>/dev/null)" ] || packages+=(postgresql)
fi
if [ "$what" != bench ] && [ "$(uname -m)" = x86_64 ]; then
    PATH="$PATH:/usr/sbin:/sbin"
    need qemu-system-x86_64 qemu-system-x86
    # The one with libraries would not run in the lab.
    if ! command -v busybox >/dev/null || ldd "$(command -v busybox)" >/dev/null 2>&1; then
        packages+=(busybox-static)
    fi
    need cpio cpio
    need modprobe kmod
    need zstd zstd
    need xz xz-utils
fi
if [ "${#packages[@]}" -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing: ${packages[*]}"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
    else
        echo "missing, and only root can install them: ${packages[*]}"
    fi
fi

[ "$what" != lab ] || exit 0

cargo nextest --version >/dev/null 2>&1 || cargo install --locked cargo-nextest --version 0.9.143
cargo deny --version >/dev/null 2>&1 || cargo install --locked cargo-deny --version 0.20.2 --no-default-features

if [ -f tests/browser/package-lock.json ] && command -v npm >/dev/null; then
    stamp="tests/browser/node_modules/.lock-sum"
    sum=$(sha256sum tests/browser/package-lock.json | cut -d' ' -f1)
    if [ "$(cat "$stamp" 2>/dev/null)" != "$sum" ]; then
        (cd tests/browser && npm ci --silent --no-audit --no-fund --ignore-scripts)
        echo "$sum" >"$stamp"
    fi
fi

# Clients of the external API, which the conformance tests run unchanged, and a mail server to send to.
clients="odoorpc==0.10.1 odoo-client-lib==2.0.1 aiosmtpd==1.4.6"
if [ "$what" = test ] && [ "$(cat "$cache/conformance/.clients" 2>/dev/null)" != "$clients" ]; then
    python3 -m venv "$cache/conformance"
    # shellcheck disable=SC2086
    "$cache/conformance/bin/pip" -q install $clients
    echo "$clients" >"$cache/conformance/.clients"
fi

# The encoder that the benchmark compares with.
if [ "$what" = bench ] && [ ! -x "$cache/python/bin/python" ]; then
    python3 -m venv "$cache/python"
    "$cache/python/bin/pip" -q install python-escpos==3.1
fi
