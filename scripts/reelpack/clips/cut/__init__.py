"""Cut clips out of longer videos, into mp4 files that show exactly the pictures of a window."""

from __future__ import annotations
