"""The site: `make docs` builds it from the pages of this folder."""

project = "sentinelone-source"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = project
myst_heading_anchors = 4
nitpicky = True
html_show_copyright = False
