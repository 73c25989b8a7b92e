#!/usr/bin/env bash
# Two api-servers and a garbage collector on one PostgreSQL and one bucket, behind an nginx that does TLS. First 8 clients push
# the same 50 new paths to both servers at once, and what one server is told is what the other answers 2 seconds later. Then 4 clients push and 4 pull through nginx, while a server is killed every 20
# seconds, the collector runs every 10, and PostgreSQL is restarted once: no wrong byte, no acknowledged path lost, no client
# that fails, fsck clean at the end.
#
#   replicas.sh [SECONDS] [SEED]     default 45; "replicas.sh 300" for the whole of it
export TETRYX_TEST_CACHE=${TETRYX_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}}
source "$(dirname "$0")/common.sh"
storm_seconds=${1:-45}
RANDOM=${2:-1}
services=$shell_dir/../../../scripts/test.d

source "$shell_dir/tls-common.sh"
other_port=$(free_port)

# --- What the servers stand on -----------------------------------------------------------------------------------
say 'starting PostgreSQL, a bucket, and nginx'
chmod 755 "$work"
database_url=$("$services/postgres" start "$work/postgres")
eval "$("$services/s3" start "$work/s3")"
"$services/s3" bucket "$work/s3" packs
pids=()
end() {
  local status=$? pid
  touch "$work/stop"
  for pid in "${pids[@]}" "${server[@]}" "$collector" "$nginx_pid"; do [[ -z $pid ]] || kill "$pid" 2>/dev/null || true; done
  "$services/postgres" stop "$work/postgres" || true
  "$services/s3" stop "$work/s3" || true
  [[ $status == 0 ]] || tail -n 20 a.log b.log collector.log >&2 || true
  (exit "$status")
  finish
}
server=() collector=
trap end EXIT

start_nginx "upstream atticd { server 127.0.0.1:$port max_fails=1 fail_timeout=2s; server 127.0.0.1:$other_port max_fails=1 fail_timeout=2s; keepalive 16; }" \
  'location / { proxy_pass http://atticd; proxy_connect_timeout 2s; proxy_next_upstream error timeout http_502 http_503; }'

cat >server.toml <<CONF
[database]
url = "$database_url"
[storage]
type = "s3"
region = "us-east-1"
bucket = "packs"
endpoint = "$TETRYX_TEST_S3"
[storage.credentials]
access_key_id = "$AWS_ACCESS_KEY_ID"
secret_access_key = "$AWS_SECRET_ACCESS_KEY"
[garbage-collection]
interval = "10 seconds"
[jwt.signing]
token-hs256-secret-base64 = "$(openssl rand -base64 64 | tr -d '\n')"
CONF
chmod 600 server.toml
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
echo 'download-attempts = 8' >>"$NIX_CONF_DIR/nix.conf"

start_replica() { # 0 or 1
  local ports=("$port" "$other_port") logs=(a.log b.log)
  atticd -f server.toml -l "127.0.0.1:${ports[$1]}" --mode api-server >>"${logs[$1]}" 2>&1 &
  server[$1]=$!
}
wait_for() { # port
  local tries
  for ((tries = 0; tries < 200; tries++)); do
    [[ $(http_status "http://127.0.0.1:$1/_health" || true) != 200 ]] || return 0
    sleep 0.1
  done
  die "the server at port $1 is not healthy after 20 seconds: $(tail -n 5 a.log b.log)"
}
sql() { psql -XAtq "$database_url" -c "$1"; }

atticd -f server.toml --mode db-migrations >migrations.log 2>&1 || die "the migrations failed: $(cat migrations.log)"
atticd -f server.toml --mode check-config >check.log 2>&1 || die "check-config: $(cat check.log)"
start_replica 0
start_replica 1
wait_for "$port"
wait_for "$other_port"
atticd -f server.toml --mode garbage-collector >collector.log 2>&1 &
collector=$!

token=$(atticadm -f server.toml make-token --sub storm --validity 1d --pull '*' --push '*' --create-cache '*' --configure-cache '*' \
  --configure-cache-retention '*' --destroy-cache '*')
tetryx login one "http://127.0.0.1:$port" "$token" 2>/dev/null
tetryx login two "http://127.0.0.1:$other_port" "$token" 2>/dev/null
tetryx login front "$tls_url" "$token" --set-default 2>/dev/null
tetryx cache create keep 2>/dev/null
tetryx cache create brief 2>/dev/null
tetryx cache configure brief --retention-period 3s 2>/dev/null
tetryx use keep >use.log 2>&1 || die "tetryx use: $(cat use.log)"
hash_of() { local name=${1#/nix/store/}; printf '%s' "${name%%-*}"; }

# --- The same paths, by everybody, to both --------------------------------------------------------------------------
say '8 clients push the same 50 new paths to both servers'
mapfile -t same < <("$shell_dir/make-closure.sh" -n 50 -p mixed -s "$RANDOM$RANDOM$$")
started=$(date +%s.%N)
clients=()
for ((client = 0; client < 8; client++)); do
  names=(one two)
  tetryx push "${names[client % 2]}:keep" "${same[@]}" >"same-$client.log" 2>&1 & clients+=($!)
done
for client in "${!clients[@]}"; do wait "${clients[client]}" || die "client $client failed: $(tail -n 3 "same-$client.log")"; done
expect_equal 'rows of NARs' "${#same[@]}" "$(sql 'SELECT count(*) FROM nar')"
expect_equal 'chunks with the same content' 0 "$(sql 'SELECT count(*) - count(DISTINCT hash) FROM chunk')"
pull "$work/pulled" "${same[@]}" >pull.log 2>&1 || die "the pull failed: $(tail -n 5 pull.log)"
verify_pulled "$work/pulled" "${same[@]}"
chmod -R u+w "$work/pulled"
rm -rf "$work/pulled"
say "took $(seconds_since "$started") seconds; one NAR each, each chunk once"

# --- What one is told, the other answers -----------------------------------------------------------------------------
say 'what one server is told is what the other answers within 2 seconds'
other=http://127.0.0.1:$other_port
longest=0
soon() { # what, status, what its body has, curl's arguments: the second server answers so, 2 seconds from now at the latest
  local began status took
  began=$(date +%s%N)
  while :; do
    status=$(http_status "${@:4}")
    took=$((($(date +%s%N) - began) / 1000000))
    if [[ $status == "$2" ]] && grep -qF "$3" http-body; then break; fi
    ((took < 2000)) || die "$1: after $took ms it still is HTTP $status: $(head -c 300 http-body)"
    sleep 0.02
  done
  ((took <= longest)) || longest=$took
}
hot() { # what, status, curl's arguments: it is answered so, from memory at the third time
  for _ in 1 2 3; do expect_status "$@"; done
}
bearer=(-H "Authorization: Bearer $token")
guest=$(atticadm -f server.toml make-token --sub guest --validity 1d --pull 'told*')
tetryx cache create --public one:told 2>/dev/null
narinfo=$other/told/$(hash_of "${same[0]}").narinfo
hot 'a narinfo that is not there yet' 404 "$narinfo"
tetryx push one:told "${same[0]}" 2>/dev/null
soon 'a path that was pushed' 200 'URL: ' "$narinfo"
hot 'its narinfo' 200 "$narinfo"
nar=$other/told/$(sed -n 's/^URL: //p' http-body)
tetryx cache configure one:told --regenerate-keypair >/dev/null 2>&1
expect_status 'the narinfo where the key was changed' 200 "${narinfo/$other/http://127.0.0.1:$port}"
soon 'a key that was changed' 200 "$(grep '^Sig: told' http-body)" "$narinfo"
hot 'its NAR' 200 "$nar"
tetryx cache configure one:told --private >/dev/null 2>&1
soon 'the narinfo of a cache that was made private' 401 '' "$narinfo"
soon 'its NAR' 401 '' "$nar"
hot 'its narinfo for a guest' 200 -H "Authorization: Bearer $guest" "$narinfo"
atticadm -f server.toml token revoke guest >/dev/null
soon 'the narinfo for a guest who was turned away' 401 revoked -H "Authorization: Bearer $guest" "$narinfo"
hot 'its narinfo' 200 "${bearer[@]}" "$narinfo"
tetryx cache destroy one:told --no-confirm >/dev/null 2>&1
soon 'the narinfo of a cache that was destroyed' 404 '' "${bearer[@]}" "$narinfo"
say "the longest took $longest ms"

# --- The storm ---------------------------------------------------------------------------------------------------------
new_path() { # name: a path of some size with new content, which no other has
  local directory=$work/new-$1 byte_count=$((RANDOM * 40 + 100))
  rm -rf "$directory"
  mkdir "$directory"
  head -c "$byte_count" /dev/urandom >"$directory/random"
  seq "$RANDOM" 60000 >"$directory/numbers"
  nix-store --add "$directory"
}
push_on() { # number
  local count=0 paths path cache
  RANDOM=$((100 + $1))
  while [[ ! -e stop ]]; do
    paths=()
    for ((i = 0; i < 3; i++)); do paths+=("$(new_path "$1-$i")"); done
    printf '%s\n' "${paths[@]}" >>made
    cache=keep
    ((count % 3 != 2)) || cache=brief
    if ! tetryx push "$cache" "${paths[@]}" >"push-$1.log" 2>&1; then
      echo "push $count of client $1: $(tail -n 4 "push-$1.log")" >>failures
      continue
    fi
    count=$((count + 1))
    # Said to be here, all at once, so that nobody reads half a line.
    [[ $cache != keep ]] || printf '%s\n' "${paths[@]}" >>acknowledged
    echo "$cache" >>pushes
    sleep 0.2
  done
}
pull_on() { # number
  local paths
  RANDOM=$((200 + $1))
  while [[ ! -e stop ]]; do
    mapfile -t paths < <(shuf -n 4 acknowledged 2>/dev/null)
    if ((${#paths[@]} == 0)); then sleep 0.5; continue; fi
    if ! pull "$work/pulled-$1" "${paths[@]}" >"pull-$1.log" 2>&1; then
      echo "pull of client $1: $(tail -n 4 "pull-$1.log")" >>failures
    elif ! (verify_pulled "$work/pulled-$1" "${paths[@]}") >"verify-$1.log" 2>&1; then
      echo "wrong bytes at client $1: $(tail -n 4 "verify-$1.log")" >>failures
    else
      echo "${#paths[@]}" >>pulls
    fi
    chmod -R u+w "$work/pulled-$1" && rm -rf "$work/pulled-$1" "$work"/nix-cache.*-"$1" || true
  done
}
say "4 clients push and 4 pull for $storm_seconds seconds, while servers are killed"
: >failures; : >pushes; : >pulls; : >made
printf '%s\n' "${same[@]}" >acknowledged
for ((client = 0; client < 4; client++)); do
  push_on "$client" & pids+=($!)
  pull_on "$client" & pids+=($!)
done
kills=0
began=$SECONDS
while ((SECONDS - began < storm_seconds)); do
  sleep 10
  if ((kills % 2 == 1 || SECONDS - began > storm_seconds / 2)) && [[ ! -e restarted ]]; then
    touch restarted
    "$services/postgres" restart "$work/postgres"
    say 'PostgreSQL was restarted'
  fi
  sleep 9
  victim=$((kills % 2))
  kill -KILL "${server[victim]}"
  wait "${server[victim]}" 2>/dev/null || true
  kills=$((kills + 1))
  sleep 1
  start_replica "$victim"
done
wait_for "$port"
wait_for "$other_port"
touch stop
for pid in "${pids[@]}"; do wait "$pid" || true; done
pids=()

[[ ! -s failures ]] || die "clients failed: $(cat failures)"
kill -0 "$collector" || die "the collector has ended: $(tail -n 5 collector.log)"
mapfile -t all < <(sort -u acknowledged)
pull "$work/pulled" "${all[@]}" >pull.log 2>&1 || die "the pull of all failed: $(tail -n 5 pull.log)"
verify_pulled "$work/pulled" "${all[@]}"
chmod -R u+w "$work/pulled"
for pid in "${server[@]}" "$collector"; do
  kill -TERM "$pid"
  wait "$pid" || die "a server ended with $? on SIGTERM"
done
server=() collector=
atticadm -f server.toml fsck --verify-content >fsck.log 2>&1 || die "fsck found: $(cat fsck.log)"
nix-store --delete $(cat made) >/dev/null 2>&1 || true
say "$(wc -l <pushes) pushes of 3 paths, $(wc -l <pulls) pulls of 4, $kills servers killed, PostgreSQL restarted, $(grep -c . collector.log || true) lines of the collector: ${#all[@]} acknowledged paths whole, fsck clean"
