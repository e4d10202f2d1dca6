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

from models.clean import snake_case

_ENDS = r"\s{0,40}(?:[,:}\]]|//|/\*|\Z)"
"""What follows a quote that ends a text. Any other quote is one of the text."""


def _quoted(quote: str) -> str:
    """The pattern of a text between quotes; one that is cut off has no second.

    A quote before another quote may stand for a missing comma: there the text ends, and the reading too.
    """
    others = quote.strip("[]")
    letters = rf"[^{others}\\]*+"
    within = rf"(?:\\.|{quote}(?!{_ENDS}|\s{{0,40}}{quote}))"
    return rf"{quote}{letters}(?:{within}{letters})*(?:{quote}|\\?\Z)"


_TEXTS = "|".join(map(_quoted, ('"', "'", "[\u201c\u201d]", "[\u2018\u2019]")))
_TOKEN = re.compile(
    rf"""(?P<skip>\s++|//[^\n]*+|\#[^\n]*+|/\*[^*]*+(?:\*(?!/)[^*]*+)*(?:\*/)?)"""
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
_WHOLE_OR_NOTHING = re.compile(
    r"(?:.*_)?(?:name|domain|website|url|date|emails?|email_address|phones?|phone_number|linkedin|linkedin_profile)"
)
_PROSE = 60
"""Characters of the longest text without a space that may be one name or one word."""

_CLOSER = {"{": "}", "[": "]"}
_DECODER = json.JSONDecoder(strict=False)


class NotMendedError(Exception):
    """There is more wrong with the text than its spelling."""


@dataclass(frozen=True, slots=True)
class Mended:
    """A value, where its text ends, whether it was cut off there, and the path of what a cut may have hurt."""

    value: Any
    end: int
    is_cut: bool
    last: str | None = None


def mend(text: str, start: int, decoder: json.JSONDecoder = _DECODER) -> Mended:
    """Read the object or list that begins at `start`, whatever follows it.

    Of a text that was cut off, what is certain is kept: the last text as far as it goes, if it can be told
    in part, but no number and no word that touches the cut, and no key without its value.

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
            return Mended(strict.value(decoder), end, is_cut=False)
    return Mended(strict.value(decoder), end, is_cut=True, last=last_field(strict.value(_DECODER, due="null")))


def tells_in_part(key: str | None, text: str) -> bool:
    """Whether a text that was cut off is prose: half of a name, an address or a word is another.

    Prose in Chinese, Japanese or Thai has no spaces: it is told by its length.
    """
    is_prose = len(text.split()) > 1 or (len(text) > _PROSE and "://" not in text)
    return is_prose and not (key and _WHOLE_OR_NOTHING.fullmatch(snake_case(key)))


def last_field(value: Any) -> str | None:
    """The path of the value written last: the one that a missing end may have cut."""
    path = ""
    while value and isinstance(value, dict | list):
        if isinstance(value, list):
            path, value = f"{path}[{len(value) - 1}]", value[-1]
        else:
            key = next(reversed(value))
            path, value = f"{path}.{key if key.isidentifier() else '*'}", value[key]
    return path.removeprefix(".") or None


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

    def value(self, decoder: json.JSONDecoder, due: str = "") -> Any:
        """What was written, with every bracket closed; `due` stands where a value was due."""
        last = self._before + due if due and self.due in {"value", "item"} else ""
        try:
            return decoder.decode("".join(self._written) + last + "".join(reversed(self.open)))
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
        written = _requoted(inside)
        if is_whole or not self._is_half(written):
            self._scalar(written)

    def _is_half(self, written: str) -> bool:
        """Whether a text that was cut off is of no use as far as it goes."""
        if self.due in {"value", "item"}:
            return not tells_in_part(self._key(), _DECODER.decode(written))
        return self.due == "key"

    def _key(self) -> str | None:
        """The key whose value comes next, if one does."""
        return str(_DECODER.decode(self._before.strip(",:"))) if self.due == "value" and self._before else None

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
