"""Constructor calls that type checkers reject. Each line with `type: ignore` has an error. This file is never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from langchain_gemini_compat import ChatGeminiCompat, GeminiCompatEmbeddings, Timeouts

LIMITS: Timeouts = {"first_bite": 60}  # type: ignore[typeddict-unknown-key]

# Misspelled names.
ChatGeminiCompat(model="m", tempreature=0.1)  # type: ignore[call-arg]
ChatGeminiCompat(model="m", max_token=5)  # type: ignore[call-arg]
ChatGeminiCompat(model="m", resoning_effort="high")  # type: ignore[call-arg]
ChatGeminiCompat(model="m", thinking_bugdet=5)  # type: ignore[call-arg]
ChatGeminiCompat(model="m", base_ur="https://gateway.example")  # type: ignore[call-arg]
ChatGeminiCompat(model="m", apikey="...")  # type: ignore[call-arg]
ChatGeminiCompat(modle="m")  # type: ignore[call-arg]
ChatGeminiCompat("m")  # type: ignore[call-arg]
# Values that the parameters do not accept.
ChatGeminiCompat(model="m", reasoning_effort="hihg")  # type: ignore[arg-type]
ChatGeminiCompat(model="m", thinking_level="extreme")  # type: ignore[arg-type]
ChatGeminiCompat(model="m", surface="vertexai")  # type: ignore[arg-type]
ChatGeminiCompat(model="m", media_resolution="LOW")  # type: ignore[arg-type]
ChatGeminiCompat(model="m", service_tier="cheap")  # type: ignore[arg-type]
ChatGeminiCompat(model="m", modalities=["video"])  # type: ignore[list-item]
ChatGeminiCompat(model="m", invalid_tool_calls="ignore")  # type: ignore[arg-type]
ChatGeminiCompat(model="m", response_mime_type="text/html")  # type: ignore[arg-type]
ChatGeminiCompat(model="m", timeout={"conect": 5})  # type: ignore[arg-type]
ChatGeminiCompat(model="m", thinking_config={"budget": 5})  # type: ignore[arg-type]
# Values of another type.
ChatGeminiCompat(model=5)  # type: ignore[arg-type]
ChatGeminiCompat(model="m", max_tokens="100")  # type: ignore[arg-type]
ChatGeminiCompat(model="m", temperature="hot")  # type: ignore[arg-type]
ChatGeminiCompat(model="m", api_key=5)  # type: ignore[arg-type]
ChatGeminiCompat(model="m", project=123)  # type: ignore[arg-type]
ChatGeminiCompat(model="m", http_client="http://proxy")  # type: ignore[arg-type]
ChatGeminiCompat(model="m", max_retries=2.5)  # type: ignore[arg-type]
ChatGeminiCompat(model="m", timeout="5s")  # type: ignore[arg-type]
ChatGeminiCompat(model="m", stop=5)  # type: ignore[arg-type]
# Embeddings.
GeminiCompatEmbeddings(model="m", dimension=768)  # type: ignore[call-arg]
GeminiCompatEmbeddings(model="m", dimensions="768")  # type: ignore[arg-type]
GeminiCompatEmbeddings(model="m", temperature=0)  # type: ignore[call-arg]
