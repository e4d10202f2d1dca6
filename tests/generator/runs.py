"""Whole runs: the file that arrives, and the truth that a dossier made of it must hold."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.generator.damage import Damage
from tests.generator.envelopes import Envelopes
from tests.generator.facts import Facts, draw
from tests.generator.forms import Forms
from tests.generator.mishaps import befallen
from tests.generator.outreach import override_subject, subject
from tests.generator.plan import Row, plan
from tests.generator.request import Request, Size, requested
from tests.generator.shapes import Shapes
from tests.generator.trees import with_leaves
from tests.generator.values import Values, messy_domains

CLIENT: Final = "CLT_NORTHWIND_001"


@dataclass(frozen=True, slots=True)
class Contact:
    """A person the dossier must have among its contacts."""

    name: str
    email: str | None
    is_primary: bool


@dataclass(frozen=True, slots=True)
class Truth:
    """What a publish must make of a run.

    Attributes:
        expect: the run file's `expect`; the rest only matters where it is `ready`.
        company_domain: normalised.
        contacts: in order, companies left out.
        outreach: name and e-mail subject of each entry of `copy.outreach`, the client's own copy put in.
        signals: descriptions, the primary signal's first.
        sources: the URLs of `sources`, each once, in the order in which the steps gave them.
    """

    expect: str
    company_name: str
    company_domain: str
    lead_score: int
    urgency: str
    contacts: tuple[Contact, ...]
    outreach: tuple[tuple[str, str], ...]
    signals: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Generated:
    """A run file and the truth about it."""

    run: dict[str, Any]
    truth: Truth


def generate(
    seed: int,
    *,
    size: Size | str = Size.NORMAL,
    contacts: int | None = None,
    damage: Collection[Damage | str] = (),
    client_id: str = CLIENT,
    run_id: str | None = None,
) -> dict[str, Any]:
    """The run file of a seed: `note`, `expect`, `client`, `publish`, `run`, `steps`.

    The same arguments give the same run. The lead depends on the seed alone, so that knobs can be
    compared; another seed is another company. `expect` supposes that the client is mapped.

    Args:
        seed: any integer.
        size: how much there is of everything.
        contacts: people among the contacts; by default as many as the size has.
        damage: the knobs, in any combination.
        client_id: the v2 client.
        run_id: by default one made of the seed.
    """
    return generated(seed, size=size, contacts=contacts, damage=damage, client_id=client_id, run_id=run_id).run


def truth(
    seed: int,
    *,
    size: Size | str = Size.NORMAL,
    contacts: int | None = None,
    damage: Collection[Damage | str] = (),
) -> Truth:
    """What must come out of the run that `generate` makes of the same arguments."""
    return generated(seed, size=size, contacts=contacts, damage=damage).truth


def generated(
    seed: int,
    *,
    size: Size | str = Size.NORMAL,
    contacts: int | None = None,
    damage: Collection[Damage | str] = (),
    client_id: str = CLIENT,
    run_id: str | None = None,
) -> Generated:
    """The run file and the truth in one go; arguments as for `generate`."""
    request = requested(seed, Size(size), contacts, frozenset(map(Damage, damage)))
    facts = draw(seed, request.contacts)
    rows = plan(request, facts)
    right = _truth(request, facts, rows)
    run = _run(request, facts, client_id, run_id)
    file = {
        "note": _note(request),
        "expect": right.expect,
        "client": {"client_id": client_id},
        "publish": _publish(request),
        "run": run,
        "steps": list(_steps(request, run["run_id"], befallen(request, facts, rows))),
    }
    return Generated(run=file, truth=right)


def _truth(request: Request, facts: Facts, rows: list[Row]) -> Truth:
    urls = [source["url"] for row in rows for source in row.content.get("sources", ())]
    return Truth(
        expect=_expect(request),
        company_name=facts.company,
        company_domain=facts.domain,
        lead_score=100 if Damage.SCORE_OVER_RANGE in request.damage else facts.score,
        urgency=facts.urgency,
        contacts=tuple(
            Contact(person.name, person.email, position == facts.primary)
            for position, person in enumerate(facts.people)
        ),
        outreach=tuple(
            (
                person.name,
                override_subject(facts)
                if request.override and position == facts.primary
                else subject(facts, person),
            )
            for position, person in enumerate(facts.people)
        ),
        signals=tuple(signal.what for signal in facts.signals),
        sources=tuple(dict.fromkeys(urls)),
    )


def _expect(request: Request) -> str:
    """What came and cannot be used ends a run at once; what never came is waited for."""
    if Damage.PROSE_ONLY in request.damage:
        return "error:outputs_invalid"
    return "error:outputs_missing" if Damage.MISSING_WRITER in request.damage else "ready"


def _note(request: Request) -> str:
    knobs = ", ".join(knob for knob in Damage if knob in request.damage)
    return (
        f"Generated: seed {request.seed}, {request.size}, contacts {request.contacts}; damage: {knobs or 'none'}."
    )


def _run(request: Request, facts: Facts, client_id: str, run_id: str | None) -> dict[str, Any]:
    rng = request.rng("run")
    day, number = f"202601{rng.randint(1, 31):02d}", rng.randint(0, 9999)
    empty = Damage.EMPTY_FIELDS in request.damage
    return {
        "run_id": run_id or f"RUN_{day}_{request.seed:06d}",
        "client_id": client_id,
        "seed_data": _seed_data(request, facts),
        "triggered_by": "make.com",
        "dossier_id": "" if empty else f"DOSS_{day}_{number:04d}",
    }


def _seed_data(request: Request, facts: Facts) -> dict[str, Any]:
    """The seed that the run started from, under the names and in the spellings asked for."""
    rng = request.rng("seed_data")
    domain = facts.domain
    if Damage.MESSY_DOMAIN in request.damage:
        domain = next(messy_domains(request)).format(domain, domain.title())
    seed: dict[str, Any] = {"company_name": facts.company, "domain": domain}
    if Damage.SEED_ALIASES in request.damage:
        others = (
            {"name": facts.company, "company_domain": domain},
            {"company": facts.company, "domain": domain},
            {"seeds": [seed]},
        )
        seed = rng.choice(others)
    return with_leaves(seed, lambda _key, _value: "") if Damage.EMPTY_FIELDS in request.damage else seed


def _publish(request: Request) -> dict[str, Any]:
    """The publish request: nothing asked for, or Make.com's empty strings for nothing."""
    if Damage.EMPTY_FIELDS in request.damage:
        return {"release_date": "", "default_list_id": "", "supersedes_run_id": ""}
    return {}


def _steps(request: Request, run_id: str, rows: list[Row]) -> Iterator[dict[str, Any]]:
    values, shapes, forms, envelopes = Values(request), Shapes(request), Forms(request), Envelopes(request)
    for place, row in enumerate(rows):
        content = row.content
        if isinstance(content, dict):
            content = shapes(row.step, values(row.step, content))
        step = {
            "step_id": f"{run_id}_{place:02d}",
            "step_name": row.step,
            "status": row.status,
            "output": None if content is None else envelopes(forms(content)),
        }
        yield step
        if row.sent_twice:
            yield dict(step)
