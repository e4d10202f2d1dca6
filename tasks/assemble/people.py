"""Names: whether one is a person's, how to compare two, how to take one apart."""

import re
import unicodedata
from functools import lru_cache

from models.clean import index_of
from tasks.assemble.nicknames import are_one, sounded


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


HONORIFICS = _set("mr mrs ms miss mx dr doctor prof professor sir herr frau mme mlle dipling sr sra srta")
"""Titles before a name. None of them is a first name: Don and Lady are people too."""

SUFFIXES = _set("phd mba cpa cfa pmp esq mrics frics leed jr ii iii")
"""What may follow a name without a comma. MA and BA may not: Jack Ma is no Master of Arts."""

CREDENTIALS = SUFFIXES | _set("md dds jd msc bsc pe peng p eng riba aia faia sr iv")
"""What may follow a name after a comma."""

_GENERATIONS = _set("jr ii iii")
_FOLDED = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i"})
_APOSTROPHES = str.maketrans("", "", "'\u2019\u2018\u02bc`\u00b4")

_LEGAL_FORMS = _set(
    "inc incorporated llc llp lllp pllc ltd limited plc corp corporation gmbh kgaa ohg sarl srl oyj aps pty pte"
)
"""Ends of a company's name, whatever their case and dots."""

_SHORT_FORMS = _set("ag sa spa sas nv bv")
"""Legal forms that are a surname somewhere: only with dots in them, or in capitals after a name that is not."""

_KINDS = _set(
    "architects associates authority builders college committee company consultancy consultants consulting"
    " construction constructors contractors department engineering engineers enterprises foundation group holdings"
    " hospital industries institute ministry partners partnership properties services solutions systems"
    " technologies university ventures"
)
"""Last words that only organisations bear. None of them is a surname worth the name."""

_ELSEWHERE = re.compile(
    "株式会社|有限会社|合同会社|有限公司|集团|주식회사|유한회사|\\(株\\)|㈜|\\b(?:ООО|ЗАО|ПАО|ОАО|ТОВ)\\b"  # noqa: RUF001
)
_BODY = re.compile(
    r"(?:the\s+)?(?:board|city|county|department|government|ministry|office|port|province|state|town|university)\s+of\b",
    re.IGNORECASE,
)
_JOINT = re.compile(r"\s&\s|(?<=\w)\+(?=\w)|&\s*co\b", re.IGNORECASE)
_NO_LETTERS = re.compile(r"[\W_]+")
_WORD = re.compile(r"[^\s,]+")
_COMPANY_BEHIND = (re.compile(r"([^(]+)\((.+)\)\s*"), re.compile(r"([^,]+),(.+)"))
_BEHIND = re.compile(r"[,(]|\s[-\u2013\u2014]\s")
"""Where a name ends and a title or a company begins."""

_PARTICLES = _set("al bin da das de del della den der di dos du el ibn la le ten ter van von y zu")
_LONGEST_NAME = 6
_MAILBOXES = _set(
    "accounts admin billing contact contracts estimating info office payable procurement purchasing sales support"
    " team tenders"
)
"""Words of a shared mailbox. None of them is a name."""

_NO_NAME = _MAILBOXES | _set(
    "assistant board business ceo cfo chain chief commercial construction coo coordinator cto decision design"
    " development director engineer engineering estimator evp executive facilities field first founder full"
    " general head hiring last lead maker manager managing name officer operations owner person planning"
    " preconstruction president primary project projects recipient secondary senior site superintendent supply"
    " svp technical there vice vp"
)
"""Words of a title or a placeholder where a name should be. A surname among them is one with other words."""


def company_mark(name: str) -> str | None:
    """What in `name` shows that it is a company's or an authority's, or None where it may be a person's.

    The rule (domain, "Field by field": "A contact is a person") asks for a mark that people do not bear: a
    legal form or a kind of organisation as the last of several words (`Harborlight Architects LLP`), an
    ampersand between names, a beginning such as `City of`. In doubt it is a person.
    """
    for pattern in (_ELSEWHERE, _BODY, _JOINT):
        found = pattern.search(name) if pattern is not _BODY else pattern.match(name.strip())
        if found:
            return found[0].strip()
    words = _WORD.findall(name)
    if len(words) < 2:  # noqa: PLR2004 (one word is a name, whatever it says)
        return None
    last = words[-1]
    bare = re.sub(r"[^\w]", "", last).lower()
    if bare in _SHORT_FORMS:
        return last if "." in last[:-1] or (last.isupper() and not name.isupper()) else None
    return last if bare in _LEGAL_FORMS | _KINDS else None


def without_company(name: str) -> str:
    """`name` without the company behind a full name, after a comma or in brackets: `Jane Doe (Acme Ltd)`."""
    for pattern in _COMPANY_BEHIND:
        found = pattern.fullmatch(name)
        if found and len(_WORD.findall(found[1])) > 1 and company_mark(found[2]):
            return found[1].strip()
    return name


def is_named_in(address: str, name: str) -> bool:
    """Whether an e-mail address has a word of `name`, of three letters or more, before its `@`."""
    local = address.partition("@")[0].lower()
    words = set(comparable(without_company(name)).split()) - _MAILBOXES
    return any(len(word) > 2 and word in local for word in words)  # noqa: PLR2004 (two letters are in any word)


def reads_as_a_name(text: str) -> bool:
    """Whether a text that stands alone is a full name, with or without what follows one, and no sentence."""
    words = _WORD.findall(_BEHIND.split(text.strip())[0])
    return 1 < len(words) <= _LONGEST_NAME and not any(
        word.endswith(":") or (word[0].islower() and word not in _PARTICLES) for word in words
    )


@lru_cache(maxsize=1024)
def comparable(name: str) -> str:
    """`name` in the form in which two spellings of it are equal.

    Case, accents, punctuation, spaces, titles and what follows a comma do not count; the order of the
    names does. `Last, First` is `First Last`.
    """
    return " ".join(_words(name))


def may_be(one: str, other: str) -> bool:
    """Whether two names, in comparable form, may be one person's where something else says that they are.

    The shorter leaves words of the longer out, such as the last name, writes some as initials or has a short
    form of the first; their order and their spelling (`sounded`) do not count. With the same last name, words
    that begin with one letter are one: Dmitri is Dima, Mohammed Muhammad. A name with a word of its own is
    another's. Names in two scripts cannot be compared, and may be one.
    """
    if one.isascii() != other.isascii():
        return True
    shorter, longer = sorted((sounded(one).split(), sounded(other).split()), key=len)
    if not shorter or len(shorter) > _LONGEST_NAME:
        return shorter == longer
    if len(longer) <= _LONGEST_NAME and any(
        "".join(shorter) == "".join(longer[cut:] + longer[:cut]) for cut in range(len(longer))
    ):
        return True  # some are written without a space, the family name first
    is_family = shorter[-1] in longer or longer[-1] in shorter
    if are_one(shorter[0], longer[0]):
        shorter, longer = shorter[1:], longer[1:]
        if "".join(shorter) == "".join(longer):
            return True
    own = [word for word in shorter if word not in longer]
    left = [word for word in longer if word not in shorter]
    for word in own:
        alike = (each for each in left if word[0] == each[0] and (is_family or 1 in {len(word), len(each)}))
        found = next(alike, None)
        if found is None:
            return False
        left.remove(found)
    return True


def shares_a_word(part: str, name: str) -> bool:
    """Whether some word of `part` may be in `name`, both in comparable form, in whatever spelling or short form.

    What cannot be compared may be: no word, an endless name, and words in another script than Latin.
    """
    is_latin = part.isascii() and name.isascii()
    if not part or not is_latin or max(part.count(" "), name.count(" ")) >= _LONGEST_NAME:
        return True
    words, longer = sounded(part).split(), sounded(name).split()
    return any(
        are_one(word, each) or (word[0] == each[0] and 1 in {len(word), len(each)})
        for word in words
        for each in [*longer, "".join(longer)]
    )


def is_no_name(name: str) -> bool:
    """Whether a name, in comparable form, is an id, a title or a placeholder: `CONT_000`, `VP Engineering`.

    Words of one kind only, or with `of` and the like, are no name; in doubt it is one.
    """
    words = set(name.split()) - {"of", "the", "and"}
    return index_of({"contact_id": name}) is not None or words <= _NO_NAME


def in_parts(name: str) -> tuple[str | None, str | None]:
    """First and last name: the first word that is no title, and the rest without titles and degrees.

    A name of one word has a first name only; so has one that is written without spaces, whose parts
    cannot be told apart.
    """
    words = [word for word in _ordered(name).split() if _plain(word) not in HONORIFICS | {""}] or name.split()
    while len(words) > 1 and _plain(words[-1]) in SUFFIXES:
        words.pop()
    return (words[0] if words else None), (" ".join(words[1:]) or None)


def is_honorific(name: str) -> bool:
    """Whether there is nothing but titles in what should be a name."""
    return all(_plain(word) in HONORIFICS for word in name.split())


def _words(name: str) -> list[str]:
    words = _plain(_ordered(name), between=" ").split()
    while len(words) > 1 and words[0] in HONORIFICS:
        words.pop(0)
    while len(words) > 1 and words[-1] in SUFFIXES - _GENERATIONS:
        words.pop()
    return words


def _ordered(name: str) -> str:
    """`name` without what follows a comma, or turned round where that is a first name."""
    before, comma, after = name.partition(",")
    if not comma or not before.strip():
        return name
    follows = [_plain(word) for word in after.replace(",", " ").split()]
    if not follows or any(word in CREDENTIALS for word in follows) or " " in before.strip():
        return before
    return f"{after.strip()} {before.strip()}"


def _plain(text: str, between: str = "") -> str:
    """Letters and digits only, in lower case and without accents."""
    if text.isascii():
        letters = text.casefold()
    else:
        letters = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold()).translate(_FOLDED)
        letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return _NO_LETTERS.sub(between, letters.translate(_APOSTROPHES))
