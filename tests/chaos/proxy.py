"""A TCP proxy that misbehaves when told to: between our processes and Redis or PostgreSQL.

What it can do: pass, refuse, swallow everything without a word (`blackhole`), delay, reset what is open, cut a
connection after some bytes of the server's, and cut the reply of a COMMIT that the server has done.
"""

import asyncio
import threading
from contextlib import suppress

CHUNK = 65_536
COMMIT = b"COMMIT"


class Proxy:
    """Listens on `port` from the start and leads to `target`; every method may be called from any thread."""

    def __init__(self, target):
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._links = set()
        self._open = asyncio.Event()
        self._refusing, self._delay, self._bytes_left, self._cutting = False, 0.0, None, False
        self.port = self.cuts = 0
        listening = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(listening,), daemon=True)
        self._thread.start()
        listening.wait()

    def heal(self):
        """Pass everything, at once and whole."""
        self._tell(self._set, refusing=False, delay=0.0, bytes_left=None, cutting=False, open_=True)

    def refuse(self):
        """Reset every connection, now and when it comes."""
        self._tell(self._set, refusing=True)
        self.reset()

    def blackhole(self):
        """Pass nothing and close nothing, until healed: then what was swallowed arrives."""
        self._tell(self._set, open_=False)

    def delay(self, seconds):
        """Keep each piece of the server's answers back so long."""
        self._tell(self._set, delay=seconds)

    def reset(self):
        """Reset every open connection, once."""
        self._tell(self._reset)

    def cut_after(self, count):
        """Reset the connection that receives the `count`-th byte from now; once."""
        self._tell(self._set, bytes_left=count)

    def cut_commits(self):
        """Let COMMIT through, and reset the connection in place of its reply."""
        self._tell(self._set, cutting=True)

    def close(self):
        """End it, with all that is open."""
        self._tell(self._loop.stop)
        self._thread.join(5)

    def _tell(self, what, **values):
        self._loop.call_soon_threadsafe(lambda: what(**values))

    def _set(self, *, refusing=None, delay=None, bytes_left=-1, cutting=None, open_=None):
        self._refusing = self._refusing if refusing is None else refusing
        self._delay = self._delay if delay is None else delay
        self._bytes_left = self._bytes_left if bytes_left == -1 else bytes_left
        self._cutting = self._cutting if cutting is None else cutting
        if open_ is not None:
            (self._open.set if open_ else self._open.clear)()

    def _reset(self):
        for link in list(self._links):
            link.abort()

    def _run(self, listening):
        asyncio.set_event_loop(self._loop)
        self._open.set()
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        listening.set()
        self._loop.run_forever()
        server.close()
        self._reset()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader, writer):
        if self._refusing:
            writer.transport.abort()
            return
        with suppress(asyncio.CancelledError):
            await self._open.wait()
        try:
            theirs, ours = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        link = Link(writer, ours)
        self._links.add(link)
        try:
            with suppress(asyncio.CancelledError):  # at the end of it all
                await asyncio.gather(self._up(link, reader, ours), self._down(link, theirs, writer))
        finally:
            self._links.discard(link)
            link.abort()

    async def _up(self, link, reader, writer):
        """What the client says."""
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._open.wait()
                if self._cutting and COMMIT in data:
                    link.doomed = True
                writer.write(data)
                await writer.drain()
            await self._open.wait()
            writer.write_eof()

    async def _down(self, link, reader, writer):
        """What the server answers."""
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._open.wait()
                if self._delay:
                    await asyncio.sleep(self._delay)
                if link.doomed or self._is_used_up(len(data)):
                    self.cuts += 1
                    link.abort()
                    return
                writer.write(data)
                await writer.drain()
        link.abort()

    def _is_used_up(self, count):
        if self._bytes_left is None:
            return False
        self._bytes_left -= count
        if self._bytes_left > 0:
            return False
        self._bytes_left = None
        return True


class Link:
    """One connection through the proxy, both halves; `doomed` once its COMMIT is on the way."""

    def __init__(self, *writers):
        self._writers = writers
        self.doomed = False

    def abort(self):
        for writer in self._writers:
            writer.transport.abort()
