"""Sphinx for the web book. `course.py book` writes the pages (course_lib/tools/pages.py) and calls it; nothing is executed."""

import importlib.util
from pathlib import Path

HERE = Path(__file__).resolve().parent
(MATHJAX,) = importlib.util.find_spec("mathjax").submodule_search_locations

project = "Deep learning for medical image recognition"
language = "en"
extensions = ["myst_nb"]
exclude_patterns = ["README.md"]  # index.md includes it

nb_execution_mode = "off"
nb_render_markdown_format = "myst"
nb_merge_streams = True
nb_code_prompt_show = nb_code_prompt_hide = "Code"
myst_enable_extensions = ["dollarmath", "linkify"]
myst_linkify_fuzzy_links = False  # course.py is no address
myst_heading_anchors = 3

html_theme = "sphinx_book_theme"
html_title = project
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_search_summary = False  # it fetches pages, which a browser refuses to a page from the disk
html_theme_options = {"use_download_button": False, "show_toc_level": 2, "max_navbar_depth": 1, "navbar_persistent": []}
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system
toc_object_entries_show_parents = "hide"
# One file with its glyphs inside: no font is loaded, from nowhere.
html_static_path = [str(HERE / "_static"), f"{MATHJAX}/static/mathjax/es5/tex-svg-full.js"]
html_css_files = ["book.css"]
mathjax_path = "tex-svg-full.js"

linkcheck_ignore = [r"https://(dx\.)?doi\.org/"]
