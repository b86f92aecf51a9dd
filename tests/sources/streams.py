"""Streams as yt-dlp describes them."""


def stream(name, width=0, height=0, size=None, **extra):
    kind = {"vcodec": "avc1", "acodec": "none", "protocol": "https"}
    return {"format_id": name, "width": width, "height": height, "filesize": size, **kind, **extra}


SOUND = {"vcodec": "none", "acodec": "mp4a"}
