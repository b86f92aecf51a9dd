"""What there should be: manifests, folders, lists of one's own, published sets and their adapters."""
