"""The report on a run: one self-contained HTML page.

Flows in: results, benchmarks and models, whatever is there of them. Flows out: the page's text.
`counts`, `times`, `tokens` and `curves` each read one kind of file; `page` puts them together.
"""

from reelpack.report.page import render_report

__all__ = ["render_report"]
