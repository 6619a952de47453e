"""A real JupyterLab server with a kernel, and a real Chromium that looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import Lab, jupyter, running_browser
from playwright.sync_api import Browser


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Try a test that drives a browser twice: on a busy machine a server or a tab may stall.

    What needed a second try is named at the end of the run, to be mended.
    """
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("lab")
    with jupyter(folder, "jupyterlab") as address:
        yield address, folder


@pytest.fixture
def lab(
    browser: Browser, server: tuple[str, Path], request: pytest.FixtureRequest
) -> Iterator[Lab]:
    """JupyterLab in a fresh browser window; its last look is kept."""
    page = browser.new_page(viewport={"width": 1400, "height": 1150})
    lab = Lab(page, *server)
    yield lab
    lab.screenshot(f"last-{request.node.name}")
    lab.close()
