"""Every way a request or an attempt can end badly, each with its code and its sentence.

One question sorts them: will trying again help? `Permanent` no, `Held` once somebody acts, `Waiting`
once something arrives, `Unavailable` once the outage is over. The README's error table has one
paragraph per code, and a test keeps the two equal.
"""

from typing import Any, ClassVar


class ColumnlineError(Exception):
    """An ending with a code.

    Args:
        detail: one sentence or more: what was found, and what to do about it. Goes to the caller and
            into `jobs.error`, so never a contact's data, a key or a DSN.
        step: the pipeline step or attempt step concerned.
        field: the field concerned, as a path of keys (`primary_buying_signal.signal`).
        findings: everything found wrong, where there may be several: dicts of `step`, `field`, `found`,
            `detail`.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    status: ClassVar[int]
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        step: str | None = None,
        field: str | None = None,
        findings: tuple[dict[str, Any], ...] = (),
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.step = step
        self.field = field
        self.findings = findings

    @property
    def reason(self) -> str:
        """The detail as a log and Flower may have it: it quotes nothing that a writer returned."""
        return "; ".join(f"{each['step']}: {each['detail']}" for each in self.findings) or self.detail

    def as_dict(self) -> dict[str, Any]:
        """The `error` of a job answer and of `dossiers.error`: always the same keys."""
        return {
            "code": self.code,
            "title": self.title,
            "detail": self.detail,
            "step": self.step,
            "field": self.field,
            "findings": list(self.findings),
        }


class Permanent(ColumnlineError):
    """The request or the data is wrong: trying again as things are cannot help. The sender must act."""


class Held(ColumnlineError):
    """Somebody must act first; the action that cures it releases the job."""

    retryable = True


class Waiting(ColumnlineError):
    """Something is still on its way: look again until the deadline, then it is this error for good."""

    retryable = True


class Retryable(ColumnlineError):
    """It may do later: tried again until the job's attempts are used up, then it is this error for good."""

    retryable = True


class RunNotFound(Permanent):
    """No row in `v2_runs`: the scenario must register the run, or sent another id."""

    code, title, status = "run_not_found", "No such run", 404


class JobNotFound(Permanent):
    """No such job: the caller has a wrong id."""

    code, title, status = "job_not_found", "No such job", 404


class DossierNotFound(Permanent):
    """No such dossier: the caller has a wrong id, or a run that became none."""

    code, title, status = "dossier_not_found", "No such dossier", 404


class BatchNotFound(Permanent):
    """No such batch: the caller has a wrong id."""

    code, title, status = "batch_not_found", "No such batch", 404


class ClientNotFound(Permanent):
    """The run names no client, or one that is not in `v2_clients`: the scenario must send a known one."""

    code, title, status = "client_not_found", "No such client", 404


class ClientUnmapped(Held):
    """The v2 client has no production client: ops must map it."""

    code, title, status = "client_unmapped", "The client is not mapped to a production client", 422


class ClientAmbiguous(Held):
    """The v2 client's slug fits several production clients: ops must map it by id."""

    code, title, status = "client_ambiguous", "Several production clients fit", 422


class OutputsMissing(Waiting):
    """Required writer outputs never came: the scenario must send them, then retry."""

    code, title, status = "outputs_missing", "Required writer outputs are missing", 422


class OutputsInvalid(Permanent):
    """A required writer output cannot be used: its prompt or that run must be repaired."""

    code, title, status = "outputs_invalid", "A writer's output cannot be used", 422


class ReleaseDateInvalid(Permanent):
    """The release date is no date: the scenario must send another."""

    code, title, status = "release_date_invalid", "The release date is not a date", 422


class DossierOfOtherClient(Permanent):
    """The run was published to another client than it belongs to now: publish under a new run id."""

    code, title, status = "dossier_of_other_client", "The run was published to another client", 422


class DripUnavailable(Permanent):
    """The client has no drip, or one that cannot be read: ops must set it up."""

    code, title, status = "drip_unavailable", "The client has no usable drip schedule", 422


class AlreadyReleased(Permanent):
    """Readers have the dossier already: its release cannot be moved any more. Archive it instead."""

    code, title, status = "already_released", "The dossier is released already", 422


class DossierNotReady(Permanent):
    """The dossier's status does not allow the action: an `error` one must be cured first."""

    code, title, status = "dossier_not_ready", "The dossier's status does not allow this", 422


class ListNotFound(Permanent):
    """The client has no such list: make it in the app, or name another."""

    code, title, status = "list_not_found", "No such list", 404


class ListOfOtherClient(Permanent):
    """The list is another client's: the scenario mixes clients up."""

    code, title, status = "list_of_other_client", "The list belongs to another client", 422


class SupersedeOtherClient(Permanent):
    """The older dossier is another client's: the scenario mixes clients up."""

    code, title, status = "supersede_other_client", "The older dossier belongs to another client", 422


class SupersedeTaken(Permanent):
    """The older dossier has a successor: supersede that one, or archive it first."""

    code, title, status = "supersede_taken", "The older dossier has a successor already", 422


class SupersedePending(Waiting):
    """The older run is still being published: it is waited for."""

    code, title, status = "supersede_pending", "The older run is not published yet", 422


class PublishConflict(Permanent):
    """The run has a publish with other parameters: send the same, or `republish: true`."""

    code, title, status = "publish_conflict", "The run was published with other parameters", 422


class JobStateConflict(Permanent):
    """The job's state does not allow the action: nothing was changed."""

    code, title, status = "job_state_conflict", "The job's state does not allow this", 422


class Validation(Permanent):
    """The request's fields are wrong: the caller must correct those named."""

    code, title, status = "validation", "The request is not valid", 422


class WrongUsage(Validation):
    """What is asked for can never be meant, whatever the database holds: exit status 2 on the command line."""


class InvalidJson(Permanent):
    """The body is not JSON: the caller must build it with a JSON tool."""

    code, title, status = "invalid_json", "The body is not valid JSON", 400


class PayloadTooLarge(Permanent):
    """The body is over the limit: send fewer outputs a request."""

    code, title, status = "payload_too_large", "The body is too large", 413


class Unauthorized(Permanent):
    """No key, or not one of ours."""

    code, title, status = "unauthorized", "A valid API key is needed", 401


class Forbidden(Permanent):
    """A key without the scope this call needs."""

    code, title, status = "forbidden", "The API key may not do this", 403


class NotFound(Permanent):
    """No such path, or no such key."""

    code, title, status = "not_found", "Not found", 404


class MethodNotAllowed(Permanent):
    """A path that does not know this method."""

    code, title, status = "method_not_allowed", "The path does not know this method", 405


class Unavailable(ColumnlineError):
    """Something we need is down: the same request will do later. Ops must act if it lasts."""

    code, title, status, retryable = "unavailable", "Temporarily unavailable", 503, True


class Internal(ColumnlineError):
    """Attempts were used up by faults that are not the data's: a bug or a sick machine. Ops must look."""

    code, title, status, retryable = "internal", "It failed in a way nobody foresaw", 500, True
