"""What only looks: the report, the plan, audits, packs for people, and the lists of recipes and datasets.

Flows in: results, benchmarks and models, whatever is there of them, and the cards. Flows out: text and
pictures for people. `counts`, `times`, `tokens` and `curves` each read one kind of file; `page` and
`audit` put them together. Nothing here makes the workflow go on.
"""
