#!/usr/bin/env python3
"""A complete external driver (docs/external-drivers.md) for a terminal that approves everything.

Where the comments say so, a real one calls its maker's library. CBOR is read and written here with the few lines that
the boundary needs; the cbor2 package does the same.
"""

import struct
import sys


def read_exactly(count):
    data = sys.stdin.buffer.read(count)
    if len(data) < count:
        # The box let go of the terminal.
        sys.exit(0)
    return data


def read():
    first = read_exactly(1)[0]
    major, size = first >> 5, first & 0x1F
    if size < 24:
        value = size
    else:
        value = int.from_bytes(read_exactly(1 << (size - 24)), "big")
    if major == 0:
        return value
    if major == 1:
        return -1 - value
    if major == 2:
        return read_exactly(value)
    if major == 3:
        return read_exactly(value).decode()
    if major == 4:
        return [read() for _ in range(value)]
    if major == 5:
        return {read(): read() for _ in range(value)}
    return {20: False, 21: True}.get(value)


def head(major, value):
    if value < 24:
        return bytes([major << 5 | value])
    for size, form in ((24, ">B"), (25, ">H"), (26, ">I"), (27, ">Q")):
        if value < 1 << (8 << (size - 24)):
            return bytes([major << 5 | size]) + struct.pack(form, value)
    raise ValueError(value)


def encode(item):
    if item is None:
        return b"\xf6"
    if item is True or item is False:
        return b"\xf5" if item else b"\xf4"
    if isinstance(item, int):
        return head(0, item)
    if isinstance(item, str):
        return head(3, len(item.encode())) + item.encode()
    if isinstance(item, list):
        return head(4, len(item)) + b"".join(map(encode, item))
    return head(5, len(item)) + b"".join(encode(k) + encode(v) for k, v in item.items())


def say(**message):
    sys.stdout.buffer.write(encode(message))
    sys.stdout.buffer.flush()


def done(value):
    return {"outcome": "done", "value": value}


def payment(act, amount, currency, number):
    return {
        "kind": "payment",
        "act": act,
        "amount": amount,
        "currency": currency,
        "transaction": str(number),
        "card_brand": "Example",
        "card_last4": "4242",
        "receipts": [{"for": "customer", "text": f"EXAMPLE TERMINAL\nTransaction {number}"}],
    }


def main():
    # A real terminal keeps this itself, also over a restart of this program.
    journal = {}
    while True:
        message = read()
        if message["input"] == "started":
            # Connect to the terminal at message["options"] here.
            say(action="condition", condition="ready", message="")
        if message["input"] != "command":
            continue
        command = message["command"]
        verb = command["do"]
        if verb in ("pay", "refund"):
            say(action="emit", event={"event": "status", "for": "customer", "text": "Present card"})
            # Call the maker's library here.
            act = "payment" if verb == "pay" else "refund"
            journal[command["key"]] = payment(act, command["amount"], command["currency"], len(journal) + 1)
            outcome = done(journal[command["key"]])
        elif verb == "status":
            found = journal.get(command["key"])
            finding = {"kind": "finding", "finding": "charged", "payment": found} if found else {
                "kind": "finding", "finding": "not_charged", "message": "the terminal has no such transaction"}
            outcome = done(finding)
        elif verb == "last":
            # Every transaction can be asked for by its key.
            outcome = done({"kind": "mark", "mark": ""})
        elif verb in ("reconcile", "diagnose"):
            outcome = done({"kind": "terminal", "receipts": [{"for": "office", "text": f"{len(journal)} transactions"}]})
        else:
            outcome = {"outcome": "rejected", "reason": "unsupported", "message": f"this terminal cannot {verb}"}
        say(action="reply", id=message["id"], outcome=outcome)


main()
