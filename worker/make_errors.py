"""The ways in which what goes between us and Make.com can end badly: callbacks and reruns."""

from worker.errors import Permanent, Retryable, Waiting


class CallbackRefused(Permanent):
    """The callback's address may not be called: the scenario must send another, or ops allow its host."""

    code, title, status = "callback_refused", "The callback's address may not be called", 422


class CallbackGone(Permanent):
    """The callback's address answered 410: its hook is gone, and it is not called again unasked."""

    code, title, status = "callback_gone", "The callback's address is gone", 422


class CallbackFailed(Retryable):
    """The callback was not taken: tried again for hours."""

    code, title, status = "callback_failed", "The callback was not taken", 502


class RerunNotFound(Permanent):
    """No such rerun: the caller has a wrong id."""

    code, title, status = "rerun_not_found", "No such rerun", 404


class RerunUnavailable(Permanent):
    """Make.com is not set up, or the dossier has nothing to start from: ops must act."""

    code, title, status = "rerun_unavailable", "The rerun cannot be started", 422


class RerunFailed(Permanent):
    """Make.com refused the rerun, or its execution failed: look there, then ask for another."""

    code, title, status = "rerun_failed", "The rerun failed", 422


class RerunTimedOut(Waiting):
    """The rerun's run was not published in time: look in Make.com, then ask for another."""

    code, title, status = "rerun_timed_out", "The rerun's run is not published", 422


class MakeUnreachable(Retryable):
    """Make.com did not take the request, and certainly did not start anything: tried again."""

    code, title, status = "make_unreachable", "Make.com did not take the request", 502
