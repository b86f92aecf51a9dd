"""The subscale video transformer over codes: its model, likelihood, training and sampling."""
