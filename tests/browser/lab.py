"""JupyterLab with a kernel, driven in a real Chromium: for the browser tests and the benchmarks."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import nbformat
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    expect,
    sync_playwright,
)

ROOT = Path(__file__).parents[2]
ARTIFACTS = ROOT / "artifacts"
TOKEN = "combicam-browser-tests"
WAIT = 60_000
"""Milliseconds to wait for a condition: far more than needed, so that slow machines pass."""

expect.set_options(timeout=WAIT / 2)

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
_ASK_KERNEL = r"""async (code) => {
  const { kernel } = window.jupyterapp.shell.currentWidget.context.sessionContext.session;
  const future = kernel.requestExecute({
    code: "", silent: true, store_history: false,
    user_expressions: { value: `__import__("base64").b64encode(
      __import__("json").dumps(${code}).encode()).decode()` },
  });
  const { value } = (await future.done).content.user_expressions;
  if (value.status !== "ok") throw new Error(`${value.ename}: ${value.evalue}`);
  const text = atob(value.data["text/plain"].slice(1, -1));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (c) => c.charCodeAt(0))));
}"""


def chromium() -> str:
    """Path of the system's Chromium; says how to get one if there is none."""
    path = os.environ.get("COMBICAM_CHROMIUM") or next(
        filter(None, map(shutil.which, _NAMES)), None
    )
    if not path:
        raise FileNotFoundError(
            "No Chromium found. Install it (Debian: apt-get install chromium), or name one in "
            "the environment variable COMBICAM_CHROMIUM."
        )
    return path


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run the system's Chromium without a window."""
    ARTIFACTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=_FLAGS)
        yield browser
        browser.close()


@contextmanager
def jupyter(folder: Path, *command: str) -> Iterator[str]:
    """Run a Jupyter server ("jupyterlab" or "notebook") in a folder; yields its address."""
    news = (
        folder / ".lab" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    )
    news.parent.mkdir(parents=True)
    news.write_text('{"fetchNews": "false"}')
    options = [
        f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={folder}",
        "--ip=127.0.0.1",
        "--port=0",
        "--allow-root",
        "--LabApp.expose_app_in_browser=True",
        "--JupyterNotebookApp.expose_app_in_browser=True",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    with _serving(folder, *command, *options) as process:
        yield _until_it_answers(process, lambda: _written_address(folder), "api/status")


@contextmanager
def voila(folder: Path, path: Path) -> Iterator[str]:
    """Run Voila on a notebook; ``folder`` keeps what it writes. Yields the app's address."""
    with socket.socket() as probe:  # Voila does not say which port it took
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [f"--port={port}", "--Voila.ip=127.0.0.1", "--Voila.open_browser=False"]
    with _serving(folder, "voila", str(path), *options) as process:
        # What a bare address answers with has run the notebook first.
        yield _until_it_answers(
            process, lambda: f"http://127.0.0.1:{port}/", "voila/static/voila.js"
        )


@contextmanager
def _serving(folder: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    ARTIFACTS.mkdir(exist_ok=True)
    settings = {
        "IPYTHONDIR": str(folder / ".ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / ".jupyter"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / ".lab"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / ".workspaces"),
        "JUPYTER_RUNTIME_DIR": str(folder / ".runtime"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),  # kernels import what tests import
    }
    with (ARTIFACTS / f"server-{folder.name}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, "--no-browser"],
            env={**os.environ, **settings},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _until_it_answers(
    process: subprocess.Popen[bytes], address: Callable[[], str], path: str
) -> str:
    """Wait until there is an address, and a server that answers there when asked for a path."""
    deadline = time.monotonic() + WAIT / 1000
    while time.monotonic() < deadline and process.poll() is None:
        try:
            url = address()
            urllib.request.urlopen(f"{url}{path}?token={TOKEN}", timeout=5)
        except (OSError, ValueError, KeyError):
            time.sleep(0.05)
            continue
        return url
    raise RuntimeError(f"The Jupyter server did not start; see its log in {ARTIFACTS}.")


def _written_address(folder: Path) -> str:
    """Read the address that a Jupyter server has written down."""
    (file,) = (folder / ".runtime").glob("jpserver-*.json")
    return str(json.loads(file.read_text())["url"])


def notebook(*cells: str) -> nbformat.NotebookNode:
    """Make a notebook of code cells."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return book


class Lab:
    """JupyterLab as a person sees it."""

    _path = "lab/tree/{name}?token={token}&reset"
    # What JupyterLab itself says in the console, whatever is shown in it.
    _harmless: tuple[str, ...] = (
        "favicon",
        "Download the React DevTools",
        "/api/terminals",
        "workspaces",
        "listings",
        # ipywidgets 8.1, when the output of a cell that runs again is taken off the page
        "processLuminoMessage",
        # anywidget, on a machine so slow that attentive.js has to help
        "Failed to initialize model",
    )

    def __init__(self, page: Page, address: str, folder: Path) -> None:
        self.page, self.address, self.folder = page, address, folder
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        page.set_default_timeout(WAIT)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self._note(f"page error: {error}"))
        page.on("request", self._watch)

    def open(self, book: nbformat.NotebookNode) -> None:
        """Open a notebook and run it by its own menu command; waits until the kernel is idle."""
        name = f"{uuid4()}.ipynb"  # a name of its own gets a kernel of its own
        nbformat.write(book, self.folder / name)
        self.page.goto(f"{self.address}{self._path.format(name=name, token=TOKEN)}")
        self._wait_for_notebook()
        self.run_all()

    def saved(self) -> nbformat.NotebookNode:
        """Save the notebook, and read what was written."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        name = self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.path")
        return nbformat.read(self.folder / name, as_version=4)

    def reload(self) -> None:
        """Save the notebook and reload the page; the kernel goes on living."""
        self.saved()
        self.page.reload()
        self._wait_for_notebook()

    def restart(self) -> None:
        """Restart the kernel, as the menu does once it was asked whether it should."""
        self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.context.sessionContext.restartKernel()"
        )
        self.wait_for_kernel()

    def _wait_for_notebook(self) -> None:
        self.page.wait_for_function("() => window.jupyterapp !== undefined")
        self.page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        """Wait until the kernel is idle."""
        self.page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget?.context?.sessionContext?.session"
            "?.kernel?.status === 'idle'"
        )

    def run_all(self) -> None:
        """Run all cells and wait for the last one to be done."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self.wait_for_kernel()

    def python(self, expression: str) -> object:
        """Evaluate a Python expression in the notebook's kernel; its value must be JSON."""
        return self.page.evaluate(_ASK_KERNEL, expression)

    def until(self, expression: str, value: object) -> None:
        """Wait until a Python expression has a value."""
        deadline = time.monotonic() + WAIT / 1000
        while (now := self.python(expression)) != value:
            assert time.monotonic() < deadline, f"{expression} is {now}, not {value}"

    def close(self) -> None:
        """Shut the kernel down and close the window."""
        self.page.evaluate(
            "() => window.jupyterapp?.shell.currentWidget?.context?.sessionContext?.shutdown()"
        )
        self.page.close()

    def layer(self, name: str) -> Locator:
        """The tile of a layer."""
        return self.page.get_by_role("button", name=f"Layer {name}", exact=True)

    def screenshot(self, name: str, target: Locator | None = None) -> Path:
        """Keep a picture among the artefacts."""
        path = ARTIFACTS / f"{name}.png"
        (target or self.page).screenshot(path=path)
        return path

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._note(f"{message.text} {message.location.get('url', '')}")

    def _note(self, complaint: str) -> None:
        if not any(word in complaint for word in self._harmless):
            self.complaints.append(complaint)

    def _watch(self, request: Request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:", "ws://127.0.0.1")):
            self.strangers.append(request.url)


def complaints_of_axe(page: Page, where: str) -> list[str]:
    """What axe-core finds wrong, in words."""
    found = Axe().run(page, context=where).response["violations"]
    return [f"{x['id']}: {node['html'][:120]}" for x in found for node in x["nodes"]]


def open_more(where: Page | Locator) -> None:
    """Open the rows of controls that are not needed every day."""
    more = where.get_by_role("button", name="More", exact=True)
    more.click()
    expect(more).to_have_attribute("aria-expanded", "true")


def close_more(where: Page | Locator) -> None:
    """Close these rows, which lie over the tiles; closed ones stay so."""
    more = where.get_by_role("button", name="More", exact=True)
    if more.get_attribute("aria-expanded") == "true":
        more.click()
    expect(more).to_have_attribute("aria-expanded", "false")


class Notebook(Lab):
    """Notebook 7: the same commands in a page of another make."""

    _path = "notebooks/{name}?token={token}"
    # Notebook 7.6 says so of any notebook when it opens it.
    _harmless = (*Lab._harmless, "reading 'schema'")


class Voila(Lab):
    """Voila: the notebook's output alone, and a kernel that nobody can ask."""

    # It asks the internet for icons, and does without; and loads extensions made for notebooks.
    _harmless = (*Lab._harmless, "fontawesome", "@jupyter-notebook/lab-extension")

    def visit(self) -> None:
        """Open the app, which runs it."""
        self.page.goto(self.address)

    def _watch(self, request: Request) -> None:
        if "fontawesome" not in request.url:
            super()._watch(request)
