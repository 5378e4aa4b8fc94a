#!/usr/bin/env python3
"""Receipts per second that python-escpos 3.1 encodes: the peer of tests/src/bin/bench/encoder.rs, on the same receipt.

Usage: python_escpos.py [SECONDS]    prints one number
"""

import contextlib
import io
import sys
import time

from escpos.printer import Dummy


def receipt(printer):
    printer.set(align="center", bold=True, double_width=True, double_height=True)
    printer.textln("The Corner Shop")
    printer.set(align="center", bold=False, normal_textsize=True)
    printer.textln("12 Market Street, Springfield")
    printer.set(align="left")
    printer.textln("-" * 42)
    for n in range(24):
        price = "%.2f" % (1.25 * (n + 1))
        name = "Article number %d" % n
        printer.textln(name + price.rjust(42 - len(name)))
    printer.textln("-" * 42)
    printer.set(bold=True)
    printer.textln("TOTAL" + "375.00".rjust(37))
    printer.set(align="center", bold=False)
    printer.textln("You were served by Ren\u00e9e")
    printer.barcode("4006381333931", "EAN13", function_type="B")
    printer.qr("https://example.com/receipt/0042", native=True, size=6)
    printer.cut()


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    printer = Dummy(profile="TM-T88V")
    with contextlib.redirect_stdout(io.StringIO()):
        receipt(printer)
    assert len(printer.output) > 1000, "the receipt came out empty"
    done = 0
    # It says on standard output which barcode renderer it uses, each time.
    with contextlib.redirect_stdout(io.StringIO()):
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            printer.clear()
            receipt(printer)
            done += 1
        took = time.perf_counter() - start
    print("%.0f" % (done / took))


if __name__ == "__main__":
    main()
