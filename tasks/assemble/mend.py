"""JSON as careless models write it, read without guessing.

Knows the faults that are a matter of spelling (domain, "What LLM outputs really look like"): comments,
trailing commas, keys in no quotes, texts in single or curly ones or with quotes and line breaks in them,
Python's and JavaScript's words, NaN, and an end that was cut off. Time grows with the length of the text
and with nothing else.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

_ENDS = r"\s{0,40}(?:[,:}\]]|//|/\*|\Z)"
"""What follows a quote that ends a text. Any other quote is one of the text."""


def _quoted(quote: str) -> str:
    """The pattern of a text between quotes; one that is cut off has no second.

    A quote before another quote may stand for a missing comma: there the text ends, and the reading too.
    """
    others = quote.strip("[]")
    return rf"{quote}(?:[^{others}\\]|\\.|{quote}(?!{_ENDS}|\s{{0,40}}{quote}))*+(?:{quote}|\\?\Z)"


_TEXTS = "|".join(map(_quoted, ('"', "'", "[\u201c\u201d]", "[\u2018\u2019]")))
_TOKEN = re.compile(
    rf"""(?P<skip>\s++|//[^\n]*+|\#[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?)"""
    rf"""|(?P<mark>[{{}}\[\]:,])|(?P<text>{_TEXTS})|(?P<word>[^\s{{}}\[\]:,"'\u2018\u2019\u201c\u201d]++)""",
    re.DOTALL,
)
_ESCAPE = re.compile(r"""\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})|\\'|\\|\"""")
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_CUT_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)(?:\\u[dD][89abAB][0-9a-fA-F]{2})?(?:\\(?:u[0-9a-fA-F]{0,3})?)?\Z")
"""The end of a text that was cut within an escape, or between the two halves of a character."""

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_BARE_KEY = re.compile(r"[A-Za-z_$][\w$-]*")
_WORDS = {"true": "true", "True": "true", "false": "false", "False": "false", "null": "null", "None": "null"} | (
    dict.fromkeys(("NaN", "Infinity", "-Infinity", "undefined"), "null")
)
_CLOSER = {"{": "}", "[": "]"}
_DECODER = json.JSONDecoder(strict=False)


class NotMendedError(Exception):
    """There is more wrong with the text than its spelling."""


@dataclass(frozen=True, slots=True)
class Mended:
    """A value, where its text ends, and whether it was cut off there."""

    value: Any
    end: int
    is_cut: bool


def mend(text: str, start: int) -> Mended:
    """Read the object or list that begins at `start`, whatever follows it.

    Of a text that was cut off, what is certain is kept: the last text as far as it goes, but no number
    and no word that touches the cut, and no key without its value.

    Raises:
        NotMendedError: it cannot be read without guessing.
        RecursionError: it is nested too deeply.
    """
    strict = _Strict()
    end = start
    while end < len(text):
        token = _TOKEN.match(text, end)
        if token is None:
            raise NotMendedError
        end = token.end()
        strict.take(str(token.lastgroup), token[0], at_end=end == len(text))
        if not strict.open:
            return Mended(strict.value(), end, is_cut=False)
    return Mended(strict.value(), end, is_cut=True)


class _Strict:
    """Writes the tokens it takes as strict JSON.

    Attributes:
        open: the closing bracket of each object and list that is not closed yet, the innermost last.
        due: what may come next: a `value`, an `item` (or the list's end), a `key` (or the object's end),
            a `colon`, a `comma` (or an end).
    """

    def __init__(self) -> None:
        self.open: list[str] = []
        self.due = "value"
        self._written: list[str] = []
        self._before = ""  # a comma or a key that is written once a value follows it

    def take(self, kind: str, token: str, *, at_end: bool) -> None:
        """Take a token; `at_end`: nothing follows it, so it may be cut."""
        if kind == "mark":
            self._mark(token)
        elif kind == "text":
            self._text(token, is_whole=not (at_end and _is_open(token)))
        elif kind == "word":
            self._word(token, is_whole=not at_end)

    def value(self) -> Any:
        """What was written, with every bracket closed."""
        try:
            return _DECODER.decode("".join(self._written) + "".join(reversed(self.open)))
        except ValueError:
            raise NotMendedError from None

    def _mark(self, mark: str) -> None:
        if mark in _CLOSER and self.due in {"value", "item"}:
            self._write(mark)
            self.open.append(_CLOSER[mark])
            self.due = "key" if mark == "{" else "item"
        elif mark in {"}", "]"} and self.due in {"comma", "key", "item"} and self.open[-1:] == [mark]:
            self.open.pop()
            self._written.append(mark)
            self._before = ""
            self.due = "comma"
        elif mark == ":" and self.due == "colon":
            self.due = "value"
        elif mark == "," and self.due == "comma":
            self._before = ","
            self.due = "key" if self.open[-1] == "}" else "item"
        else:
            raise NotMendedError

    def _text(self, text: str, *, is_whole: bool) -> None:
        inside = text[1:-1] if is_whole else _CUT_ESCAPE.sub(r"\1", text[1:])
        if text[0] in _ESCAPED.sub("", inside) and (self.due == "key" or not is_whole):
            raise NotMendedError  # its quotes may as well have ended it
        if is_whole or self.due != "key":
            self._scalar(_requoted(inside))

    def _word(self, word: str, *, is_whole: bool) -> None:
        if self.due == "key" and _BARE_KEY.fullmatch(word):
            self._scalar(_requoted(word))
        elif is_whole:
            written = _WORDS.get(word) or (word if _NUMBER.fullmatch(word) else None)
            if written is None or self.due == "key":
                raise NotMendedError
            self._scalar(written)

    def _scalar(self, written: str) -> None:
        if self.due == "key":
            self._before += written + ":"
            self.due = "colon"
        elif self.due in {"value", "item"}:
            self._write(written)
            self.due = "comma"
        else:
            raise NotMendedError

    def _write(self, written: str) -> None:
        self._written += (self._before, written)
        self._before = ""


def _is_open(token: str) -> bool:
    """Whether a text at the very end has no second quote."""
    bare = _ESCAPED.sub("", token)
    closing = bare[0] if bare[0] in "\"'" else "\u201c\u201d\u2018\u2019"
    return len(bare) == 1 or bare[-1] not in closing


def _requoted(inside: str) -> str:
    """A text in double quotes, its escapes made valid."""
    return '"' + _ESCAPE.sub(_escape, inside) + '"'


def _escape(found: re.Match[str]) -> str:
    known = {"\\'": "'", "\\": "\\\\", '"': '\\"'}
    return known.get(found[0], found[0])
