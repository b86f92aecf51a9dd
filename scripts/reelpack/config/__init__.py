"""config.yaml and cards: settings, schemas, recipes, and the rules that recipes keep to."""
