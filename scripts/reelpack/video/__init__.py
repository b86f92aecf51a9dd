"""Planned decoding: index a clip, choose frames, feed the decoder only what they need."""

from reelpack.video import libav_log

libav_log.listen()
