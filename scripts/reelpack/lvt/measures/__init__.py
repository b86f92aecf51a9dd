"""What a VQ-VAE keeps of a split: the error of its frames, and how its codes are used.

Flows in: the manifest, codes shards with their ledgers, clip tables or staged shards, the model. Flows
out: one JSON object and one picture. `choice` says which clips are looked at, `codebooks` counts codes,
`reconstruction` compares frames, `split` puts them together.
"""
