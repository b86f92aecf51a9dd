"""From videos to clips: download, probe, trim."""
