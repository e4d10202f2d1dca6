"""What a provider, or Make.com itself, puts around a content."""

from collections.abc import Callable
from random import Random
from typing import Any, Final

from tests.generator.damage import ENVELOPES, Damage
from tests.generator.jsontext import dumped
from tests.generator.request import Request, Size
from tests.generator.turns import turns

USUAL: Final = {
    Size.SMALL: Damage.MAKE_RESULT,
    Size.NORMAL: Damage.OPENAI_RESPONSES,
    Size.LARGE: Damage.OPENAI_RESPONSES,
}
"""The envelope where no knob names one: a provider's would be most of a small run."""

FOR_OBJECTS: Final = (Damage.MAKE_RESULT, Damage.NO_ENVELOPE)
"""Envelopes that can hold an object: the others hold text by their protocol."""

AROUND: Final = (Damage.MAKE_RESULT, Damage.MAKE_TEXT)
"""What is put around a whole answer where no knob names an envelope."""


class Envelopes:
    """The envelopes of one run; called with each form in turn."""

    def __init__(self, request: Request) -> None:
        named = [knob for knob in ENVELOPES if knob in request.damage]
        chosen = named or [USUAL[request.size]]
        for_objects = [knob for knob in chosen if knob in FOR_OBJECTS] or [Damage.NO_ENVELOPE]
        outer = [knob for knob in named if knob is not Damage.NO_ENVELOPE] or AROUND
        self._rng = request.rng("envelopes")
        self._for_text = turns(request.rng("envelopes/text"), chosen)
        self._for_objects = turns(request.rng("envelopes/objects"), for_objects)
        self._outer = turns(request.rng("envelopes/outer"), outer)
        self._nested = Damage.NESTED_ENVELOPES in request.damage

    def __call__(self, form: Any) -> Any:
        """The form in its envelope, or in two."""
        inner = self._in(next(self._for_text if isinstance(form, str) else self._for_objects), form)
        return self._in(next(self._outer), inner) if self._nested else inner

    def _in(self, envelope: Damage, form: Any) -> Any:
        as_it_is = isinstance(form, str) or envelope in FOR_OBJECTS
        return ENVELOPE[envelope](form if as_it_is else dumped(form), self._rng)


def openai_responses(texts: list[str], rng: Random) -> dict[str, Any]:
    """An OpenAI Responses object whose message has these texts."""
    tokens = sum(map(len, texts)) // 4
    return {
        "id": f"resp_{rng.getrandbits(128):032x}",
        "object": "response",
        "created_at": 1768500000,
        "status": "completed",
        "model": "gpt-4.1-2025-04-14",
        "output": [
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"type": "web_search_call", "id": "ws_1", "status": "completed"},
            {
                "type": "message",
                "id": "msg_1",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "annotations": [], "text": text} for text in texts],
            },
        ],
        "usage": {"input_tokens": 8123, "output_tokens": tokens, "total_tokens": 8123 + tokens},
    }


def _split(text: str, rng: Random) -> list[str]:
    """The text in three parts, cut anywhere."""
    first, second = sorted(rng.randint(0, len(text)) for _ in range(2))
    return [text[:first], text[first:second], text[second:]]


def _incomplete(text: str, rng: Random) -> dict[str, Any]:
    response = openai_responses([text], rng)
    response["output"][-1]["status"] = "incomplete"
    return response | {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}


def _chat_completions(text: str, _rng: Random) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-4.1",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 900, "completion_tokens": 500, "total_tokens": 1400},
    }


def _anthropic(text: str, _rng: Random) -> dict[str, Any]:
    return {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 900, "output_tokens": 500},
    }


def _gemini(text: str, _rng: Random) -> dict[str, Any]:
    return {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": 0}
        ],
        "usageMetadata": {"promptTokenCount": 900, "candidatesTokenCount": 500, "totalTokenCount": 1400},
        "modelVersion": "gemini-2.5-pro",
    }


ENVELOPE: Final[dict[Damage, Callable[[Any, Random], Any]]] = {
    Damage.OPENAI_RESPONSES: lambda text, rng: openai_responses([text], rng),
    Damage.OPENAI_IN_ARRAY: lambda text, rng: [openai_responses([text], rng)],
    Damage.OPENAI_SPLIT_TEXT: lambda text, rng: openai_responses(_split(text, rng), rng),
    Damage.OPENAI_INCOMPLETE: _incomplete,
    Damage.CHAT_COMPLETIONS: _chat_completions,
    Damage.ANTHROPIC: _anthropic,
    Damage.GEMINI: _gemini,
    Damage.MAKE_RESULT: lambda form, _rng: {"result": form},
    Damage.MAKE_TEXT: lambda text, _rng: {"text": text},
    Damage.NO_ENVELOPE: lambda form, _rng: form,
}
"""How each knob wraps a form."""
