"""The logo and the pictures of a dossier."""

from typing import Any

from tasks.assemble.clean import as_list

LOGOS = (
    "https://www.google.com/s2/favicons?domain={domain}&sz=128",
    "https://icons.duckduckgo.com/ip3/{domain}.ico",
    "https://{domain}/favicon.ico",
)
"""Where a logo is found by domain, the best first: no key, no contract, always an answer."""


def with_logo(media: dict[str, Any], domain: str | None) -> None:
    """Give `media` a logo and what to try where it fails (domain, "Field by field": media).

    The `logo_url` that was found stays. Without one, the first built from the domain takes its place.
    `logo_fallback_chain` is what the step gave, then what the domain gives, none of them twice.
    """
    built = [logo.format(domain=domain) for logo in LOGOS] if domain else []
    chain = {str(url): url for url in [*as_list(media.get("logo_fallback_chain")), *built] if url is not None}
    media["logo_url"] = media.get("logo_url") or next(iter(chain.values()), None)
    chain.pop(str(media["logo_url"]), None)
    media["logo_fallback_chain"] = list(chain.values())
