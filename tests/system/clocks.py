"""A process whose clock is wrong: libfaketime, of the distribution's package `faketime`, is loaded before it."""

from pathlib import Path

FAKETIME = next(Path("/usr").glob("lib*/*/faketime/libfaketimeMT.so.1"), None)
MISSING = "no libfaketime here (apt-get install faketime): no clock can be moved"


def wrong_by(offset):
    """What a process is started with for its clock to be wrong by so much: `+1h`; what it measures stays true."""
    return {"LD_PRELOAD": str(FAKETIME), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
