#!/usr/bin/env bash
# Chunks in an S3 bucket: a closure and a large NAR go in and come back, also through a proxy that refuses and cuts every fifth
# request; a collection merges small packs, copies half-dead ones and deletes dead ones; what is lost in the bucket is refused,
# named, and brought back by a push; what a killed server leaves there goes; TLS of a private authority lies between; and who asks
# for a NAR that is all of a pack is sent to the bucket.
#
# The server of the bucket is the gateway of JuiceFS, which verifies signatures; with TETRYX_TEST_S3_SERVER=ceph it is Ceph's
# (scripts/test.d/s3).
export TETRYX_TEST_CACHE=${TETRYX_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}}
source "$(dirname "$0")/common.sh"
source "$shell_dir/tls-common.sh"
authority stranger
s3=$shell_dir/../../../scripts/test.d/s3

mkdir gateway
# Before anything that may fail: what it starts must not stay.
proxy_pid=
trap 'status=$?; set +e; [[ -z $proxy_pid ]] || kill "$proxy_pid"; [[ -z $nginx_pid ]] || kill "$nginx_pid"; "$s3" stop "$work/gateway"; (exit $status); finish' EXIT
variables=$("$s3" start gateway) || die 'there is no S3 server to test with'
eval "$variables"
"$s3" bucket gateway chunks

configure() { # endpoint, further lines of [storage]
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
${2:-}
[garbage-collection]
interval = "0"
[jwt.signing]
token-hs256-secret-base64 = "$secret"
TOML
  )
}
bucket() { signed_curl "${@:1:$#-1}" "$TETRYX_TEST_S3/chunks${*: -1}"; } # curl's arguments; the path
objects() { bucket '?list-type=2' | grep -o '<Key>packs/[^<]*' | wc -l; }
nar_url() { # store path: where its NAR is; its narinfo is in http-body
  local name=${1#/nix/store/}
  expect_status 'the narinfo' 200 -H "Authorization: Bearer $token" "$url/hello/${name%%-*}.narinfo"
  echo "$url/hello/$(sed -n 's/^URL: //p' http-body)"
}
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
nar=$(nar_url "$large")
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

say 'through TLS of a private authority, and to the bucket for whole packs'
start_nginx '' "location / { proxy_pass $TETRYX_TEST_S3; }"
# By its address: the netrc has a token for this server's name, and knows no ports.
configure "https://127.0.0.1:$tls_port" 'redirect = true'
SSL_CERT_FILE=$work/stranger.pem NIX_SSL_CERT_FILE='' expect_failure 'an unknown authority' atticd --mode check-config
expect_contains 'what is said of it' 'its certificate was issued by "CN = ca"' "$output"
start_server
head -c 20000000 /dev/urandom >secure
secure=$(nix-store --add "$work/secure")
rm secure
tetryx push hello "$secure" >push.log 2>&1 || die "the push failed: $(cat push.log)"
grep -q '^200 PUT /chunks/packs/.*partNumber=2' nginx-access.log || die "it did not go in parts through TLS: $(cat nginx-access.log)"
expect_status 'a range of what lies in several packs' 206 -H "Authorization: Bearer $token" -H 'Range: bytes=9000001-30000005' "$nar"
cmp http-body <(tail -c +9000002 whole | head -c 21000005) || die 'a range through TLS is not that part of the whole'

merged=$(nar_url "${small[0]}")
own=$(nar_url "$secure")
own_hash=$(sed -n 's/^FileHash: sha256://p' http-body)
own_size=$(sed -n 's/^FileSize: //p' http-body)
answer() { curl -sS -o http-body -w '%{http_code} %{redirect_url}' -H "Authorization: Bearer $token" "$@"; }
location="https://127.0.0.1:$tls_port/chunks/packs/[0-9a-f]{32}\\?X-Amz-.*&X-Amz-Expires=300&.*"
expect_match 'who asks for a whole pack' "307 $location" "$(answer "$own")"
expect_match 'who asks for a range of it' "307 $location" "$(answer -H 'Range: bytes=10-19' "$own")"
expect_match 'who asks by HEAD' "307 $location" "$(answer --head "$own")"
expect_match 'who has it' '304 ' "$(answer -H "If-None-Match: \"$own_hash\"" "$own")"
expect_match 'who goes on with it' '206 ' "$(answer -H 'Range: bytes=10-19' -H "If-Range: \"$own_hash\"" "$own")"
expect_match 'who asks for a part of a pack' '200 ' "$(answer "$merged")"
expect_status 'who has no token' 401 "$own"
whole_url=$(answer "$own" | cut -d ' ' -f 2)
export CURL_CA_BUNDLE=$work/ca.pem
expect_status 'whoever has the URL' 200 "$whole_url"
expect_equal 'the file hash' "$own_hash" "$(nix-hash --type sha256 --base32 --flat http-body)"
expect_status 'another pack by that URL' 403 "${whole_url/packs\/?/packs\/$([[ $whole_url == *packs/0* ]] && echo 1 || echo 0)}"
expect_equal 'the size by HEAD' "$own_size" \
  "$(curl -sSIL -H "Authorization: Bearer $token" "$own" | tr -d '\r' | sed -n 's/^[Cc]ontent-[Ll]ength: //p' | tail -n 1)"
: >nginx-access.log
check_pull "$secure" "$large" "${small[0]}"
expect_equal 'the packs that Nix fetched from the bucket itself' 1 "$(grep -c '^200 GET /chunks/packs/.*X-Amz-Signature=' nginx-access.log)"
stop_server
kill "$nginx_pid"
nginx_pid=
unset CURL_CA_BUNDLE

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
