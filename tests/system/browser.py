"""A real browser for tests of the page: the distribution's Chromium, driven by Playwright."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

SCREENSHOTS = Path(__file__).parents[2] / ".screenshots"
"""Pictures of the main screens, for a person to look at."""

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine; install the distribution's package chromium"
)
_FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT = 90_000
"""Milliseconds for what takes a fraction of a second on an idle machine."""
PHONE = {"viewport": {"width": 320, "height": 800}, "color_scheme": "dark", "has_touch": True}
DESK = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"}


class Tab:
    """A tab of the page, and everything that went wrong in it."""

    def __init__(self, page, base):
        self.page, self.base = page, base
        self.troubles = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        page.on("dialog", self._dialog)

    def _console(self, message):
        # What the browser says of an answer with a status over 400 is no fault of the page's script.
        if message.type in {"error", "warning"} and "the server responded with a status of" not in message.text:
            self.troubles.append(f"{message.type}: {message.text}")

    def _dialog(self, dialog):
        if dialog.type == "confirm":
            dialog.accept()
        else:
            self.troubles.append(f"{dialog.type}: {dialog.message}")
            dialog.dismiss()

    def go(self, path):
        self.page.goto(self.base + path)
        return self

    def sign_in(self, key):
        """Sign in as a person does: by the form that a stranger is led to."""
        self.go("/")
        self.page.get_by_label("API key").fill(key)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("heading", name="Now").wait_for()
        return self

    def picture(self, name):
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@contextmanager
def tabs(base):
    """A function that opens a tab of a browser of its own: `open_tab(**PHONE)`."""
    from playwright.sync_api import expect, sync_playwright  # noqa: PLC0415 - only where there is a browser

    expect.set_options(timeout=WAIT)

    with sync_playwright() as playwright:
        flags = [*_FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)

        def open_tab(**options):
            context = browser.new_context(**(DESK | options))
            context.set_default_timeout(WAIT)
            return Tab(context.new_page(), base)

        try:
            yield open_tab
        finally:
            browser.close()
