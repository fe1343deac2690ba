"""A real browser without a window: Debian's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NEEDS_BROWSER = pytest.mark.skipif(
    CHROMIUM is None, reason="no browser on this machine: apt-get install chromium; pages are not tested"
)
_FLAGS = ["--headless", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
_ALLOWED = (
    "file:",
    "data:",
    "blob:",
    "about:",
    "http://localhost:",
    "http://127.0.0.1:",
    "ws://localhost:",
    "ws://127.0.0.1:",
)


@dataclass
class Seen:
    """What a page complained of, and what it asked for outside of this machine."""

    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


@contextmanager
def open_page(url: str, width: int = 1280, height: int = 800) -> Iterator[tuple[Page, Seen]]:
    """The page in a browser, and what is wrong with it."""
    seen = Seen()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.on("console", lambda said: seen.errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith(_ALLOWED) else seen.outside.append(asked.url))
        page.goto(url)
        yield page, seen
        browser.close()
