"""From clips to frames: extraction, crops, sound, frame shards."""
