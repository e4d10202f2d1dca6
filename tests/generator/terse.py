"""What a terse pipeline leaves unsaid: small runs have the same steps and sections with less in each."""

from typing import Any, Final

UNSAID: Final[dict[str, frozenset[str]]] = {
    "": frozenset({"one_liner", "score_explanation", "urgency_explanation", "opportunity_details"}),
    "company_deep_dive": frozenset(
        {
            "description",
            "employees",
            "founded_year",
            "full_address",
            "mainline_phones",
            "general_emails",
            "financial_profile",
            "recent_moves",
            "how_they_buy",
        }
    ),
    "network_intelligence": frozenset({"warm_paths", "partnerships", "conferences", "awards"}),
    "opportunity_intelligence": frozenset({"opportunity_type", "timeline", "budget_range", "key_details"}),
    "company_snapshot": frozenset({"description", "hq_city", "hq_state", "industry"}),
    "project_sites": frozenset({"address", "scope", "status", "estimated_value", "construction_start"}),
    "the_math": frozenset({"the_opportunity", "translation"}),
    "deal_strategy": frozenset({"how_they_buy"}),
    "competitive_positioning": frozenset({"landmines_to_avoid"}),
    "decision_making_process": frozenset({"key_roles", "organizational_structure", "entry_points"}),
    "contacts": frozenset({"company", "source", "source_url", "confidence"}),
}
"""For each key of an object or of a list of objects, the keys left out within; under "" those of a content."""


def terse(tree: Any, key: str = "") -> Any:
    """The content, or the part of it under `key`, without what is left unsaid."""
    if isinstance(tree, list):
        return [terse(each, key) for each in tree]
    if isinstance(tree, dict):
        unsaid = UNSAID.get(key, frozenset())
        return {name: terse(value, name) for name, value in tree.items() if name not in unsaid}
    return tree
