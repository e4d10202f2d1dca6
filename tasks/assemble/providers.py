"""What a model said, out of the response of whoever ran it (domain, "What LLM outputs really look like")."""

from collections.abc import Iterator
from typing import Any

from tasks.assemble.notes import Code, Notes, UnusableError

_SILENT = frozenset(
    {"reasoning", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "mcp_tool_use"}
    | {"web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "computer_call"}
    | {"function_call", "custom_tool_call", "mcp_call", "shell_call", "local_shell_call", "apply_patch_call"}
    | {"tool_search_call"}
)
_CUT_SHORT = frozenset(
    {"incomplete", "length", "max_tokens", "model_context_window_exceeded"}
    | {"content_filter", "safety", "recitation", "refusal"}
)


def said(value: dict[str, Any], notes: Notes) -> Any:
    """The text of a response, or the object it was parsed into; None where `value` is no response.

    Raises:
        UnusableError: it is a response, and the model said nothing in it.
    """
    blocks = blocks_of(value)
    if blocks is None:
        return None
    endings = [value.get("status"), value.get("stop_reason")]
    endings += [block.get("finish_reason") for block in blocks if isinstance(block, dict)]
    if any(isinstance(ending, str) and ending.lower() in _CUT_SHORT for ending in endings):
        notes.add(Code.OUTPUT_TRUNCATED, "the model was cut off before it had finished")
    return joined(blocks, value)


def blocks_of(value: dict[str, Any]) -> list[Any] | None:
    """The pieces of the answer in a response, or None where `value` is no response.

    Known by their shapes: OpenAI's Responses and Chat Completions (of several choices the first counts),
    Anthropic's Messages, Gemini's candidates; and a message or its parts alone.
    """
    blocks: list[Any] | None = None
    match value:
        case {"object": "response", "output": list() as found}:
            blocks = found
        case {"output": list() as found} | {"content": list() as found} if any(map(is_block, found)):
            blocks = found
        case {"choices": list() as found} | {"candidates": list() as found} if all(map(_is_answer, found[:1])):
            blocks = found[:1]
        case {"role": str(), "content": list() as found}:
            blocks = found
        case {"role": str(), "content": str() | dict()} | {"parts": [{"text": _}, *_]}:
            blocks = [value]
    return blocks


def is_block(value: Any) -> bool:
    """Whether `value` is one piece of a model's answer, said or unsaid."""
    match value:
        case {"type": "message", "content": _} | {"type": "text" | "output_text", "text": _} | {"type": "refusal"}:
            return True
        case {"type": str(kind)}:
            return kind in _SILENT
    return False


def _is_answer(value: Any) -> bool:
    """Whether `value` is one of a provider's choices or candidates."""
    match value:
        case {"message": dict()} | {"text": str()} | {"content": str() | list() | dict()} | {"finish_reason": _}:
            return True
    return False


def joined(blocks: list[Any], response: Any) -> Any:
    """The texts of an answer as one, since they are split anywhere; or the object it was parsed into.

    Raises:
        UnusableError: there is neither.
    """
    pieces = list(_pieces(blocks))
    texts = [piece for piece in pieces if isinstance(piece, str)]
    if not pieces:
        raise UnusableError("the model said nothing", response)
    return "".join(texts) if texts else pieces[0]


def _pieces(block: Any) -> Iterator[Any]:
    match block:
        case {"type": str(kind)} if kind in _SILENT:
            return
        case {"text": str() as text}:
            if block.get("thought") is not True:
                yield text
        case list():
            for item in block:
                yield from _pieces(item)
        case {"message": dict() as inner} | {"parts": list() as inner} | {"content": list() as inner}:
            yield from _pieces(inner)
        case {"content": {"parts": list() as inner}}:
            yield from _pieces(inner)
        case {"content": str() | dict() as found} | {"refusal": str() as found} | {"text": dict() as found}:
            yield found
