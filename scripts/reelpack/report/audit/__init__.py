"""The audit of a dataset: clips published, listed, obtained, failed and missing, and the state of its files.

Flows in: manifests, shard tables and the ledgers of downloads, whatever is there of them, and the
videos' files. Flows out: counts and findings as text, json and csv. Nothing is fetched, and no video is
decoded. `asked` says what there should be, and is all that planning needs; `counts` and `files` each
look at one side of it; `page` writes both down.
"""
