"""The VQ-VAE: its training, and how its codes learn."""
