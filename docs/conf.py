"""How Sphinx builds the documentation; `recipes.documentation.py` lays out what it reads."""

from combicam_widgets import __version__

project = "combicam_widgets"
author = copyright = "The combicam_widgets developers"  # noqa: A001 - Sphinx's name for it
release = version = __version__
root_doc = "docs/index"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # the recipe has run them

toc_object_entries = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say them in words, with shapes and ranges
autodoc_default_options = {"members": True}
# Fields of two results may have the same name, as `insertion` has.
suppress_warnings = ["ref.python"]
default_role = "code"  # `name` in docstrings
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

html_theme = "sphinx_book_theme"
html_title = "combicam_widgets"
html_static_path = ["docs/site.css"]
html_css_files = ["site.css"]
html_extra_path = ["extra"]
html_theme_options = {
    "show_toc_level": 2,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "home_page_in_toc": True,
    "navbar_persistent": [],
}
html_last_updated_fmt = None
html_copy_source = False
html_show_sourcelink = False
