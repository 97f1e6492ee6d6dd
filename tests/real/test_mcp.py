"""An agent calls every tool of MCP servers from npm: everything and filesystem."""

import base64
import zipfile

import pytest
from mcp_agents import MODELS, Caller, call_every_tool
from mcp_server import PNG
from real_software import npm_program

EVERYTHING = Caller(
    {"data": "data:text/plain,hello", "duration": 0.1, "steps": 1, "location": "Chicago"},
    more={
        "get-annotated-message": [{"messageType": "error", "includeImage": True}],
        "get-resource-reference": [{"resourceType": "Blob", "resourceId": 1}],
        "get-structured-content": [{"location": "Boston"}],
        "gzip-file-as-resource": [{"data": "data:text/plain,hello", "outputType": "resource"}],
        "simulate-research-query": [{"topic": "x", "ambiguous": True}],
    },
)
pytestmark = [
    pytest.mark.parametrize(("surface", "model"), MODELS),
    pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning"),
]


@pytest.fixture
def folder(tmp_path):
    """Return a folder with files of several types."""
    (tmp_path / "a.txt").write_text("one\ntwo\nthree\n")
    (tmp_path / "a.png").write_bytes(base64.b64decode(PNG))
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4\n%%EOF\n")
    (tmp_path / "a.wav").write_bytes(b"RIFF\x24\0\0\0WAVEfmt ")
    (tmp_path / "a.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "a.json").write_text('{"$ref": "#/$defs/x"}')
    (tmp_path / "a.bin").write_bytes(bytes(range(256)))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", "a")
    return tmp_path


async def test_everything_tools(surface, model):
    """The server has results of all kinds: text, images, resources with text and data, links, structured content."""
    server = {"command": npm_program("mcp-server-everything"), "args": []}
    for results, sent in await call_every_tool(server, EVERYTHING, surface, model):
        blocks = {
            (block["type"], "url" in block) for found in results.values() for one in found for block in one.content
        }
        assert blocks == {("text", False), ("image", False), ("file", False), ("file", True)}
        assert results["get-structured-content"][0].artifact["structured_content"]["humidity"]
        assert [one.status for one in results["get-structured-content"]] == ["success", "success", "error", "success"]
        assert {one.status for one in results["simulate-research-query"]} == {"error"}
        link, data = results["gzip-file-as-resource"][1:3]
        assert sent.count(link.content[0]["url"]) == 2
        assert data.content[0]["base64"] not in sent
        image = results["get-tiny-image"][0].content[1]["base64"]
        assert sent.count(image) == 5


async def test_filesystem_tools(surface, model, folder):
    """Files of eight types are read as media. For the audio file, LangChain's MCP adapter returns an error."""
    path = str(folder / "a.txt")
    directories = ["create_directory", "list_directory", "list_directory_with_sizes", "directory_tree", "search_files"]
    media = [{"path": str(file)} for file in sorted(folder.iterdir())]
    words = {
        "path": path,
        "paths": [path, str(folder / "a.json")],
        "edits": [{"oldText": "two", "newText": "2"}],
        "dryRun": True,
        "content": "new",
        "write_file.path": str(folder / "b.txt"),
        "source": str(folder / "b.txt"),
        "destination": str(folder / "c.txt"),
        "pattern": "*",
        **{f"{name}.path": str(folder) for name in directories},
    }
    caller = Caller(words, more={"read_media_file": media, "read_text_file": [{"path": str(folder / "a.json")}]})
    server = {"command": npm_program("mcp-server-filesystem"), "args": [str(folder)]}
    for results, sent in await call_every_tool(server, caller, surface, model):
        assert sum(one.text.startswith("AudioContent") for one in results["read_media_file"]) == 1
        blocks = {
            (block["type"], block["mime_type"])
            for one in results["read_media_file"]
            for block in one.content
            if one.status == "success"
        }
        assert blocks == {
            ("file", "application/octet-stream"),
            ("image", "image/png"),
            ("image", "image/svg+xml"),
        }
        assert sent.count(PNG) == 1
        assert results["read_text_file"][0].status == "error"
        assert results["read_text_file"][2].text == (folder / "a.json").read_text()
