"""In Google Colab its manager of custom widgets must be on, or none of ours is seen.

ipyleaflet turns it on when it is imported, anywidget with the first widget, so that nothing of ours
has to. Tested with a stub of Colab; whether Colab then draws everything cannot be tested here.
"""

import subprocess
import sys

STUB = """
import sys, types
asked = []
for name in ("google", "google.colab", "google.colab.output"):
    sys.modules[name] = types.ModuleType(name)
output = sys.modules["google.colab.output"]
output.enable_custom_widget_manager = lambda: asked.append(True)
output._widgets = types.SimpleNamespace(_installed_url="https://colab/manager.js")
sys.modules["google.colab"].output = output
"""
SHOW = """
import combicam_widgets as ccw
print(asked)
ccw.LayerDiagram()
print(bool(asked))
"""


def run(code):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_showing_something_turns_colabs_manager_on():
    assert run(STUB + SHOW) == ["[]", "True"]


def test_elsewhere_nothing_of_google_is_loaded():
    code = "import sys, combicam_widgets as ccw; ccw.LayerDiagram(); print('google' in sys.modules)"
    assert run(code) == ["False"]
