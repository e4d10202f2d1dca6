"""Where what the steps say was found: one list of links for the whole dossier."""

import re
from typing import Any

from tasks.assemble.clean import as_list
from tasks.assemble.fields import unfolded
from tasks.assemble.notes import Code, Notes, excerpt, kind

_LINK = re.compile(r"""https?://[^\s/?#"'<>\\]++[^\s"<>\\]*+""", re.IGNORECASE)
_TITLES = ("title", "text", "name", "source_name")
_URLS = ("url", "source_url", "link")


class Sources:
    """Collects sources, one per URL (domain, "Steps that matter")."""

    def __init__(self) -> None:
        self._by_url: dict[str, dict[str, Any]] = {}

    def add(self, given: Any, notes: Notes, *, private: bool) -> list[dict[str, Any]]:
        """Take a step's `sources` and return them as `{title, url}`, each with what else it said.

        The title is the first that any step gave for the URL, or the URL itself. Only http and https make
        a source, since the app shows each as a link; what has none is left out with a notice, which
        quotes it unless it is `private`.
        """
        taken = []
        listed = [source for part in as_list(given) for source in as_list(unfolded(part, "sources", notes))]
        for place, source in enumerate(listed):
            read = _read(source)
            if read is None:
                shown = kind(source) if private else _shown(source)
                notes.add(Code.SOURCE_REFUSED, f"no http(s) address, left out: {shown}", f"sources[{place}]")
                continue
            known = self._by_url.setdefault(read["url"], read)
            if known["title"] == known["url"]:
                known["title"] = read["title"]
            taken.append(read)
        return taken

    def all(self) -> list[dict[str, Any]]:
        """All of them, in the order in which their URLs were first seen."""
        return list(self._by_url.values())


def _read(source: Any) -> dict[str, Any] | None:
    if isinstance(source, str):
        source = {"url": source}
    if not isinstance(source, dict):
        return None
    url_key = next((name for name in _URLS if source.get(name)), "url")
    url = source.get(url_key)
    if not isinstance(url, str) or not _LINK.fullmatch(url.strip()):
        return None
    title_key = next((name for name in _TITLES if isinstance(source.get(name), str)), "title")
    rest = {key: value for key, value in source.items() if key not in {url_key, title_key, "url", "title"}}
    return {"title": source.get(title_key) or url.strip(), "url": url.strip()} | rest


def _shown(source: Any) -> str:
    if not isinstance(source, dict):
        return excerpt(source)
    return excerpt(next((source[name] for name in (*_URLS, *_TITLES) if source.get(name)), source))
