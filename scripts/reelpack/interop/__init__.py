"""Ways into other frameworks' catalogues, none of which is needed to build a pack."""
