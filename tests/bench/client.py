"""A client of HTTP that costs little, in a process of its own: many connections, each with one request at a time.

    python -m tests.bench.client < order.json

The order names `port`, `headers`, the `paths` to POST to, and `connections`. With `every`, a request is due each
so many seconds, whatever became of those before, and its time runs from when it was due. With `pauses`, each
connection rests before a request for so many seconds, drawn anew between the two. The answer on standard output
has for each path its status, the moment it was due, and the seconds until its answer.
"""

import asyncio
import json
import random
import subprocess
import sys
import time


def post(port, headers, paths, connections, every=None, pauses=None):
    """Send an empty POST to each path from another process; returns (status, moment, seconds) for each."""
    order = {"port": port, "headers": headers, "paths": list(paths), "connections": connections}
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        input=json.dumps(order | {"every": every, "pauses": pauses}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [tuple(answer) for answer in json.loads(done.stdout)]


async def _send_all(port, headers, paths, connections, every, pauses):
    answers = [None] * len(paths)
    left = iter(enumerate(paths))
    began = time.time()
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    async def connection():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for place, path in left:
            if pauses:
                await asyncio.sleep(random.uniform(*pauses))
            due = began + place * every if every else time.time()
            if (early := due - time.time()) > 0:
                await asyncio.sleep(early)
            request = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n{lines}\r\n"
            writer.write(request.encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            )
            await reader.readexactly(length)
            answers[place] = int(head.split(b" ", 2)[1]), due, time.time() - due
        writer.close()

    await asyncio.gather(*(connection() for _ in range(min(connections, len(paths)))))
    return answers


def main():
    """Do as ordered."""
    json.dump(asyncio.run(_send_all(**json.load(sys.stdin))), sys.stdout)


if __name__ == "__main__":
    main()
