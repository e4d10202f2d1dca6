"""A program of its own: become another program that ends when its parent does.

    python -I -S leash.py PARENT_PID PROGRAM [ARGUMENT …]

Linux sends a process the signal it asked for when its parent dies, whatever killed that, and what was asked
for outlives `exec`. The asking has to happen in the child. Between fork and exec of a parent with threads no
Python may run, so it happens here, after an exec. It is SIGTERM, as in an orderly stop. Elsewhere than on
Linux there is no such wish, and the program is started all the same.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask for the signal, then be the program."""
    parent, *argv = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(parent):  # it died before we could ask
            sys.exit(1)
    for spoiled in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and exec would keep that
        signal.signal(spoiled, signal.SIG_DFL)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - that is what this program is for
    except OSError as error:
        sys.exit(f"{argv[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
