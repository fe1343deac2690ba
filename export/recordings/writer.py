"""The process that writes a recording: blocks in on standard input, an MCAP file out.

    python -m export.recordings.writer FILE

It ends when its input does, with a whole file. Where the file can't be written, because the disk is full, it says so on
standard output and ends with 1: what was written until then stays and can be read.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import BinaryIO

from mcap.writer import CompressionType, Writer

from export.recorder.block import read_block
from export.recorder.recorder import FLUSH
from export.recordings.messages import RecordingMessages


def write_recording(stream: BinaryIO, file: BinaryIO) -> None:
    """Write what comes in on a stream until it ends, twice a second to where a kill can't take it back.

    Raises:
        OSError: the file can't be written; what was flushed before stays.
    """
    writer = Writer(file, compression=CompressionType.ZSTD)
    writer.start(profile="ros2", library="fleetmix")
    messages = RecordingMessages(writer)
    flushed = time.monotonic()
    while (block := read_block(stream)) is not None:
        messages.write(block)
        if time.monotonic() - flushed > 0.8 * FLUSH:
            writer.flush()
            flushed = time.monotonic()
    writer.finish()
    file.flush()
    with contextlib.suppress(OSError):  # a device has nothing to sync
        os.fsync(file.fileno())


def main(path: Path) -> int:
    """Write the recording that comes in on standard input; return the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the end of the input ends it, with a whole file
    try:
        file = path.open("wb")
        write_recording(sys.stdin.buffer, file)
        file.close()
    except OSError as error:
        print(error.strerror or error, flush=True)
        os._exit(1)  # closing the file would try to write once more
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
