"""What is asked of the chain. A check is an async function of a `Chain` that raises where something is not right.

`Missing` says that the independent side does not offer what a check needs: that is no failure of ours.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import anthropic
import openai
from openai.types.responses import ResponseCompletedEvent

from .chain import Chain
from .proxy import TEXT, VECTOR

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
NAMES = ["weather", "clock"]
CHAT_TOOLS: Any = [{"type": "function", "function": {"name": name, "parameters": PARAMETERS}} for name in NAMES]
RESPONSES_TOOLS: Any = [{"type": "function", "name": name, "parameters": PARAMETERS, "strict": False} for name in NAMES]
MESSAGES_TOOLS: Any = [{"name": name, "input_schema": PARAMETERS} for name in NAMES]

Check = Callable[[Chain], Awaitable[None]]


class Missing(Exception):
    """LiteLLM's mock cannot do this."""


def equal(found: Any, wanted: Any) -> None:
    if found != wanted:
        raise AssertionError(f"{found!r} instead of {wanted!r}")


def true(found: Any, what: str) -> None:
    if not found:
        raise AssertionError(what)


# --- chat -------------------------------------------------------------------------------------------------------


async def chat(chain: Chain) -> None:
    answer = await chain.openai.chat.completions.create(model="direct/text", messages=HELLO)
    equal(answer.choices[0].message.content, TEXT)
    equal(answer.choices[0].finish_reason, "stop")
    true(answer.usage and answer.usage.completion_tokens, "no usage")
    equal((await chain.last_record())["token_usage"]["completion"], answer.usage and answer.usage.completion_tokens)


async def chat_streamed(chain: Chain) -> None:
    stream = await chain.openai.chat.completions.create(model="direct/text", messages=HELLO, stream=True)
    chunks = [chunk async for chunk in stream]
    equal("".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices), TEXT)
    true(all(chunk.usage is None for chunk in chunks), "usage that was not asked for")
    equal((await chain.last_record())["token_usage"]["source"], "provider")


async def chat_streamed_with_usage(chain: Chain) -> None:
    stream = await chain.openai.chat.completions.create(
        model="direct/text", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    true(any(chunk.usage is not None for chunk in chunks), "no usage")


async def chat_tools(chain: Chain) -> None:
    answer = await chain.openai.chat.completions.create(model="direct/tools", messages=HELLO, tools=CHAT_TOOLS)
    calls: list[Any] = list(answer.choices[0].message.tool_calls or [])
    equal([call.function.name for call in calls], NAMES)
    followed: list[Any] = [
        *HELLO,
        answer.choices[0].message,
        *({"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls),
    ]
    final = await chain.openai.chat.completions.create(model="direct/text", messages=followed, tools=CHAT_TOOLS)
    equal(final.choices[0].message.content, TEXT)


async def chat_tools_streamed(chain: Chain) -> None:
    stream = await chain.openai.chat.completions.create(
        model="direct/tools", messages=HELLO, tools=CHAT_TOOLS, stream=True
    )
    names = [
        call.function.name
        async for chunk in stream
        for choice in chunk.choices
        for call in choice.delta.tool_calls or []
        if call.function and call.function.name
    ]
    if not names:
        raise Missing("LiteLLM's mock streams no tool calls")
    equal(names, NAMES)


async def embeddings(chain: Chain) -> None:
    answer = await chain.openai.embeddings.create(model="direct/vector", input="Hello", encoding_format="float")
    equal(answer.data[0].embedding, VECTOR)


# --- responses --------------------------------------------------------------------------------------------------


async def responses(chain: Chain) -> None:
    answer = await chain.openai.responses.create(model="direct/text", input="Hello")
    equal(answer.output_text, TEXT)
    equal(answer.status, "completed")


async def responses_streamed(chain: Chain) -> None:
    try:
        await chain.openai_alone.responses.create(model="text", input="Hello", stream=True)
    except openai.APIError as exc:
        raise Missing(f"LiteLLM's mock does not stream responses ({exc.message[:60]} …)") from exc
    stream = await chain.openai.responses.create(model="direct/text", input="Hello", stream=True)
    events = [event async for event in stream]
    equal("".join(event.delta for event in events if event.type == "response.output_text.delta"), TEXT)


async def responses_over_chat(chain: Chain) -> None:
    answer = await chain.openai.responses.create(model="chat/text", input="Hello", instructions="Be kind.")
    equal(answer.output_text, TEXT)


async def responses_over_chat_streamed(chain: Chain) -> None:
    stream = await chain.openai.responses.create(model="chat/text", input="Hello", stream=True)
    events = [event async for event in stream]
    last = events[-1]
    true(isinstance(last, ResponseCompletedEvent), f"the stream ends with {last.type}")
    equal("".join(event.delta for event in events if event.type == "response.output_text.delta"), TEXT)


async def responses_over_chat_tools(chain: Chain) -> None:
    answer = await chain.openai.responses.create(model="chat/tools", input="Hello", tools=RESPONSES_TOOLS)
    calls = [item for item in answer.output if item.type == "function_call"]
    equal([call.name for call in calls], NAMES)
    history: list[Any] = [
        *HELLO,
        *answer.output,
        *({"type": "function_call_output", "call_id": call.call_id, "output": "sunny"} for call in calls),
    ]
    final = await chain.openai.responses.create(model="chat/text", input=history, tools=RESPONSES_TOOLS)
    equal(final.output_text, TEXT)


# --- messages ---------------------------------------------------------------------------------------------------


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


async def messages(chain: Chain) -> None:
    answer = await chain.anthropic.messages.create(model="anthropic/text", max_tokens=99, messages=HELLO)
    equal(text_of(answer), TEXT)
    equal(answer.stop_reason, "end_turn")


async def _streams_messages(chain: Chain) -> None:
    async with chain.anthropic_alone.messages.with_streaming_response.create(
        model="text", max_tokens=99, messages=HELLO, stream=True
    ) as raw:
        kind = raw.headers.get("content-type", "")
    if not kind.startswith("text/event-stream"):
        raise Missing(f"LiteLLM's mock does not stream messages (it sends {kind})")


async def messages_streamed(chain: Chain) -> None:
    await _streams_messages(chain)
    async with chain.anthropic.messages.stream(model="anthropic/text", max_tokens=99, messages=HELLO) as stream:
        equal(text_of(await stream.get_final_message()), TEXT)


async def messages_over_chat(chain: Chain) -> None:
    answer = await chain.anthropic.messages.create(model="chat/text", max_tokens=99, messages=HELLO, system="Be kind.")
    equal(text_of(answer), TEXT)
    true(answer.usage.output_tokens, "no usage")


async def messages_over_chat_streamed(chain: Chain) -> None:
    async with chain.anthropic.messages.stream(model="chat/text", max_tokens=99, messages=HELLO) as stream:
        final = await stream.get_final_message()
    equal(text_of(final), TEXT)
    equal(final.stop_reason, "end_turn")


async def messages_over_chat_tools(chain: Chain) -> None:
    answer = await chain.anthropic.messages.create(
        model="chat/tools", max_tokens=99, messages=HELLO, tools=MESSAGES_TOOLS
    )
    calls = [block for block in answer.content if block.type == "tool_use"]
    equal([call.name for call in calls], NAMES)
    equal(answer.stop_reason, "tool_use")
    history: list[Any] = [
        *HELLO,
        {"role": "assistant", "content": answer.content},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"} for call in calls],
        },
    ]
    final = await chain.anthropic.messages.create(
        model="chat/text", max_tokens=99, messages=history, tools=MESSAGES_TOOLS
    )
    equal(text_of(final), TEXT)


async def chat_over_messages(chain: Chain) -> None:
    answer = await chain.openai.chat.completions.create(model="anthropic/text", messages=HELLO)
    equal(answer.choices[0].message.content, TEXT)


async def chat_over_messages_streamed(chain: Chain) -> None:
    await _streams_messages(chain)
    stream = await chain.openai.chat.completions.create(model="anthropic/text", messages=HELLO, stream=True)
    equal("".join([choice.delta.content or "" async for chunk in stream for choice in chunk.choices]), TEXT)


async def responses_over_messages(chain: Chain) -> None:
    answer = await chain.openai.responses.create(model="anthropic/text", input="Hello")
    equal(answer.output_text, TEXT)


# --- errors -----------------------------------------------------------------------------------------------------


async def refused(asked: Awaitable[Any]) -> Any:
    try:
        await asked
    except (openai.APIStatusError, anthropic.APIStatusError) as exc:
        return exc
    raise AssertionError("no error")


async def error_rate_limit(chain: Chain) -> None:
    for streamed in (False, True):
        error = await refused(
            chain.openai.chat.completions.create(  # type: ignore[call-overload]
                model="direct/slow-down", messages=HELLO, stream=streamed
            )
        )
        true(isinstance(error, openai.RateLimitError), f"{error!r} instead of a RateLimitError")
    other = await refused(chain.anthropic.messages.create(model="chat/slow-down", max_tokens=9, messages=HELLO))
    true(isinstance(other, anthropic.RateLimitError), f"{other!r} instead of a RateLimitError")


async def error_context_window(chain: Chain) -> None:
    error = await refused(chain.openai.chat.completions.create(model="direct/too-long", messages=HELLO))
    true(isinstance(error, openai.BadRequestError), f"{error!r} instead of a BadRequestError")
    true("context window" in error.message, f"the words are lost: {error.message}")
    other = await refused(chain.anthropic.messages.create(model="chat/too-long", max_tokens=9, messages=HELLO))
    true(isinstance(other, anthropic.BadRequestError), f"{other!r} instead of a BadRequestError")


async def error_of_the_server(chain: Chain) -> None:
    error = await refused(chain.openai.chat.completions.create(model="direct/broken", messages=HELLO))
    equal((type(error), error.status_code), (openai.InternalServerError, 503))


async def error_of_our_credential(chain: Chain) -> None:
    wrong = chain.openai_alone.with_options(api_key="sk-wrong")
    alone = await refused(wrong.chat.completions.create(model="text", messages=HELLO))
    if alone.status_code not in (401, 403):
        raise Missing(f"LiteLLM without a database answers a wrong key with {alone.status_code}")
    error = await refused(chain.openai.chat.completions.create(model="wrong-key", messages=HELLO))
    equal((error.status_code, error.code), (502, "upstream_credential"))


CHECKS: list[Check] = [
    chat,
    chat_streamed,
    chat_streamed_with_usage,
    chat_tools,
    chat_tools_streamed,
    embeddings,
    responses,
    responses_streamed,
    responses_over_chat,
    responses_over_chat_streamed,
    responses_over_chat_tools,
    messages,
    messages_streamed,
    messages_over_chat,
    messages_over_chat_streamed,
    messages_over_chat_tools,
    chat_over_messages,
    chat_over_messages_streamed,
    responses_over_messages,
    error_rate_limit,
    error_context_window,
    error_of_the_server,
    error_of_our_credential,
]
