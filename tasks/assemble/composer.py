"""`11_DOSSIER_COMPOSER` in the writers' terms.

The composer speaks the app's view form. Most of its names are aliases that any step may use (`shapes`,
`steps.ALIASES`); what differs in structure is rewritten here, so that everything behind this module
knows one form only.
"""

from typing import Any

from tasks.assemble.clean import as_list, is_nothing
from tasks.assemble.fields import fill, tell_lost
from tasks.assemble.notes import Notes


def as_written(composed: dict[str, Any], notes: Notes) -> dict[str, Any]:
    """The composer's content as the five writers would have written it.

    - `whyNow`: its first entry is the primary buying signal, if there is no other; the rest are additional.
    - `whatTheyDo` and `domain`: the company snapshot's description and domain.
    - `companyIntel`: the deep dive.
    - `quickReference.conversationStarters`: the conversation starters; the rest of it stays as it is.

    Fields in the writers' own form that the composer gives besides win over those of the view form, with
    a notice. Unknown fields are kept.
    """
    written = dict(composed)
    view: dict[str, Any] = {}
    signals = [*as_list(written.pop("why_now", None))]
    if is_nothing(written.get("primary_buying_signal")) and signals:
        view["primary_buying_signal"] = signals.pop(0)
    view["additional_signals"] = signals
    view["company_snapshot"] = {
        name: value
        for name, value in (
            ("company_name", written.get("company_name")),
            ("description", written.pop("what_they_do", None)),
            ("domain", written.pop("domain", None)),
        )
        if value is not None
    }
    view["company_deep_dive"] = written.pop("company_intel", None)
    starters, rest = _taken(written.pop("quick_reference", None), "conversation_starters")
    view["conversation_starters"] = starters
    view["quick_reference"] = rest
    tell_lost(fill(written, {name: value for name, value in view.items() if not is_nothing(value)}), notes)
    return written


def as_network(research: dict[str, Any], notes: Notes) -> dict[str, Any]:
    """`5C_CLIENT_SPECIFIC` in the writers' terms: its `warmPathsIn` are the network's warm paths."""
    written = dict(research)
    paths = written.pop("warm_paths_in", None)
    if paths is not None:
        tell_lost(fill(written, {"network_intelligence": {"warm_paths": paths}}), notes)
    return written


def _taken(value: Any, name: str) -> tuple[Any, Any]:
    """What an object has under `name`, and the rest of it; anything else is what would stand there."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        value = value[0]
    if not isinstance(value, dict):
        return value, None
    return value.get(name), {key: item for key, item in value.items() if key != name} or None
