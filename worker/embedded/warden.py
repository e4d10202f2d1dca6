"""The warden of one embedded server: its parent process, which stops it once no process holds it.

A program of its own that needs the standard library alone, run in the server's directory:

    python -I -S warden.py STOP_SIGNAL GRACE UID GID PROGRAM [ARGUMENT …]

Nobody has to tell it when to stop. Each process that uses the server keeps `holders` locked, and the
kernel takes that lock back from the dead, however they died: there is no count and no list of pids that a
crash could leave wrong. In the other direction `running` is locked by the warden and, by inheritance, by
every process of the server: whoever can lock it knows that none of them is left.

If the warden itself is killed, Linux sends the server its stop signal; elsewhere it then runs on, still
found by those who attach, until it is stopped by hand.
"""

import ctypes
import fcntl
import os
import resource
import signal
import subprocess
import sys
import threading

HOLDERS = "holders"
RUNNING = "running"
PR_SET_PDEATHSIG = 1


def main() -> None:
    """Lock `running`, let the caller go on, start the server, stop it when the last holder is gone."""
    stop, grace, uid, gid = (int(argument) for argument in sys.argv[1:5])
    running = os.open(RUNNING, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(running, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if os.fork():
        os._exit(0)  # `running` is locked now, and the warden is nobody's child that would have to be reaped
    for deaf_to in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(deaf_to, lambda *_: None)  # not SIG_IGN, which the server would inherit
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    us = os.getpid()
    server = subprocess.Popen(  # noqa: S603 - as its only caller says
        sys.argv[5:],
        pass_fds=[running],
        user=uid,
        group=gid,
        extra_groups=[] if os.geteuid() == 0 else None,
        preexec_fn=lambda: _stop_with(us, stop),  # noqa: PLW1509 - there is no other thread yet
    )
    threading.Thread(target=lambda: os._exit(abs(server.wait())), daemon=True).start()
    fcntl.flock(os.open(HOLDERS, os.O_RDWR | os.O_CREAT, 0o600), fcntl.LOCK_EX)
    server.send_signal(stop)
    threading.Event().wait(grace)  # the thread above ends this process together with the server
    server.kill()
    threading.Event().wait()


def _stop_with(parent: int, stop: int) -> None:
    """In the server's process, before it is the server: have it stopped when the warden is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, stop)
        if os.getppid() != parent:  # killed before we could ask
            os._exit(1)


if __name__ == "__main__":
    main()
