"""Cut clips out of longer videos, into mp4 files that show exactly the frames of a window."""

from __future__ import annotations
