#!/usr/bin/env python3
"""A forward proxy for tests: CONNECT, and http with whole URLs. It wants the user "user" with the password "pa@ss".

    forward-proxy.py PORT LOG

Each request is a line of LOG: the status, the request line, and all header lines, joined by spaces.
"""
import base64, socket, sys, threading
from urllib.parse import urlsplit

port, log_path = int(sys.argv[1]), sys.argv[2]
wanted = 'Basic ' + base64.b64encode(b'user:pa@ss').decode()
log_lock = threading.Lock()


def note(status, lines):
    with log_lock, open(log_path, 'a') as log:
        log.write(f'{status} {" ".join(lines)}\n')


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        source.close(), target.close()


def serve(client):
    data = b''
    while b'\r\n\r\n' not in data:
        more = client.recv(65536)
        if not more:
            return client.close()
        data += more
    head, rest = data.split(b'\r\n\r\n', 1)
    lines = head.decode('latin-1').split('\r\n')
    method, target, version = lines[0].split(' ')
    headers = dict(line.split(': ', 1) for line in lines[1:])
    if headers.get('Proxy-Authorization') != wanted:
        note(407, lines)
        client.sendall(b'HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
        return client.close()
    place = urlsplit(target if '://' in target else '//' + target)
    server = socket.create_connection((place.hostname, place.port or 80))
    note(200, lines)
    if method == 'CONNECT':
        client.sendall(b'HTTP/1.1 200 Connection established\r\n\r\n')
    else:
        # One request a connection: what comes next would be for another server, perhaps.
        path = place.path + ('?' + place.query if place.query else '')
        kept = [line for line in lines[1:] if not line.startswith('Proxy-')] + ['Connection: close']
        rest = '\r\n'.join([f'{method} {path} {version}'] + kept).encode('latin-1') + b'\r\n\r\n' + rest
    server.sendall(rest)
    threading.Thread(target=pump, args=(client, server), daemon=True).start()
    pump(server, client)


listener = socket.create_server(('127.0.0.1', port))
print('listening', flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
