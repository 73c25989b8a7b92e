#!/usr/bin/env python3
"""Many connections to one server, as nobody means them well: idle ones, heads that come byte by byte, readers that read nothing.

  crowd.py PORT hold IDLE SLOW       holds IDLE idle connections and SLOW slow heads until SIGTERM; prints "ready" when all are open,
                                     and at its end what became of them. They come from 127.0.0.2 and up, 500 from each address
  crowd.py PORT share COUNT          opens COUNT connections from one address; prints how many are served and how many are turned away
  crowd.py PORT readers COUNT PATH   COUNT connections, eight from each address, ask for PATH and read nothing until SIGTERM
"""
import selectors
import signal
import socket
import sys
import time

PORT = int(sys.argv[1])
# Half of what an address may have: those that were just ended may still count.
PER_ADDRESS = 500
is_over = False


def end(*_):
    global is_over
    is_over = True


signal.signal(signal.SIGTERM, end)


def open_from(number):
    connection = socket.socket()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A port is given out for the whole connection and not for the address alone: there are more than 65,536.
    connection.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
    connection.bind((f"127.0.{number // 250}.{2 + number % 250}", 0))
    connection.settimeout(30)
    connection.connect(("127.0.0.1", PORT))
    return connection


def open_idle(number):
    connection = open_from(number)
    connection.sendall(b"GET /hello/nix-cache-info HTTP/1.1\r\nHost: h\r\n\r\n")
    answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 200"), answer
    connection.setblocking(False)
    return connection


def open_slow(number):
    connection = open_from(number)
    connection.sendall(b"GET /hello/nix-cache-info HTTP/1.1\r\nHost: h\r\nX: ")
    connection.setblocking(False)
    return connection


def hold(idle_count, slow_count):
    selector = selectors.DefaultSelector()
    reopened = {"idle": 0, "slow": 0}
    timed_out = 0
    slow = set()

    def add(kind, number):
        connection = open_idle(number) if kind == "idle" else open_slow(number)
        selector.register(connection, selectors.EVENT_READ, (kind, number))
        if kind == "slow":
            slow.add(connection)

    for index in range(idle_count):
        add("idle", index // PER_ADDRESS)
    for index in range(slow_count):
        add("slow", (idle_count + index) // PER_ADDRESS)
    print("ready", flush=True)
    while not is_over:
        began = time.monotonic()
        for key, _ in selector.select(timeout=0.2):
            kind, number = key.data
            try:
                answer = key.fileobj.recv(4096)
            except OSError:
                answer = b""
            if answer.startswith(b"HTTP/1.1 408"):
                timed_out += 1
            if answer:
                continue
            # The server has ended it: another one comes in its place.
            selector.unregister(key.fileobj)
            slow.discard(key.fileobj)
            key.fileobj.close()
            reopened[kind] += 1
            add(kind, number)
        for connection in list(slow):
            try:
                connection.send(b"y")
            except OSError:
                pass
        time.sleep(max(0, 0.5 - (time.monotonic() - began)))
    print(f"{reopened['slow']} slow heads were ended, {timed_out} of them with 408; {reopened['idle']} idle connections were ended", flush=True)


def share(count):
    taken, turned_away, others = [], 0, 0
    for _ in range(count):
        connection = open_from(7)
        try:
            connection.sendall(b"GET /hello/nix-cache-info HTTP/1.1\r\nHost: h\r\n\r\n")
            answer = connection.recv(4096)
        except OSError:
            answer = b""
        if answer.startswith(b"HTTP/1.1 200"):
            taken.append(connection)
        elif answer.startswith(b"HTTP/1.1 503"):
            turned_away += 1
        else:
            others += 1
    print(len(taken), turned_away, others, flush=True)


def readers(count, path):
    connections = []
    for index in range(count):
        connection = open_from(20 + index // 8)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        connections.append(connection)
    print("ready", flush=True)
    while not is_over:
        time.sleep(0.1)


match sys.argv[2:]:
    case ["hold", idle, slow]:
        hold(int(idle), int(slow))
    case ["share", count]:
        share(int(count))
    case ["readers", count, path]:
        readers(int(count), path)
    case _:
        sys.exit(__doc__)
