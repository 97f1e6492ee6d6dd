"""The families of the catalog that tests go through."""

from langchain_gemini_compat._catalog.models import known_families

#: The Gemini families that are served over Chat Completions. The catalog has families of other APIs only so that an
#: error can name their API.
CHAT_FAMILIES = [family for family in known_families() if family.is_gemini and not family.other_api]
