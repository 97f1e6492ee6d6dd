"""Measures the built site in headless Chromium and takes screenshots. It lists elements that are too wide.

    uv run --group docs mkdocs build -d build/site
    uv run --with playwright python tests/docs/look.py build/site build/shots

It needs Chromium (Debian: `apt-get install chromium`). Each page is opened at three widths, light and dark.
"""

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from playwright.sync_api import sync_playwright

WIDTHS = (390, 768, 1280)
SCHEMES = ("light", "dark")
#: JavaScript that lists elements beyond the right edge of the screen, except elements inside a scrolling element.
TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth
  const scrolls = element => {
    for (let parent = element; parent && parent !== document.body; parent = parent.parentElement)
      if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(parent).overflowX)) return true
    return false
  }
  const wide = [...document.querySelectorAll('main *')]
    .filter(element => element.getBoundingClientRect().right > width + 1 && !scrolls(element))
    .map(element => element.tagName + ': ' + element.textContent.trim().slice(0, 60))
  if (document.documentElement.scrollWidth > width) wide.unshift('the page scrolls sideways')
  return wide
}"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def main(site: str, shots: str, *pages: str) -> int:
    """Open every page, or `pages`, at each width and in each color scheme, and return the number of problems."""
    folder, out = Path(site), Path(shots)
    out.mkdir(parents=True, exist_ok=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    found = pages or sorted(str(page.parent.relative_to(folder)) for page in folder.rglob("index.html"))
    problems = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        for width in WIDTHS:
            for scheme in SCHEMES:
                context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
                tab = context.new_page()
                for page in found:
                    tab.goto(f"http://127.0.0.1:{server.server_port}/{page}/")
                    tab.wait_for_timeout(100)
                    wide = tab.evaluate(TOO_WIDE)
                    problems += len(wide)
                    for line in wide:
                        print(f"{page} at {width}: {line}")
                    tab.screenshot(path=out / f"{page.replace('/', '-')}-{width}-{scheme}.png")
                if width == min(WIDTHS):
                    tab.goto(f"http://127.0.0.1:{server.server_port}/")
                    tab.click("header label[for=__drawer]")
                    tab.wait_for_timeout(500)
                    tab.screenshot(path=out / f"navigation-{width}-{scheme}.png")
                context.close()
        browser.close()
    server.shutdown()
    print(f"{len(found)} pages, {problems} problems")
    return min(problems, 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
