#!/usr/bin/env bash
# Chunks in an S3 bucket: a closure and a large NAR go in and come back, also through a proxy that refuses and cuts every fifth
# request; a collection merges small packs, copies half-dead ones and deletes dead ones; what is lost in the bucket is refused,
# named, and brought back by a push; what a killed server leaves there goes.
#
# The server of the bucket is the gateway of JuiceFS, which verifies signatures; with TETRYX_TEST_S3_SERVER=ceph it is Ceph's
# (scripts/test.d/s3).
export TETRYX_TEST_CACHE=${TETRYX_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}}
source "$(dirname "$0")/common.sh"
s3=$shell_dir/../../../scripts/test.d/s3

mkdir gateway
# Before anything that may fail: what it starts must not stay.
proxy_pid=
trap 'status=$?; set +e; [[ -z $proxy_pid ]] || kill "$proxy_pid"; "$s3" stop "$work/gateway"; (exit $status); finish' EXIT
variables=$("$s3" start gateway) || die 'there is no S3 server to test with'
eval "$variables"
"$s3" bucket gateway chunks

configure() { # endpoint
  mkdir -p "$XDG_CONFIG_HOME/tetryx" "$XDG_DATA_HOME/tetryx"
  secret=${secret:-$(openssl rand 64 | base64 -w0)}
  (
    umask 077
    cat >"$XDG_CONFIG_HOME/tetryx/server.toml" <<TOML
[database]
url = "sqlite://$XDG_DATA_HOME/tetryx/server.db"
[storage]
type = "s3"
region = "us-east-1"
bucket = "chunks"
endpoint = "$1"
grace-period = "0 seconds"
[garbage-collection]
interval = "0"
[jwt.signing]
token-hs256-secret-base64 = "$secret"
TOML
  )
}
bucket() { signed_curl "${@:1:$#-1}" "$TETRYX_TEST_S3/chunks${*: -1}"; } # curl's arguments; the path
objects() { bucket '?list-type=2' | grep -o '<Key>packs/[^<]*' | wc -l; }
check_pull() { # paths...
  local store
  store=$(mktemp -d -p "$work" store.XXXX)
  pull "$store" "$@" >pull.log 2>&1 || die "the pull failed: $(tail -n 5 pull.log)"
  verify_pulled "$store" "$@"
}

say 'making paths'
mapfile -t closure < <("$shell_dir/make-closure.sh" -n 30 -p mixed -s 41)
head -c 60000000 /dev/urandom >large
large=$(nix-store --add "$work/large")
rm large
mapfile -t small < <(for i in $(seq 20); do seq "$i" $((i + 3000)) >"small-$i"; nix-store --add "$work/small-$i"; done)

configure "$TETRYX_TEST_S3"
atticd --mode check-config >check.log 2>&1 || die "the configuration is refused: $(cat check.log)"
AWS_SECRET_ACCESS_KEY=wrong expect_failure 'a wrong secret' atticd --mode check-config
expect_contains 'what is said of a wrong secret' 'check the credentials' "$output"
[[ $output != *wrong* ]] || die 'the secret is told'

start_server
grep -q "$AWS_SECRET_ACCESS_KEY" "/proc/$server_pid/environ" && die 'the secret can be read in the environment of the server'
token=$(atticadm make-token --sub test --validity '1 hour' --pull '*' --push '*' --create-cache '*' --configure-cache '*' \
  --configure-cache-retention '*' --destroy-cache '*' --delete '*')
tetryx login local "$url" "$token" 2>/dev/null
tetryx cache create hello 2>/dev/null
tetryx use hello >/dev/null 2>&1
tetryx push hello "${closure[-1]}" "$large" >push.log 2>&1 || die "the push failed: $(cat push.log)"
check_pull "${closure[@]}" "$large"
name=${large#/nix/store/}
expect_status 'the narinfo' 200 -H "Authorization: Bearer $token" "$url/hello/${name%%-*}.narinfo"
nar=$url/hello/$(sed -n 's/^URL: //p' http-body)
expect_status 'the whole NAR' 200 -H "Authorization: Bearer $token" "$nar"
cp http-body whole
expect_status 'a range of it' 206 -H "Authorization: Bearer $token" -H 'Range: bytes=9000001-30000005' "$nar"
cmp http-body <(tail -c +9000002 whole | head -c 21000005) || die 'a range is not that part of the whole'
fsck 0 --verify-content
say "$(objects) objects"

say 'small packs are merged'
for path in "${small[@]}"; do tetryx push hello "$path" >push.log 2>&1 || die "the push failed: $(cat push.log)"; done
before=$(objects)
collect_garbage
say "$(cat collect.log)"
after=$(objects)
((after < before - 15)) || die "$before objects became $after"
check_pull "${small[@]}"
fsck 0 --verify-content

say 'half-dead packs are copied, and dead ones deleted'
# Of the merged pack only the small paths stay.
sql "DELETE FROM object_reference; DELETE FROM object WHERE store_path NOT LIKE '%-small-%';
  INSERT OR IGNORE INTO nar_candidate SELECT id FROM nar WHERE id NOT IN (SELECT nar_id FROM object)"
before=$(objects)
collect_garbage
say "$(cat collect.log)"
expect_contains 'what the collection says' ' copied into others' "$(cat collect.log)"
# What a copy empties goes with the same collection, where nobody is given time.
expect_equal 'the number of objects' 1 "$(objects)"
check_pull "${small[@]}"
fsck 0 --verify-content

say 'what is lost is refused, named, and brought back'
tetryx push hello "${closure[-1]}" "$large" >push.log 2>&1 || die "the push failed: $(cat push.log)"
pack=$(sql "SELECT p.name FROM object o JOIN chunk_reference r ON r.nar_id = o.nar_id JOIN chunk c ON c.id = r.chunk_id
  JOIN pack p ON p.id = c.pack_id WHERE o.store_path = '$large' LIMIT 1")
for loss in deleted truncated; do
  stop_server
  if [[ $loss == deleted ]]; then bucket -X DELETE "/packs/$pack"; else
    bucket "/packs/$pack" -o object 2>/dev/null || bucket -o object "/packs/$pack"
    head -c 1000000 object >cut
    bucket -o /dev/null -T cut "/packs/$pack"
  fi
  start_server
  expect_status "a NAR whose pack is $loss" 503 -H "Authorization: Bearer $token" "$nar"
  expect_contains 'the answer' IncompleteNar "$(cat http-body)"
  fsck 7 --repair
  expect_contains 'what fsck says' "$large in hello" "$(cat fsck.log)"
  tetryx push hello "$large" >push.log 2>&1 || die "the push failed: $(cat push.log)"
  check_pull "$large"
  # The pack that was lost goes with the next collection.
  collect_garbage
  fsck 0 --verify-content
  pack=$(sql "SELECT p.name FROM object o JOIN chunk_reference r ON r.nar_id = o.nar_id JOIN chunk c ON c.id = r.chunk_id
    JOIN pack p ON p.id = c.pack_id WHERE o.store_path = '$large' LIMIT 1")
done
head -c 1000 /dev/urandom >stray
bucket -o /dev/null -T stray /packs/0123456789abcdef0123456789abcdef
fsck 7
expect_contains 'what fsck says of an object without rows' 's3://chunks/packs/0123456789abcdef0123456789abcdef' "$(cat fsck.log)"
fsck 6 --repair
fsck 0

say 'a server killed in a push leaves nothing'
head -c 40000000 /dev/urandom >killed
killed=$(nix-store --add "$work/killed")
rm killed
before=$(objects)
tetryx push hello "$killed" >push.log 2>&1 &
push_pid=$!
for ((tries = 0; tries < 200; tries++)); do
  [[ $(sql 'SELECT count(*) FROM loose_pack') == 0 ]] || break
  sleep 0.02
done
kill_server
wait "$push_pid" || true
[[ $(sql 'SELECT count(*) FROM loose_pack') != 0 ]] || die 'the push was over before the server was killed'
sql 'UPDATE loose_pack SET expires_at = 1'
collect_garbage
[[ $(sql 'SELECT count(*) FROM loose_pack') == 0 ]] || die 'loose packs stay'
expect_equal 'the number of objects' "$before" "$(objects)"
uploads=$(bucket '?uploads=' | grep -c '<UploadId>' || true)
expect_equal 'the number of uploads that nobody ends' 0 "$uploads"

say 'every fifth request fails'
for ((tries = 0; ; tries++)); do
  proxy=$((20000 + RANDOM % 12000))
  port_is_free "$proxy" && break
  ((tries < 100)) || die 'no free port'
done
"$shell_dir/slow-bucket" "$proxy" "${TETRYX_TEST_S3##*:}" 20 30 "$work/proxy.log" 2>"$work/proxy.err" &
proxy_pid=$!
for ((tries = 0; tries < 100; tries++)); do port_is_free "$proxy" || break; sleep 0.05; done
configure "http://127.0.0.1:$proxy"
start_server
begin=$(date +%s.%N)
tetryx push hello "$killed" >push.log 2>&1 || die "the push failed: $(cat push.log)"
say "pushed 40 MB in $(seconds_since "$begin") s"
begin=$(date +%s.%N)
check_pull "${closure[@]}" "$large" "$killed"
say "pulled in $(seconds_since "$begin") s"
begin=$(date +%s.%N)
expect_status 'the whole NAR' 200 -H "Authorization: Bearer $token" "$nar"
say "60 MB in $(seconds_since "$begin") s: $(cat proxy.log)"
stop_server
say 'what went into the bucket came back equal'
