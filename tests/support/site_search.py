"""The search of the docs site, as the theme does it in the browser: lunr.js over `search_index.json`.

A hit in a section of a page counts as a hit of the page. The rules are those of the theme's functions `search()` and
`transform()`: mkdocs-material, `src/templates/assets/javascripts/integrations/search`.
"""

import json
import re
from html import unescape

from lunr.builder import Builder
from lunr.pipeline import Pipeline
from lunr.stop_word_filter import stop_word_filter

TAG = re.compile(r"<[^>]+>")


class SiteSearch:
    """Searches a built site. `pages` has the titles by location."""

    def __init__(self, site):
        content = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
        config = content["config"]
        assert (config["lang"], config["pipeline"]) == (["en"], ["stopWordFilter"]), "the rules below are for these"
        self.separator = re.compile(config["separator"])
        self.docs = {doc["location"]: doc for doc in content["docs"]}
        self.pages = {location: doc["title"] for location, doc in self.docs.items() if "#" not in location}
        builder = Builder()
        builder.ref("location")
        for name, field in config["fields"].items():
            builder.field(name, boost=field["boost"])
        builder.pipeline = Pipeline()
        builder.pipeline.add(stop_word_filter)
        for doc in content["docs"]:
            words = {"title": doc["title"], "text": doc["text"], "tags": " ".join(doc.get("tags", []))}
            fields = {name: self._split(text) for name, text in words.items()}
            builder.add({"location": doc["location"], **fields}, {"boost": doc.get("boost", 1)})
        self.index = builder.build()

    def _split(self, text):
        """Return the words of HTML text, separated by spaces."""
        return self.separator.sub(" ", unescape(TAG.sub(" ", text)))

    def find(self, words):
        """Return the locations of the pages that match `words`, the best first."""
        terms = self._split(words).lower().split()
        scores = {}
        for hit in self.index.search(" ".join(f"{term}*" for term in terms)):
            found = hit["match_data"].metadata
            everything = all(any(word.startswith(term) for word in found) for term in terms)
            boost = ("#" not in hit["ref"]) + everything
            page = hit["ref"].partition("#")[0]
            scores[page] = max(scores.get(page, 0), hit["score"] * (1 + boost**2))
        return sorted(scores, key=scores.get, reverse=True)
