"""Datasets made on the spot: the demo and a toy of BAIR's form."""
