"""Decide where a dossier goes before it is written: calendar, chain and list (roadmap §2, §5, §6)."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from models.domain_name import company_key
from models.orders import PublishOrder
from models.production import DossierStatus
from models.values import Draft, Notice
from tasks.load import LoadedRun
from worker import lists
from worker.calendar import chain, gaps, slots
from worker.calendar.chain import Newer
from worker.calendar.gaps import Link
from worker.calendar.slots import Place
from worker.choices import SupersedePolicy
from worker.errors import DossierNotReady, SupersedeTaken
from worker.settings import Settings

NO_DOMAIN = Notice(
    "supersede_no_domain",
    "No older dossier of this company was looked for: the run gives no domain to know it by.",
    field="company_domain",
)
KEPT = Notice(
    "supersede_kept",
    "The dossier was replaced or archived before, so no older one was looked for: it replaces none, as it did.",
    field="supersede",
)
ARCHIVED = Notice(
    "dossier_archived",
    "The dossier stays archived: this changed what is in it, not who sees it. To have another for its readers, "
    "publish under a new run id.",
    field="status",
)


@dataclass(frozen=True, slots=True)
class Placing:
    """Where a dossier goes.

    Attributes:
        place: None leaves it where it is: a republish that says nothing about its release.
        relinks: whether `supersedes` is to be written; False leaves the link as it is.
        supersedes: the older dossier it is to replace, or None.
        behind: the links of older dossiers that were never shown, and end its chain.
        list: the list to put it on, by id, or by name where it is made on demand; None: no list.
    """

    place: Place | None
    relinks: bool
    supersedes: UUID | None
    behind: tuple[Link, ...]
    list: UUID | str | None
    notices: tuple[Notice, ...] = ()


def placing(
    session: Session, config: Settings, run: LoadedRun, draft: Draft, order: PublishOrder, *, lock: bool = True
) -> Placing:
    """Where the run's dossier is to go: as asked, else as its client wants it, else as the settings say.

    A republish keeps release, link and lists but for what it names. With `lock=False` it is only looked at, as for
    a preview.

    Raises:
        AlreadyReleased, DossierNotReady, DripUnavailable: about the release date.
        DossierNotFound, SupersedePending, SupersedeOtherClient, SupersedeTaken, Validation: about the older
            dossier.
        ListNotFound, ListOfOtherClient: about the list.
    """
    where = _place(session, run, order)
    newer = Newer(run.input.dossier_id, run.client_id, company_key(draft.company_domain))
    relinks, older, notices = _older(session, config, run, newer, order, lock=lock)

    def newest(wish: str | None) -> UUID | None:
        is_auto = _is_auto(config, run, order.supersede or wish)
        return chain.newest(session, newer, lock=lock) if is_auto else None

    behind: tuple[Link, ...] = ()
    if relinks and (order.names_an_older or run.rerun_of is not None):  # the newest of a company is never a gap
        behind = gaps.closed(session, newer, older, newest, lock=lock)
    if run.before is not None and run.before.status == DossierStatus.ARCHIVED:
        notices += (ARCHIVED,)
    return Placing(where, relinks, older, behind, _list(session, config, run, order), notices)


def _place(session: Session, run: LoadedRun, order: PublishOrder) -> Place | None:
    before, asked = run.before, order.release_date
    if run.is_outdated:
        return None
    if run.is_new or before is None:
        return slots.place(session, run.clock, asked, run.now, but=run.input.dossier_id)
    if asked is None:
        return None
    if before.released_at is not None and before.released_at <= run.now:
        slots.must_have_come(run.clock, asked, run.now, run.input.dossier_id)
        return None
    if before.status != DossierStatus.READY:
        raise DossierNotReady(
            f"Dossier {run.input.dossier_id} is {before.status}, so it has no release. Republish without "
            "`release_date`, or publish under a new run id.",
            field="release_date",
        )
    return slots.place(session, run.clock, asked, run.now, but=run.input.dossier_id)


def _older(
    session: Session, config: Settings, run: LoadedRun, newer: Newer, order: PublishOrder, *, lock: bool
) -> tuple[bool, UUID | None, tuple[Notice, ...]]:
    linked = run.before.supersedes_dossier_id if run.before else None
    older: UUID | None = None
    if _keeps_its_place(run, order):
        return False, linked, (KEPT,) if order.supersede == SupersedePolicy.AUTO.value and linked is None else ()
    if order.names_an_older:
        older = chain.named(
            session, newer, run_id=order.supersedes_run_id, dossier_id=order.supersedes_dossier_id, lock=lock
        )
    elif order.supersede is None and (linked is not None or not run.is_new):
        return False, linked, ()
    elif run.rerun_of is not None and order.supersede != "none" and linked is None:
        older = chain.newest_after(session, newer, run.rerun_of, lock=lock)
    elif _is_auto(config, run, order.supersede):
        if linked is not None:
            return False, linked, ()
        if newer.company_key is None:
            return True, None, (NO_DOMAIN,)
        older = chain.newest(session, newer, lock=lock)
    seen = run.before is not None and run.before.released_at is not None
    if seen and linked not in {None, older}:
        raise SupersedeTaken(
            f"Dossier {newer.id} has replaced {linked} before its readers' eyes, which cannot be taken back. "
            "Republish without naming another.",
            field="supersede",
        )
    return True, older, ()


def _is_auto(config: Settings, run: LoadedRun, wish: str | None) -> bool:
    return (wish or run.supersede or config.supersede) == SupersedePolicy.AUTO


def _keeps_its_place(run: LoadedRun, order: PublishOrder) -> bool:
    """Whether a publish leaves the dossier's link as it is: it was replaced, archived, or is not finished.

    Raises:
        DossierNotReady: the request would move it all the same. `auto` would not: it is sent with every publish.
    """
    if run.is_outdated:
        return True
    if run.is_new or run.before is None or run.before.status == DossierStatus.READY:
        return False
    if order.says_what_to_supersede and order.supersede != SupersedePolicy.AUTO.value:
        raise DossierNotReady(
            f"Dossier {run.input.dossier_id} is {run.before.status}, so it replaces what it replaces. Republish "
            "without naming another.",
            field="supersede",
        )
    return True


def _list(session: Session, config: Settings, run: LoadedRun, order: PublishOrder) -> UUID | str | None:
    usual = lists.usual(config, run.default_list)
    asked = lists.asked_for(session, run.client_id, order.default_list_id, order.list, usual)
    return asked if asked is not None else (usual or None) if run.is_new else None
