"""The Latent Video Transformer: training, generation, measures, its files and configurations."""
