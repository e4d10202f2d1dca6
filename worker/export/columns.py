"""The columns of each export: their names, what they say, and where in a dossier they are read.

The names are stable: people build filters and imports on them. One may be added at the end of a group; none is
renamed or taken away. Header, documentation and `--columns` are made from here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from models.view import ContactView, DossierView, EmailScript, WhyNow
from worker.export.cells import Cell, Value, cell
from worker.export.order import What
from worker.view.shown import Shown

_NOBODY, _NOTHING, _NONE = ContactView(), EmailScript(), WhyNow()


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file: the dossier, and what of it the row is about."""

    shown: Shown
    contact: ContactView = _NOBODY
    script: EmailScript = _NOTHING
    signal: WhyNow = _NONE
    position: int = 1


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a file."""

    name: str
    says: str
    read: Callable[[Row], Value]


def _row(name: str, says: str) -> Column:
    return Column(name, says, lambda row: getattr(row.shown.row, name))


def _view(name: str, says: str, *path: str) -> Column:
    return Column(name, says, lambda row: _at(row.shown.view, path or (name,)))


def _contact(name: str, says: str, field: str | None = None) -> Column:
    return Column(name, says, lambda row: getattr(row.contact, field or name))


def _script(name: str, says: str) -> Column:
    return Column(name, says, lambda row: getattr(row.script, name))


def _at(value: Any, path: Iterable[str]) -> Any:
    for name in path:
        value = getattr(value, name)
    return value


def _pairs(items: Iterable[Any], first: str, second: str) -> list[str]:
    """Each item as one text: its first field, and after a colon its second."""
    return [": ".join(filter(None, (getattr(item, first), getattr(item, second)))) for item in items]


_DOSSIER = (
    _row("id", "the dossier's id"),
    _row("run_id", "the pipeline's run; none for V1"),
    _row("pipeline_version", "`v1` or `v2`"),
    Column("client", "the client's name", lambda row: row.shown.client_name),
    _view("company", "the company's name", "company_name"),
    _view("domain", "its domain"),
    _view("lead_score", "0 to 100"),
    _view("urgency", "`Low`, `Medium`, `High` or `Critical`"),
    _row("status", "`ready`, `superseded`, …"),
    Column("batch_number", "the batch's number", lambda row: row.shown.batch_number),
    _view("batch_date", "the client's day that the app groups it under"),
    _view("lists", "names of the lists it is on"),
    _row("release_date", "the client's day of release"),
    _row("released_at", "when its readers saw it, or will"),
    _view("updated", "whether a newer dossier has replaced it"),
    _row("created_at", "when it was made"),
)
DOSSIER = (Column("dossier_id", _DOSSIER[0].says, _DOSSIER[0].read), *_DOSSIER[1:])

_BRIEF = (
    _view("what_they_do", "what the company does"),
    _view("the_angle", "how to approach it"),
    _view("explanation", "of the score"),
    _view("timing_context", "why now rather than later"),
    Column("primary_signal", "the first signal that it is about to buy", lambda row: row.signal.signal),
    Column("primary_signal_happening", "what is going on", lambda row: row.signal.happening),
    Column("primary_signal_source", "where that was found", lambda row: row.signal.proof.text),
    Column("primary_signal_url", "the address of that", lambda row: row.signal.proof.url),
    Column("signals", "how many there are", lambda row: len(row.shown.view.why_now)),
    _contact("primary_contact_name", "whom to speak to", "name"),
    _contact("primary_contact_title", "that person's title", "title"),
    _contact("primary_contact_email", "that person's e-mail address", "email"),
    _contact("primary_contact_phone", "that person's phone number", "phone"),
    _contact("primary_contact_linkedin_url", "that person's LinkedIn page", "linkedin_url"),
    Column("contacts", "how many there are", lambda row: len(row.shown.view.contacts)),
    _view("summary", "the company in short", "company_intel", "summary"),
    _view("numbers", "such as `410 employees`", "company_intel", "numbers"),
    _view("mainline_phones", "its phone numbers", "company_intel", "mainline_phones"),
    _view("general_emails", "its e-mail addresses", "company_intel", "general_emails"),
    _view("opportunity", "what it is about to buy", "opportunity_intelligence", "headline"),
    _view("opportunity_type", "of which kind that is", "opportunity_intelligence", "opportunity_type"),
    _view("opportunity_timeline", "by when", "opportunity_intelligence", "timeline"),
    _view("opportunity_budget", "for how much", "opportunity_intelligence", "budget_range"),
    _view("opportunity_details", "in detail", "opportunity_intelligence", "key_details"),
    _view("why_it_matters", "to the client", "opportunity_intelligence", "why_it_matters"),
    _view("their_reality", "the math: what it costs them now", "the_math_structured", "their_reality"),
    _view("the_opportunity", "the math: what they could have", "the_math_structured", "the_opportunity"),
    _view("translation", "the math: what that means", "the_math_structured", "translation"),
    _view("bottom_line", "the math: what it comes to", "the_math_structured", "bottom_line"),
    _view("how_they_buy", "how to win the deal", "deal_strategy", "how_they_buy"),
    _view("unique_value", "what only the client offers", "deal_strategy", "unique_value"),
    _view("typical_process", "how they decide", "decision_strategy", "typical_process"),
    _view("entry_points", "where to begin", "decision_strategy", "entry_points"),
    Column(
        "warm_paths",
        "who can make the introduction, and who that is",
        lambda row: _pairs(row.shown.view.network_intelligence.warm_paths_in, "title", "description"),
    ),
    Column(
        "objections",
        "what they will say against it, and what to answer",
        lambda row: _pairs(row.shown.view.common_objections, "objection", "response"),
    ),
    _view("conversation_starters", "how to open the call", "quick_reference", "conversation_starters"),
    Column(
        "sources",
        "where all this was found",
        lambda row: [source.url or source.text or "" for source in row.shown.view.sources],
    ),
)

_CONTACT = (
    _contact("contact_id", "the contact's id; none in V1 dossiers that keep contacts in a section"),
    _contact("is_primary", "whether it is the one to speak to first"),
    _contact("contact_name", "the person's name", "name"),
    _contact("first_name", "the first name"),
    _contact("last_name", "the last name"),
    _contact("title", "the title at the company"),
    _contact("email", "the e-mail address"),
    _contact("phone", "the phone number"),
    _contact("linkedin_url", "the LinkedIn page"),
    _contact("bio", "about the person"),
    _contact("tenure", "since when at the company"),
    _script("email_subject", "of the e-mail written for this person"),
    _script("email_body", "of the e-mail written for this person"),
    _script("linkedin_message", "the LinkedIn message written for this person"),
)

_SIGNAL = (
    Column("position", "1 for the primary signal", lambda row: row.position),
    Column("signal", "what kind of signal it is", lambda row: row.signal.signal),
    Column("happening", "what is going on", lambda row: row.signal.happening),
    Column("proof_text", "where that was found", lambda row: row.signal.proof.text),
    Column("proof_url", "the address of that", lambda row: row.signal.proof.url),
)

COLUMNS: Mapping[What, tuple[Column, ...]] = MappingProxyType(
    {
        What.DOSSIERS: DOSSIER + _BRIEF,
        What.CONTACTS: DOSSIER + _CONTACT,
        What.SIGNALS: DOSSIER + _SIGNAL,
    }
)


def header(what: What) -> list[str]:
    """The names of the columns."""
    return [column.name for column in COLUMNS[what]]


def cells(what: What, shown: Shown) -> Iterator[list[Cell]]:
    """The rows that a dossier gives: one for itself, or one for each of its contacts or signals."""
    columns = COLUMNS[what]
    about_it = [cell(column.read(Row(shown)), shown.timezone) for column in DOSSIER]
    for row in _rows(what, shown):
        yield about_it + [cell(column.read(row), shown.timezone) for column in columns[len(DOSSIER) :]]


def _rows(what: What, shown: Shown) -> Iterator[Row]:
    view = shown.view
    match what:
        case What.DOSSIERS:
            contact, signal = next(iter(view.contacts), _NOBODY), next(iter(view.why_now), _NONE)
            yield Row(shown, contact=contact, signal=signal)
        case What.CONTACTS:
            scripts = _Scripts(view)
            for contact in view.contacts:
                yield Row(shown, contact=contact, script=scripts.to(contact))
        case What.SIGNALS:
            for position, signal in enumerate(view.why_now, 1):
                yield Row(shown, signal=signal, position=position)


class _Scripts:
    """A dossier's outreach, found by the id of whom it is for; else, where that is no contact's here, by the name.

    V1 knew contacts by numbers of its own, such as `c1`.
    """

    def __init__(self, view: DossierView) -> None:
        ids = {str(contact.contact_id) for contact in view.contacts if contact.contact_id}
        self._by_id: dict[str, EmailScript] = {}
        self._by_name: dict[str, EmailScript] = {}
        for script in view.email_scripts:
            if script.contact_id is not None and script.contact_id in ids:
                self._by_id.setdefault(script.contact_id, script)
            elif script.target_name:
                self._by_name.setdefault(script.target_name.casefold(), script)

    def to(self, contact: ContactView) -> EmailScript:
        """What was written for the contact."""
        by_id = self._by_id.get(str(contact.contact_id))
        return by_id or self._by_name.get((contact.name or "").casefold(), _NOTHING)
