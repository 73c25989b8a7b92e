#!/usr/bin/env bash
# A server in its parts: each mode by itself, at a socket with a path and at sockets that systemd would pass, with tokens of RSA, and
# what it says of its health.
source "$(dirname "$0")/common.sh"

openssl genrsa -traditional 2048 >"$work/private.pem" 2>/dev/null
openssl rsa -in "$work/private.pem" -pubout >"$work/public.pem" 2>/dev/null
configuration() { # file, line of [jwt.signing]
  cat >"$1" <<CONF
listen = "unix:$work/atticd.sock"
socket-mode = "0600"
drain-delay = "3 seconds"
[database]
url = "sqlite://$work/server.db"
[storage]
path = "$work/storage"
[garbage-collection]
interval = "1 second"
[jwt.signing]
$2
CONF
  chmod 600 "$1"
}
configuration "$work/server.toml" "token-rs256-secret-base64 = \"$(base64 -w0 "$work/private.pem")\""
configuration "$work/checking.toml" "token-rs256-pubkey-base64 = \"$(base64 -w0 "$work/public.pem")\""

at_socket=(--unix-socket "$work/atticd.sock")
await_health() { # status: of the server at its socket, within 20 seconds
  local tries
  for ((tries = 0; tries < 100; tries++)); do
    [[ $(http_status "${at_socket[@]}" http://any/_health) == "$1" ]] && return
    sleep 0.2
  done
  die "/_health is not $1 within 20 seconds, but: $(cat "$work/http-body")"
}

say 'check-config, before anything is made, and of what cannot be'
atticd -f server.toml --mode check-config 2>"$work/check.log" || die "it found something: $(cat "$work/check.log")"
[[ ! -e $work/server.db && ! -e $work/storage ]] || die 'check-config made something'
touch "$work/file"
sed -e "s,sqlite://$work/server.db,sqlite://$work/file/server.db," -e "s,^path = .*,path = \"$work/file/storage\"," \
  -e "s,^listen = .*,listen = \"unix:$work/none/atticd.sock\"," server.toml >bad.toml
expect_failure 'check-config of three wrong places' atticd -f bad.toml --mode check-config
for sentence in "cannot make $work/file/server.db below $work/file" "cannot make $work/file/storage below $work/file" "$work/none"; do
  expect_contains 'what it said' "$sentence" "$output"
done
# What is there and may not be written: a server would find out at the first push. Root may write everything.
if [[ $(id -u) == 0 ]] && command -v setpriv >/dev/null; then
  open=$(mktemp -d)
  cp "$(command -v atticd)" "$open/atticd"
  sed -e "s,sqlite://$work/server.db,sqlite://$open/data/server.db," -e "s,^path = .*,path = \"$open/data/storage\"," server.toml >"$open/server.toml"
  atticd -f "$open/server.toml" --mode db-migrations 2>"$work/migrations.log"
  chmod -R a+rX "$open" && chown 65534 "$open" "$open/data"
  stranger=(setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$open" "$open/atticd" -f "$open/server.toml")
  # Swift's libraries may be out of a stranger's reach.
  if "${stranger[@]}" --version >/dev/null 2>&1; then
    expect_failure "check-config of what is root's" "${stranger[@]}" --mode check-config
    expect_contains 'what it said' "cannot read and write $open/data/server.db" "$output"
    expect_failure "the start on what is root's" "${stranger[@]}"
    expect_contains 'what the start said' "cannot read and write $open/data/server.db" "$output"
  fi
  rm -rf "$open"
fi
# Of a network that no machine has (RFC 5737).
expect_failure "check-config of another machine's address" atticd -f server.toml -l 192.0.2.7:8080 --mode check-config
expect_contains "what it said of another machine's address" 'cannot listen on 192.0.2.7:8080' "$output"

say 'no mode but monolithic and db-migrations touches the schema'
for mode in api-server garbage-collector garbage-collector-once; do
  expect_failure "$mode without a schema" timeout 20 atticd -f server.toml --mode "$mode"
  expect_contains "what $mode said" 'bring it up to date with atticd --mode db-migrations' "$output"
done
atticd -f server.toml --mode db-migrations >"$work/migrate.log" 2>&1 || die "the migration failed: $(cat "$work/migrate.log")"

say 'an API server at a socket with a path, and tokens that RSA signs'
launch '^Listening on ' atticd -f server.toml --mode api-server
expect_equal 'where it listens' "Listening on unix:$work/atticd.sock..." "$(grep '^Listening' "$server_log")"
expect_equal 'the mode of its socket' 600 "$(stat -c %a "$work/atticd.sock")"
everything=(--pull '*' --push '*' --create-cache '*')
token=$(atticadm -f server.toml make-token --sub me --validity '1 hour' "${everything[@]}")
encode() { base64 -w0 | tr '+/' '-_' | tr -d =; }
claims='{"sub":"other","exp":4000000000,"https://jwt.attic.rs/v1":{"caches":{"*":{"r":1,"cc":1}}}}'
foreign=$(printf '{"alg":"RS256"}' | encode).$(printf '%s' "$claims" | encode)
foreign=$foreign.$(printf '%s' "$foreign" | openssl dgst -sha256 -sign "$work/private.pem" | encode)
body='{"keypair":"Generate","is_public":false,"store_dir":"/nix/store","priority":41,"upstream_cache_key_names":[]}'
expect_status 'a cache by our token' 200 "${at_socket[@]}" -H "Authorization: Bearer $token" -d "$body" http://any/_api/v1/cache-config/ours
expect_status 'a cache by the token of openssl' 200 "${at_socket[@]}" -H "Authorization: Bearer $foreign" -d "$body" http://any/_api/v1/cache-config/theirs
forged=$(printf '{"alg":"HS256"}' | encode).$(printf '%s' "$claims" | encode)
forged=$forged.$(printf '%s' "$forged" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$(od -An -v -tx1 "$work/public.pem" | tr -d ' \n')" -binary | encode)
expect_status 'a token made with the public key' 401 "${at_socket[@]}" -H "Authorization: Bearer $forged" -d "$body" http://any/_api/v1/cache-config/forged
expect_contains 'why' 'this server takes RS256' "$(cat "$work/http-body")"
expect_failure 'a token from the public key' atticadm -f checking.toml make-token --sub me --validity '1 hour' --pull '*'
expect_contains 'its error' 'cannot sign tokens with the public key' "$output"
expect_failure 'a second server at the socket' timeout 20 atticd -f server.toml --mode api-server
for mode in monolithic db-migrations; do
  expect_failure "$mode under a running server" timeout 20 atticd -f server.toml --mode "$mode"
  if [[ $output == *Migrating* || $output != *"$work/storage"* ]]; then die "$mode under a running server said: $output"; fi
done

say 'a collection beside it'
atticd -f server.toml --mode garbage-collector-once 2>"$work/collect.log" || die "the collection failed: $(cat "$work/collect.log")"
api_pid=$server_pid
server_log_api=$server_log server_log=$work/collector.log
launch '^Collecting garbage every 1 seconds' atticd -f server.toml --mode garbage-collector
for ((tries = 0; tries < 200; tries++)); do [[ $(grep -c 'garbage collection:' "$server_log") -lt 2 ]] || break; sleep 0.1; done
[[ $(grep -c 'garbage collection:' "$server_log") -ge 2 ]] || die 'the collector did not collect twice within 20 seconds'
expect_failure 'a second collector' timeout 20 atticd -f server.toml --mode garbage-collector
expect_contains 'what it said' "a garbage collector is running already (process $server_pid on " "$output"
kill -HUP "$server_pid"
seen=$(grep -c 'garbage collection:' "$server_log")
for ((tries = 0; tries < 200; tries++)); do [[ $(grep -c 'garbage collection:' "$server_log") -lt $((seen + 2)) ]] || break; sleep 0.1; done
[[ $(grep -c 'garbage collection:' "$server_log") -ge $((seen + 2)) ]] || die 'the collector does not collect after SIGHUP, as a server would go on'
stop_server
server_pid=$api_pid server_log=$server_log_api

say 'its health'
expect_status 'a server that is well' 200 "${at_socket[@]}" http://any/_health
mv "$work/storage" "$work/elsewhere"
await_health 503
expect_contains 'what it says' 'the storage cannot be reached' "$(cat "$work/http-body")"
mv "$work/elsewhere" "$work/storage"
await_health 200
expect_contains 'the log' 'from local, request' "$(cat "$server_log")"
kill -TERM "$server_pid"
await_health 503
expect_contains 'what it says when it is told to end' 'about to end' "$(cat "$work/http-body")"
expect_status 'what it serves meanwhile' 200 "${at_socket[@]}" -H "Authorization: Bearer $token" http://any/ours/nix-cache-info
wait "$server_pid" || die 'the server ended with an error'
server_pid=
[[ ! -e $work/atticd.sock ]] || die 'its socket is left'

say 'killed, it leaves its socket, and the next one takes the place; a server that can only check tokens takes the same'
launch '^Listening on ' atticd -f server.toml
kill_server
[[ -S $work/atticd.sock ]] || die 'a killed server has taken its socket away'
launch '^Listening on ' atticd -f checking.toml
expect_status 'what was made before' 200 "${at_socket[@]}" -H "Authorization: Bearer $token" http://any/ours/nix-cache-info
kill -TERM "$server_pid"
kill -TERM "$server_pid" 2>/dev/null || true
wait "$server_pid" || die 'the server ended with an error'
server_pid=

say 'as systemd starts it: with sockets, and with somebody who listens for how it is'
cat >"$work/manager.py" <<'PY'
"""What systemd does: passes sockets, listens for messages, ends the service. Prints what it hears."""
import os, select, signal, socket, sys, time
work = sys.argv[1]
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(f"{work}/notify")
tcp = socket.create_server(("127.0.0.1", 0))
local = socket.socket(socket.AF_UNIX)
local.bind(f"{work}/passed.sock")
local.listen()
child = os.fork()
if child == 0:
    ours = [os.dup(s.fileno()) for s in (tcp, local)]
    for place, descriptor in enumerate(ours):
        os.dup2(descriptor, 3 + place)
    environment = dict(os.environ, LISTEN_FDS="2", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="one:two",
                       NOTIFY_SOCKET=f"{work}/notify", WATCHDOG_USEC="900000", WATCHDOG_PID=str(os.getpid()))
    os.execvpe("atticd", ["atticd", "-f", f"{work}/server.toml"], environment)
heard, alive = [], 0
def hear(seconds, wanted):
    global alive
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not select.select([notify], [], [], max(0, end - time.monotonic()))[0]:
            break
        for line in notify.recv(4096).decode().split("\n"):
            if line == "WATCHDOG=1":
                alive += 1
            else:
                heard.append(line)
        if wanted():
            return
    sys.exit(f"after {seconds} seconds only this was heard: {heard}, and WATCHDOG=1 {alive} times")
def ask(s):
    s.sendall(b"GET /_health HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n")
    answer = b""
    while True:
        more = s.recv(4096)
        if not more:
            return answer.split(b"\r\n")[0].decode()
        answer += more
hear(30, lambda: "READY=1" in heard)
print(ask(socket.create_connection(tcp.getsockname())))
connection = socket.socket(socket.AF_UNIX)
connection.connect(f"{work}/passed.sock")
print(ask(connection))
hear(30, lambda: alive >= 3)
os.kill(child, signal.SIGTERM)
hear(30, lambda: "STOPPING=1" in heard)
print(" ".join(line for line in heard if not line.startswith("STATUS=")))
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
PY
output=$(python3 "$work/manager.py" "$work" 2>"$server_log") || die "the service failed: $(tail -n 5 "$server_log")"
expect_equal 'what was heard' $'HTTP/1.1 200 OK\nHTTP/1.1 200 OK\nREADY=1 STOPPING=1' "$output"
expect_contains 'the log' 'Listening on the passed socket two' "$(cat "$server_log")"
[[ -S $work/passed.sock && ! -e $work/atticd.sock ]] || die 'it took the passed socket away, or listened elsewhere as well'
say 'every mode does its part'
