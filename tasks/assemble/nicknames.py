"""First names that may be one person's: two spellings, or a whole name and its short form."""

import re
from functools import lru_cache

_LEAST = 3
"""Letters of the shortest part that stands for a whole name: Li is not short for Lin, Dan is for Daniel."""

_ENDING = re.compile(r"(?:(\w)\1)?(?:ie|i)\Z")
"""A pet name's ending as `sounded` writes it, with the consonant doubled before it: Danny is Dan."""

_LETTERS = str.maketrans({"z": "s", "c": "k", "y": "i", "x": "ks"})
_SPELLINGS = re.compile("([uoa])(?:(?<=[uoa])e|(?<=a)a)|ph")

_NAMES = """
    abigail abby; albert al bert; alan al; alejandro alex ale; aleksandr alex sasha; aleksei alex; alexander alex
    alec sandy sasha lex; alexandra alex sandra sandy sasha; amanda mandy; andrew andy drew; anthony tony;
    barbara babs; benjamin ben; catherine cathy kate katie kitty; charles charlie chuck; christina tina;
    christopher chris kit; cynthia cindy; david dave; deborah debbie; dmitri dima; dolores lola; dorothy dot
    dottie; eduardo lalo edu; edward ed eddie ned ted; eleanor ellie nell nora; elizabeth beth betsy betty liz
    lizzie libby; eugene gene; frances fran; francis frank; francisco paco pancho; franklin frank; frederick
    fred; friedrich fritz; geoffrey jeffrey jeff; gerald gerry jerry; harold hal harry; heinrich heinz; helen
    nell; henry hank harry; herbert bert; ignacio nacho; jacqueline jackie; james jim jimmy; johannes hans jan;
    john jack johnny; jonathan jon; joseph joe; josef sepp; jose pepe; katherine kate katie kathy kitty; kathleen
    kate kathy katie; kathryn kate kathy katie; lawrence larry; louis lou; louise lou; lucas luke; margaret
    maggie meg peggy; mary molly polly; matthew matt; nathaniel nathan nate; michael mick mike mickey; mikhail
    misha; nicholas nick; patricia pat patty tricia trish; peter pete; philip phil; rebecca becky; richard dick
    rich rick; robert bob bobby rob bert; sarah sally; stephen steven steve; susan suzanne sue suzy; teresa terry
    tess; terence terry; theodore ted teddy theo; thomas tom tommy; virginia ginny; walter walt wally; william
    bill billy will liam; zachary zach zack
"""


@lru_cache(maxsize=1024)
def sounded(name: str) -> str:
    """A name in comparable form, its spellings written as one: Mueller is Muller, Katherine Catherine."""
    return _SPELLINGS.sub(lambda found: found[1] or "f", name.translate(_LETTERS))


_WHOLE: dict[str, set[str]] = {}
for _forms in sounded(_NAMES).split(";"):
    for _form in _forms.split():
        _WHOLE.setdefault(_form, set()).add(_forms.split()[0])


def are_one(first: str, second: str) -> bool:
    """Whether two first names, as `sounded`, may be one: equal, a short form or a part, or two of one name."""
    if first == second or not _wholes(first).isdisjoint(_wholes(second)):
        return True
    shorter, longer = sorted((first, second), key=len)
    return any(len(part) >= _LEAST and part in longer for part in (shorter, _ENDING.sub(r"\1", shorter)))


def _wholes(name: str) -> set[str]:
    return _WHOLE.get(name, {name})
