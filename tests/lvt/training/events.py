"""Read what TensorBoard would show of event files."""

from tensorboardX.proto.event_pb2 import Event, SessionLog

from reelpack.video.tfrecord import count_records, read_record


def scalars(folder):
    """Return {name: [(step, value), ...]}, without what a restart took back."""
    shown = {}
    for event in read(folder):
        if event.session_log.status == SessionLog.START:
            for name, points in shown.items():
                shown[name] = [point for point in points if point[0] < event.step]
        for value in event.summary.value:
            if value.HasField("simple_value"):
                shown.setdefault(value.tag, []).append((event.step, value.simple_value))
    return shown


def pictures(folder):
    """Return {(name, step): (height, width)}."""
    return {
        (value.tag, event.step): (value.image.height, value.image.width)
        for event in read(folder)
        for value in event.summary.value
        if value.HasField("image")
    }


def read(folder):
    """Return all events, file after file."""
    found = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        records = range(1, count_records(path) + 1)
        found += [Event.FromString(read_record(path, record)) for record in records]
    return found
