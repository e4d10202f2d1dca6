"""Broken JSON patched by json-repair, which guesses: what is left when nothing certain can be read."""

from typing import Any

from json_repair.json_parser import JSONParser

from tasks.assemble.notes import UnusableError

LOOKS = 16
"""Looks allowed for each character of the text, on average. Texts that can be patched take two or three."""

LONGEST = 20_000
"""Characters of the longest text that is patched: what json-repair does between two looks grows too."""

_NOT_A_NUMBER = frozenset({"NaN", "Infinity", "-Infinity"})


def patch(text: str) -> Any:
    """What json-repair makes of a text that begins like JSON.

    Raises:
        UnusableError: it makes no object of it, or would take too long.
        RecursionError: the text is nested too deeply.
    """
    if len(text) > LONGEST:
        raise UnusableError("its JSON is broken and too long to be patched", text)
    value = _Patcher(text).parse()
    if isinstance(value, list) and text.startswith("{"):
        value = next((item for item in value if isinstance(item, dict)), None)
    if not isinstance(value, dict | list):
        raise UnusableError("there is no JSON object in its text", text)
    return _without_nan(value)


class _Patcher(JSONParser):
    """json-repair with a bound on its effort.

    Its heuristics look ahead again at every oddity: a few thousand stray brackets would keep it busy for
    minutes.
    """

    def __init__(self, text: str) -> None:
        self._left = LOOKS * len(text) + 10_000
        super().__init__(text, None, logging=False)

    def get_char_at(self, count: int = 0) -> str | None:
        self._look(1)
        return super().get_char_at(count)

    def skip_to_character(self, character: str | list[str], idx: int = 0) -> int:
        end = super().skip_to_character(character, idx)
        self._look(end - idx)
        return end

    def scroll_whitespaces(self, idx: int = 0, *, backwards: bool = False) -> int:
        end = super().scroll_whitespaces(idx, backwards=backwards)
        self._look(abs(end - idx))
        return end

    def parse_parenthesized(self, *arguments: Any, **keywords: Any) -> Any:
        self._look(len(self.json_str) - self.index)  # it searches the rest for the closing one
        return super().parse_parenthesized(*arguments, **keywords)

    def _look(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise UnusableError("its JSON is broken in too many places", self.json_str[:])


def _without_nan(value: Any) -> Any:
    """json-repair reads a bare NaN as that word."""
    match value:
        case dict():
            return {key: _without_nan(item) for key, item in value.items()}
        case list():
            return [_without_nan(item) for item in value]
        case str() if value in _NOT_A_NUMBER:
            return None
        case _:
            return value
