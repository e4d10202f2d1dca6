"""Which company a run is about: its name and its domain, from whoever says it best."""

from collections.abc import Iterator
from typing import Any

from models.domain_name import normalise_domain
from tasks.assemble.clean import Tally, as_list, clean
from tasks.assemble.notes import Code, Notes, excerpt
from tasks.assemble.outputs import Outputs
from tasks.assemble.steps import COMPOSER, INTRO, MEDIA, OPPORTUNITY

NAMES = ("company_name", "name", "company")
DOMAINS = ("domain", "company_domain")


def company_name(outputs: Outputs, seed: dict[str, Any]) -> str | None:
    """The company's name: the composer's, INTRO's, the snapshot's, then the seed's (domain, "Field by field")."""
    said = [
        outputs.of(COMPOSER).get("company_name"),
        outputs.of(INTRO).get("company_name"),
        *(snapshot.get("company_name") for snapshot in _snapshots(outputs)),
        *_from_seed(seed, NAMES),
    ]
    return next((" ".join(str(name).split()) for name in said if _is_name(name)), None)


def company_domain(outputs: Outputs, seed: dict[str, Any], notes: Notes) -> str | None:
    """The company's domain, in the same order, `8_MEDIA`'s before the seed's; the first that is one."""
    media = outputs.of(MEDIA).get("target_company")
    said = [
        *(outputs.of(step).get(name) for step in (COMPOSER, INTRO) for name in DOMAINS),
        *(snapshot.get("domain") for snapshot in _snapshots(outputs)),
        media.get("domain") if isinstance(media, dict) else None,
        *_from_seed(seed, DOMAINS),
    ]
    for given in said:
        if given is None:
            continue
        domain = normalise_domain(given) if isinstance(given, str) else None
        if domain is not None:
            return domain
        notes.add(Code.VALUE_UNREADABLE, f"no domain, passed over: {excerpt(given)}", "company_domain")
    return None


def _snapshots(outputs: Outputs) -> Iterator[dict[str, Any]]:
    """The company snapshots there are, the composer's last; a list of one counts as that one."""
    for step in (OPPORTUNITY, COMPOSER):
        for snapshot in as_list(outputs.of(step).get("company_snapshot"))[:1]:
            if isinstance(snapshot, dict):
                yield snapshot


def _from_seed(seed: dict[str, Any], names: tuple[str, ...]) -> Iterator[Any]:
    """What the seed has under these names: itself, an object under `company`, its only one of `seeds`."""
    tidy = clean(seed, Tally())
    seeds = as_list(tidy.get("seeds"))
    for where in (tidy, tidy.get("company"), *seeds[: len(seeds) == 1]):
        said = {"company_name": where} if isinstance(where, str) else where
        if isinstance(said, dict):
            yield from (said.get(name) for name in names)


def _is_name(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip() != ""
