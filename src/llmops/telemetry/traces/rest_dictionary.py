"""What stored spans are compressed against: names and values that the conventions make common.

Stored spans can only be read with these very bytes. For others take a new name, and a new first byte in `rest`.
"""

DICTIONARY = (
    b"telemetry.sdk.language telemetry.sdk.name telemetry.sdk.version service.instance.id deployment.environment.name "
    b"exception.type exception.message exception.stacktrace exception.escaped server.address server.port http.method "
    b"http.request.method http.response.status_code url.full error.type user_agent.original thread.id enduser.id "
    b"metadata tag.tags prompt.id llm.prompt_template.template llm.prompt_template.variables "
    b"llm.prompt_template.version "
    b"retrieval.documents.0.document.content retrieval.documents.0.document.id retrieval.documents.0.document.score "
    b"embedding.model_name embedding.embeddings.0.embedding.text reranker.model_name tool.name tool.parameters "
    b"openinference.span.kind LLM CHAIN RETRIEVER EMBEDDING TOOL AGENT input.value input.mime_type application/json "
    b"output.value output.mime_type text/plain llm.model_name llm.provider llm.system llm.invocation_parameters "
    b"llm.input_messages.0.message.role llm.input_messages.0.message.content llm.input_messages.1.message.role "
    b"llm.output_messages.0.message.role llm.output_messages.0.message.content llm.token_count.prompt "
    b"llm.token_count.completion llm.token_count.total llm.token_count.prompt_details.cache_read llm.cost.total "
    b"traceloop.span.kind traceloop.workflow.name traceloop.entity.name traceloop.entity.path traceloop.entity.input "
    b"traceloop.entity.output traceloop.association.properties.session_id llm.request.type llm.is_streaming "
    b"llm.usage.total_tokens llm.headers gen_ai.prompt.0.role gen_ai.prompt.0.content gen_ai.completion.0.role "
    b"gen_ai.completion.0.content gen_ai.completion.0.finish_reason gen_ai.system gen_ai.openai.api_base "
    b"https://api.openai.com/v1/ gen_ai.tool.name gen_ai.tool.call.id gen_ai.tool.call.arguments "
    b"gen_ai.tool.call.result gen_ai.agent.name gen_ai.conversation.id gen_ai.request.top_p gen_ai.output.type "
    b"gen_ai.system_instructions gen_ai.usage.prompt_tokens gen_ai.usage.completion_tokens "
    b"gen_ai.usage.reasoning.output_tokens gen_ai.usage.cache_creation.input_tokens "
    b'gen_ai.input.messages [{"role":"system","parts":[{"type":"text","content":" '
    b'gen_ai.output.messages [{"role":"assistant","parts":[{"type":"text","content":" "finish_reason":"stop"}] '
    b'[{"role":"user","content":" session.id user.id client internal server unset ok error chat text_completion '
    b"embeddings execute_tool invoke_agent retrieval anthropic azure.ai.openai gcp.gemini gcp.vertex_ai claude gemini "
    b"service.name unknown_service python opentelemetry opentelemetry.instrumentation.openai.v1 server.address "
    b"gen_ai.operation.name chat gen_ai.provider.name openai gen_ai.request.model gpt-4o-mini gen_ai.response.model "
    b"gpt-4o-2024-08-06 gen_ai.response.id chatcmpl- gen_ai.response.finish_reasons stop gen_ai.request.temperature "
    b"gen_ai.request.max_tokens gen_ai.usage.input_tokens gen_ai.usage.output_tokens "
    b"gen_ai.usage.cache_read.input_tokens"
)
