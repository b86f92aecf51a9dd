"""Image files and contact sheets."""
