"""Writes a file of keyboard layouts (layouts.py OUT): what the keys of each layout type, by libxkbcommon from Debian's xkb-data."""
import ctypes, re, sys, os
x = ctypes.CDLL("libxkbcommon.so.0")
for f, r, a in [
    ("xkb_context_new", ctypes.c_void_p, [ctypes.c_int]),
    ("xkb_keymap_new_from_names", ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]),
    ("xkb_keymap_unref", None, [ctypes.c_void_p]),
    ("xkb_state_new", ctypes.c_void_p, [ctypes.c_void_p]),
    ("xkb_state_unref", None, [ctypes.c_void_p]),
    ("xkb_state_update_mask", ctypes.c_int, [ctypes.c_void_p] + [ctypes.c_uint32] * 6),
    ("xkb_state_key_get_one_sym", ctypes.c_uint32, [ctypes.c_void_p, ctypes.c_uint32]),
    ("xkb_keysym_to_utf32", ctypes.c_uint32, [ctypes.c_uint32]),
    ("xkb_keysym_get_name", ctypes.c_int, [ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t]),
    ("xkb_keymap_mod_get_index", ctypes.c_uint32, [ctypes.c_void_p, ctypes.c_char_p]),
    ("xkb_context_set_log_level", None, [ctypes.c_void_p, ctypes.c_int]),
]:
    fn = getattr(x, f); fn.restype = r; fn.argtypes = a
class Names(ctypes.Structure):
    _fields_ = [(n, ctypes.c_char_p) for n in ("rules", "model", "layout", "variant", "options")]
ctx = x.xkb_context_new(0)
x.xkb_context_set_log_level(ctx, 0)
def name(sym):
    b = ctypes.create_string_buffer(64); x.xkb_keysym_get_name(sym, b, 64); return b.value.decode()
KEYS = list(range(2, 14)) + list(range(16, 28)) + list(range(30, 42)) + [43] + list(range(44, 54)) + [57, 86, 89, 117, 121, 124]
# Compose: dead key and base give a character (libX11's en_US.UTF-8).
compose, deads = {}, []
for l in open("/usr/share/X11/locale/en_US.UTF-8/Compose", encoding="utf-8"):
    m = re.match(r'<(dead_\w+)>\s+<(\w+)>\s*:\s*"(.)"\s', l)
    if m:
        compose.setdefault(m[1], []).append((m[2], m[3]))
def sym_of(n):
    x.xkb_keysym_from_name.restype = ctypes.c_uint32; x.xkb_keysym_from_name.argtypes = [ctypes.c_char_p, ctypes.c_int]
    return x.xkb_keysym_from_name(n.encode(), 0)
lst = open("/usr/share/X11/xkb/rules/evdev.lst").read()
sec = dict(re.findall(r"! (\w+)\n(.*?)(?=\n! |\Z)", lst, re.S))
todo = []
for l in sec["layout"].splitlines():
    m = re.match(r"\s+(\S+)\s+(.*)", l)
    if m and m[1] != "custom": todo.append((m[1], "", m[2].strip()))
for l in sec["variant"].splitlines():
    m = re.match(r"\s+(\S+)\s+(\w+): (.*)", l)
    if m: todo.append((m[2], m[1], m[3].strip()))
used = set()
def cell(sym):
    n = name(sym)
    if n.startswith("dead_"):
        used.add(n); return ("dead", n)
    c = x.xkb_keysym_to_utf32(sym)
    return chr(c) if c >= 32 and c != 127 and not (0x80 <= c < 0xa0) else None
rows = []
for layout, variant, title in sorted(todo, key=lambda t: (t[0] != "us", t)):
    km = x.xkb_keymap_new_from_names(ctx, ctypes.byref(Names(b"evdev", b"pc105", layout.encode(), variant.encode(), b"")), 0)
    if not km: print("no keymap", layout, variant, file=sys.stderr); continue
    st = x.xkb_state_new(km)
    bit = lambda n: (1 << i) if (i := x.xkb_keymap_mod_get_index(km, n)) < 32 else 0
    SH, L3, CAPS = bit(b"Shift"), bit(b"Mod5"), bit(b"Lock")
    keys = []
    for k in KEYS:
        cells = []
        for dep, lock in [(0, 0), (SH, 0), (L3, 0), (SH | L3, 0), (0, CAPS)]:
            x.xkb_state_update_mask(st, dep, 0, lock, 0, 0, 0)
            cells.append(cell(x.xkb_state_key_get_one_sym(st, k + 8)))
        plain, shift, alt, both, caps = cells
        if alt == plain: alt = None
        if both in (shift, alt): both = None
        if any(cells): keys.append((k, plain, shift, alt, both, caps is not None and caps == shift and shift != plain))
    rows.append((layout, variant, title, keys))
    x.xkb_state_unref(st); x.xkb_keymap_unref(km)
dead_no = {n: i for i, n in enumerate(sorted(used))}
assert len(dead_no) < 200
def enc(c):
    # U+E000 on: dead keys; U+0000 never, an empty level is a private character.
    if c is None: return "\uf8ff"
    if isinstance(c, tuple): return chr(0xE000 + dead_no[c[1]])
    return c
out = ["# Made by drivers/src/keyboard/layouts.py from Debian's xkb-data and libx11-data (MIT/X11 licences, facts about keyboards).",
       "# D: dead key, what it types alone, then pairs of base and composed character.",
       "# L: layout, variant, title, then each key that differs from the layout without variant (or from us): evdev code and",
       "# what it types plain, with shift, AltGr, both; * where caps lock shifts. U+E000 on: dead keys by number; U+F8FF: nothing."]
for n, i in dead_no.items():
    pairs = []
    alone = ""
    for base, ch in compose.get(n, []):
        if base == n or base == "space":
            alone = alone or (ch if base == n else alone)
        s = sym_of(base)
        c = x.xkb_keysym_to_utf32(s)
        if base.startswith("dead_") and base in dead_no: b = chr(0xE000 + dead_no[base])
        elif c >= 32 and c != 127: b = chr(c)
        else: continue
        pairs.append(b + ch)
    space = [ch for base, ch in compose.get(n, []) if base == "space"]
    out.append("D\t%s\t%s\t%s" % (n, (space or [""])[0], "".join(pairs)))
# Rows of a layout that are the same as in the first layout of the same name are left out.
base = {}
for layout, variant, title, keys in rows:
    text = {k: "".join(enc(c) for c in (p, s, a, b)).rstrip("\uf8ff") + ("\t*" if caps else "") for k, p, s, a, b, caps in keys}
    us = base.get(layout) or base.get("us") or {}
    cells = ["%s%d:%s" % ("*" if "\t*" in text.get(k, "") else "", k, text.get(k, "").removesuffix("\t*")) for k in KEYS if text.get(k) != us.get(k)]
    out.append("\t".join(["L", layout, variant, title] + cells))
    if not variant: base[layout] = text
    if layout == "us" and not variant: base["us"] = text
open(sys.argv[1], "w", encoding="utf-8").write("\n".join(out) + "\n")
print(len(rows), "layouts", len(dead_no), "dead keys")
