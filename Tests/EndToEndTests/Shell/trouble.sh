#!/usr/bin/env bash
# A disk that refuses, descriptors that run out, a clock that jumps, under a server that goes on: an error to who is
# concerned, a few lines in the log however many ask, nothing half done, and all of it works again when the trouble ends,
# without a restart.
#
# Calls of the kernel fail by a library that is put before the C library (trouble.c; the compiler comes with Swift).
source "$(dirname "$0")/common.sh"

say 'making paths'
seq 1 700000 >numbers
path=$(nix-store --add "$work/numbers")
rm numbers
mapfile -t first < <("$shell_dir/make-closure.sh" -n 6 -p tiny -s 98)
mapfile -t second < <("$shell_dir/make-closure.sh" -n 6 -p mixed -s 99)
clang -shared -fPIC -O1 -o "$work/trouble.so" "$shell_dir/trouble.c" || die 'trouble.c does not compile'
data=$XDG_DATA_HOME/tetryx

trouble() { # error number of changes, of reads, seconds added to the clock
  perl -e 'print pack("q<3", @ARGV)' "$@" | dd of="$work/control" conv=notrunc status=none
}
troubled_server() { # the directory whose calls fail
  LD_PRELOAD=$work/trouble.so TROUBLE_CONTROL=$work/control TROUBLE_DIRECTORY=$1 start_server
}
hash_of() { local name=${1#/nix/store/}; printf '%s' "${name%%-*}"; }
nar_url() {
  expect_status 'the narinfo' 200 "${auth[@]}" "$url/hello/$(hash_of "$1").narinfo"
  printf '%s/hello/%s' "$url" "$(sed -n 's/^URL: //p' http-body)"
}
upload() { # path: curl's report of its push; the answer is in http-body and http-head
  nix-store --dump "$1" >put.nar
  curl -s -D http-head -o http-body -w '%{http_code}' -T put.nar "${auth[@]}" -H 'Expect:' -H \
    "X-Attic-Nar-Info: {\"cache\":\"hello\",\"store_path_hash\":\"$(hash_of "$1")\",\"store_path\":\"$1\",\"references\":[],\"sigs\":[],\"nar_hash\":\"sha256:$(sha256sum put.nar | cut -d ' ' -f 1)\",\"nar_size\":$(stat -c %s put.nar)}" \
    "$url/_api/v1/upload-path"
}
expect_pulls() { # what, paths...
  local store
  store=$(mktemp -d -p "$work" store.XXXX)
  pull "$store" "${@:2}" >pull.log 2>&1 || die "$1: the pull failed: $(tail -n 5 pull.log)"
  verify_pulled "$store" "${@:2}"
}
fsck_clean() { atticadm fsck --verify-content >fsck.log 2>&1 || die "$1: fsck found: $(cat fsck.log)"; }
troubles_told() { grep -cE '(error|warning) atticd' "$server_log" || true; }

head -c 24 /dev/zero >"$work/control"
troubled_server "$data"
token=$(root_token)
auth=(-H "Authorization: Bearer $token")
tetryx login local "$url" "$token" 2>/dev/null
tetryx cache create hello 2>/dev/null
tetryx use hello >/dev/null 2>&1
tetryx push hello "${first[-1]}" >push.log 2>&1 || die "the push failed: $(cat push.log)"

for errno in 30:read-only 5:input-output; do
  what=${errno#*:}
  say "the disk: $what"
  trouble "${errno%:*}" 0 0
  expect_equal "$what: the push" 503 "$(upload "$path")"
  expect_contains "$what: the answer" '"error":"StorageTrouble"' "$(cat http-body)"
  grep -qi '^retry-after:' http-head || die "$what: no Retry-After: $(cat http-head)"
  say "the answer: HTTP 503 $(cat http-body)"
  expect_pulls "$what" "${first[@]}"
  before=$(troubles_told)
  for ((number = 0; number < 100; number++)); do upload "$path" >/dev/null; done
  lines=$(($(troubles_told) - before))
  ((lines < 30)) || die "$what: 100 pushes are $lines lines in the log"
  say "100 more pushes that are refused: $lines lines in the log beside the requests themselves"
  say "the log: $(grep -m 1 -E '(error|warning) atticd.*(storage|database):' "$server_log")"
  trouble 0 0 0
  tetryx push hello "$path" "${second[-1]}" >push.log 2>&1 || die "$what: the same server does not go on: $(cat push.log)"
  expect_pulls "$what, after it" "$path" "${first[@]}" "${second[@]}"
  stop_server
  troubled_server "$data"
  fsck_clean "$what"
  tetryx cache destroy hello --no-confirm >/dev/null 2>&1
  tetryx cache create hello 2>/dev/null
  tetryx use hello >/dev/null 2>&1
  tetryx push hello "${first[-1]}" >push.log 2>&1 || die "the push failed: $(cat push.log)"
done

say 'the disk: bytes that cannot be read'
stop_server
troubled_server "$storage"
tetryx push hello "$path" >push.log 2>&1 || die "the push failed: $(cat push.log)"
nar=$(nar_url "$path")
expect_status 'the NAR' 200 "${auth[@]}" "$nar"
trouble 0 5 0
if curl -s -o http-body "${auth[@]}" "$nar"; then die 'a NAR that cannot be read was sent as if it were whole'; fi
for ((tries = 0; tries < 60; tries++)); do
  [[ $(http_status "${auth[@]}" "$nar") == 503 ]] && break
  sleep 0.1
done
expect_status 'the NAR, known' 503 "${auth[@]}" "$nar"
expect_status 'its narinfo' 404 "${auth[@]}" "$url/hello/$(hash_of "$path").narinfo"
say "the log: $(grep -m 1 'are lost' "$server_log")"
trouble 0 0 0
say 'it can be read again, and is found to be whole by itself'
for ((tries = 0; tries < 900; tries++)); do
  [[ $(http_status "${auth[@]}" "$url/hello/$(hash_of "$path").narinfo") == 200 ]] && break
  sleep 0.1
done
say "after $((tries / 10)) seconds"
expect_pulls 'what can be read again' "$path"
fsck_clean 'what could not be read'

say 'no descriptors are left'
used=$(ls "/proc/$server_pid/fd" | wc -l)
prlimit --pid "$server_pid" --nofile="$used:$(ulimit -Hn)"
cpu() { awk '{ print $14 + $15 }' "/proc/$server_pid/stat"; }
waiting=()
for ((number = 0; number < 20; number++)); do
  curl -s -m 60 -o "answer-$number" -w '%{http_code}' "${auth[@]}" "$url/hello/nix-cache-info" >"status-$number" &
  waiting+=($!)
done
sleep 1
before=$(cpu)
sleep 4
spent=$(($(cpu) - before))
((spent < 100)) || die "without descriptors the server took $spent hundredths of a second of CPU in 4 seconds"
say "20 connections that cannot be accepted: $spent hundredths of a second of CPU in 4 seconds, $(grep -c 'No connections are accepted' "$server_log" || true) lines in the log"
prlimit --pid "$server_pid" --nofile="$(ulimit -Hn):$(ulimit -Hn)"
for pid in "${waiting[@]}"; do wait "$pid" || die 'who waited was not answered'; done
for ((number = 0; number < 20; number++)); do expect_equal 'the answer to who waited' 200 "$(cat "status-$number")"; done
expect_pulls 'with descriptors again' "$path"

say 'a clock that jumps'
tetryx cache configure hello --retention-period '1 week' >/dev/null 2>&1
stop_server
sed -i 's/^interval = .*/interval = "2s"/' "$XDG_CONFIG_HOME/tetryx/server.toml"
troubled_server "$data"
sleep 1
for days in 1 30; do
  for sign in '' -; do
    trouble 0 0 $((${sign}1 * days * 86400))
    sleep 3
    expect_pulls "the clock ${sign:-+}$days days" "$path" "${first[@]}"
    tetryx push hello "${second[-1]}" >push.log 2>&1 || die "the clock ${sign:-+}$days days: the push failed: $(cat push.log)"
    trouble 0 0 0
    sleep 3
    expect_pulls "the clock ${sign:-+}$days days, and right again" "$path" "${first[@]}" "${second[@]}"
  done
done
say "the log: $(grep -m 1 "clock was set" "$server_log")"
fsck_clean 'the clock'
stop_server
say 'trouble is told, harms nothing, and passes'
