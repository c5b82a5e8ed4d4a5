"""The embedded broker, amqtt, as a process: `python -m gateway.demo.amqtt_broker --port 1883`.

A process of its own because its event loop must never wait for a codec. It keeps every message for a subscriber that
does not read, without a bound: fine for a demo and a handful of players, not for more. Ends with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path
from typing import Any

MAX_CONNECTIONS = 64
MAX_CONNECT_BYTES = 65536
MQTT_311_LEVEL = 4
SHUTDOWN_TIMEOUT_S = 1.0


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM, SIGINT or the end of standard input. Returns the exit status."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(_serve(_settings(arguments)))
    except OSError as error:
        print(f"error: cannot listen on {arguments.host}:{arguments.port}: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: --port 1883 --password-file users.txt")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, required=True, help="TCP port to listen on")
    parser.add_argument("--password-file", type=Path, help="lines of name:argon2 hash; without it everyone is let in")
    parser.add_argument("--certificate", type=Path, help="PEM certificate; turns TLS on")
    parser.add_argument("--key", type=Path, help="PEM key of the certificate")
    return parser


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """amqtt's configuration. Naming the plugins leaves out its defaults, which log every packet."""
    listener: dict[str, Any] = {
        "type": "tcp",
        "bind": f"{arguments.host}:{arguments.port}",
        "max_connections": MAX_CONNECTIONS,
    }
    if arguments.certificate is not None:
        listener |= {"ssl": True, "certfile": str(arguments.certificate), "keyfile": str(arguments.key)}
    plugins: dict[str, dict[str, object]]
    if arguments.password_file is None:
        plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    else:
        plugins = {"amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(arguments.password_file)}}
    return {"listeners": {"default": listener}, "plugins": plugins}


def _refuse_mqtt_5_at_once() -> None:
    """Have amqtt refuse an MQTT 5 CONNECT whatever it carries.

    amqtt 0.12 reads the whole packet as MQTT 3.1.1 before it looks at the version: with properties or a will in it
    that means waiting for bytes that never come, and the client waits for an answer.
    """
    from amqtt.mqtt.connect import ConnectPayload

    read_payload = ConnectPayload.from_stream.__func__

    async def from_stream(cls: Any, reader: Any, fixed_header: Any, header: Any) -> Any:
        if header is None or header.proto_level == MQTT_311_LEVEL:
            return await read_payload(cls, reader, fixed_header, header)
        rest = fixed_header.remaining_length - len(header.to_bytes())
        if 0 < rest <= MAX_CONNECT_BYTES:
            await reader.read(rest)  # closing with unread data would reset the connection and lose the answer
        header.flags = header.CLEAN_SESSION_FLAG  # neither will nor login was read
        payload = cls()
        payload.client_id = "refused"
        return payload

    ConnectPayload.from_stream = classmethod(from_stream)


async def _serve(settings: dict[str, Any]) -> None:
    from amqtt.broker import Broker  # here, so that --help needs no amqtt

    _refuse_mqtt_5_at_once()
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    broker = Broker(settings)
    await broker.start()
    print(f"amqtt listens on {settings['listeners']['default']['bind']}", flush=True)
    orphaned = asyncio.create_task(_end_of_input(stop))
    await stop.wait()
    orphaned.cancel()
    with contextlib.suppress(asyncio.TimeoutError):  # it waits for clients that stay connected
        await asyncio.wait_for(broker.shutdown(), SHUTDOWN_TIMEOUT_S)


async def _end_of_input(stop: asyncio.Event) -> None:
    """Set `stop` when standard input, a pipe from who started us, ends: nobody is left to stop us otherwise."""
    reader = asyncio.StreamReader()
    try:
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    except ValueError:
        return  # a file or a terminal that cannot be watched: started by hand
    while await reader.read(1024):
        pass
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
