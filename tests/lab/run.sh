#!/usr/bin/env bash
# Boots Debian's kernel in QEMU with the built iot-box inside and USB devices made by that kernel; see README.md.
# Exit status: 0 every check passed, 1 a check failed, 2 something is missing here.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH="$PATH:/usr/sbin:/sbin"
limit="${LAB_LIMIT:-150}" # seconds for the machine, boot and checks
bins="${CARGO_TARGET_DIR:-target}/${PROFILE:-debug}"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/iot-erp/lab"
start=$SECONDS

missing() { echo "lab: $* (make test LAB=0 goes without the lab)" >&2; exit 2; }

if [ "$(uname -m)" != x86_64 ]; then
    # The programs of this machine could not run on the lab's kernel.
    echo "SKIP lab: it needs an amd64 machine, this is $(uname -m)"
    exit 0
fi
while read -r command package; do
    command -v "$command" >/dev/null || missing "$command is missing; as root: apt-get install $package"
done <<'LIST'
qemu-system-x86_64 qemu-system-x86
busybox busybox-static
cpio cpio
modprobe kmod
zstd zstd
xz xz-utils
apt-get apt
dpkg-deb dpkg
LIST
busybox=$(command -v busybox)
! ldd "$busybox" >/dev/null 2>&1 || missing "busybox is not static; as root: apt-get install busybox-static"
for program in iot-box lab-guest; do
    [ -x "$bins/$program" ] || missing "$bins/$program is not built; run: make lab"
done

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
rm -rf "$cache"/root.* "$cache"/new.* # of a run that was killed

# The kernel: Debian's package of the day, unpacked once. An older one that is here already does, too, without network.
newest() { apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/^ *Depends: *\(linux-image-[^ ]*\)$/\1/p' | head -1; }
name=$(newest || true)
if [ -z "$name" ] && [ "$(id -u)" = 0 ]; then
    apt-get update -qq || true
    name=$(newest || true)
fi
kernel="$cache/${name:-none}"
if [ ! -f "$kernel/vmlinux" ]; then
    work=$(mktemp -d "$cache/new.XXXXXX")
    if [ -n "$name" ] && (cd "$work" && apt-get download -qq "$name" 2>"$work/why"); then
        echo "lab: unpacking $name"
        dpkg-deb -x "$work/$name"_*.deb "$work/root"
        image=$(echo "$work"/root/boot/vmlinuz-*)
        # Under emulation the kernel's own decompressor takes seconds, so the machine gets what is packed inside
        # (Documentation/x86/boot.rst: setup_sects, payload_offset, payload_length).
        number() { od -An -t "u$3" -j "$(($2))" -N "$3" "$1" | tr -d ' '; }
        begin=$((($(number "$image" 0x1f1 1) + 1) * 512 + $(number "$image" 0x248 4)))
        tail -c "+$((begin + 1))" "$image" | head -c "$(($(number "$image" 0x24c 4) - 4))" >"$work/payload" || true
        case $(od -An -tx1 -N4 "$work/payload" | tr -d ' ') in
        fd377a58) xz -dc "$work/payload" >"$work/vmlinux" ;;
        28b52ffd) zstd -qdc "$work/payload" >"$work/vmlinux" ;;
        *) missing "the kernel $name is packed in a way that is not known here" ;;
        esac
        # Only the modules that are needed, in the order in which they load.
        version=$(basename "$work"/root/lib/modules/*)
        depmod -b "$work/root" "$version"
        mkdir "$work/modules"
        for module in evdev usbhid hid-generic cdc-acm usblp dummy_hcd libcomposite usb_f_hid usb_f_acm usb_f_printer; do
            modprobe -d "$work/root" -S "$version" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
        done | awk '!seen[$0]++' | while read -r file; do
            file="$work/root/lib/modules/${file##*/lib/modules/}"
            case $file in
            *.xz) xz -dc "$file" >"$work/modules/$(basename "$file" .xz)" ;;
            *.zst) zstd -qdc "$file" >"$work/modules/$(basename "$file" .zst)" ;;
            *) cp "$file" "$work/modules/" ;;
            esac
            basename "$file" | sed 's/\.\(xz\|zst\)$//' >>"$work/modules/order"
        done
        rm -rf "$work/root" "$work/payload" "$work"/*.deb "$work/why"
        rm -rf "$cache"/linux-image-*
        mv "$work" "$kernel"
    else
        why=$(cat "$work/why" 2>/dev/null || true)
        rm -rf "$work"
        kernel=$(ls -dt "$cache"/linux-image-*/ 2>/dev/null | head -1 || true)
        [ -f "$kernel/vmlinux" ] || missing "no kernel: apt does not give linux-image-amd64 (Debian's sources, apt-get update?) $why"
    fi
fi

# The root: busybox, modules, the programs with their libraries. Made anew each time: it takes less than a second.
root=$(mktemp -d "$cache/root.XXXXXX")
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,dev,proc,sys,tmp,etc}
cp tests/lab/init "$root/init"
cp "$busybox" "$root/bin/busybox"
cp -r "$kernel/modules" "$root/modules"
for program in iot-box lab-guest; do
    # Debug information would be most of the image.
    strip --strip-debug -o "$root/bin/$program" "$bins/$program"
    ldd "$bins/$program" | grep -o '/[^ ]*' | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -Lu "$library" "$root$library"
    done
done
(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) >"$root.cpio"
trap 'rm -rf "$root" "$root.cpio"' EXIT

log="$cache/last.log"
echo "lab: booting $(basename "$kernel") ($(($(stat -c %s "$root.cpio") / 1048576)) MB), log in $log"
# Emulated also where KVM is: what /dev/kvm promises in a container or a rented machine it does not always keep.
status=0
timeout "$limit" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -M q35 -smp 2 -m 768 -nodefaults -display none \
    -no-reboot -serial stdio -kernel "$kernel/vmlinux" -initrd "$root.cpio" \
    -append "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on i8042.nokbd i8042.noaux" </dev/null 2>&1 |
    tr -d '\r' | tee "$log" | grep --line-buffered -aE '^(PASS|FAIL) ' || status=$?

summary=$(grep -a '^LAB passed=' "$log" || true)
if grep -aqE '^LAB exit=0 ' "$log" && ! grep -aq '^FAIL ' "$log"; then
    echo "lab: ${summary#LAB }, $((SECONDS - start)) s in all"
    exit 0
fi
echo "lab: FAILED (${summary:-the machine did not come to its end within $limit s}); the end of $log:" >&2
tail -n 60 "$log" >&2
exit 1
