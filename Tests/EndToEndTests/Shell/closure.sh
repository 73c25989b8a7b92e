#!/usr/bin/env bash
# A closure of mixed paths goes into a cache and comes back equal; the same closure rebuilt after a change at its
# bottom costs little more space.
#
#   closure.sh [PATHS] [PROFILE]     default 40 mixed; "closure.sh 12 big" for large paths
source "$(dirname "$0")/common.sh"
count=${1:-40} profile=${2:-mixed}

say "making $count $profile paths"
mapfile -t first < <("$shell_dir/make-closure.sh" -n "$count" -p "$profile" -s 81)
mapfile -t second < <("$shell_dir/make-closure.sh" -n "$count" -p "$profile" -s 81 -g 2)
start_server
token=$(root_token)
tetryx login local "$url" "$token" 2>/dev/null
tetryx cache create hello 2>/dev/null
tetryx use hello >/dev/null 2>&1

before=$(date +%s.%N)
/usr/bin/time -o client-memory -f %M tetryx push hello "${first[-1]}" >/dev/null 2>"$work/push.log" || die "the push failed: $(cat push.log)"
elapsed=$(seconds_since "$before")
nar_bytes=$(nix-store -q --size "${first[@]}" | awk '{ s += $1 } END { print s }')
say "pushed $nar_bytes bytes in $elapsed s, $(pack_bytes) stored"
# Bounded by what an upload holds at a time, whatever the size of a NAR.
client_kib=$(tail -n 1 client-memory) server_kib=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$server_pid/status")
say "at most $((client_kib / 1024)) MiB in the client, $((server_kib / 1024)) MiB in the server"
((client_kib < 150000 && server_kib < 150000)) || die 'that is more than 150 MB'
before=$(date +%s.%N)
pull "$work/store-1" "${first[-1]}" >"$work/pull.log" 2>&1 || die "the pull failed: $(tail -n 5 "$work/pull.log")"
say "pulled in $(seconds_since "$before") s"
verify_pulled "$work/store-1" "${first[@]}"

# One path of the second generation by hand, to see what the server says about it: the largest.
largest=$(for path in "${second[@]}"; do printf '%s %s\n' "$(nix-store -q --size "$path")" "$path"; done | sort -n | tail -n 1 | cut -d' ' -f2)
references=$(nix-store -q --references "$largest" | sed 's,.*/,",; s,$,",' | paste -sd,)
hash=${largest#/nix/store/}
info="{\"cache\":\"hello\",\"store_path_hash\":\"${hash%%-*}\",\"store_path\":\"$largest\",\"references\":[$references],\"sigs\":[],\"nar_hash\":\"$(nix-store -q --hash "$largest")\",\"nar_size\":$(nix-store -q --size "$largest")}"
stored=$(pack_bytes)
nix-store --dump "$largest" | expect_status 'PUT upload-path' 200 -X PUT -T - -H "Authorization: Bearer $token" \
  -H "X-Attic-Nar-Info: $info" "$url/_api/v1/upload-path"
answer=$(cat http-body)
say "the largest path again, after a change below it: $answer, $(($(pack_bytes) - stored)) bytes of $(nix-store -q --size "$largest") stored"
share=$(sed -n 's/.*"frac_deduplicated":\([0-9.]*\).*/\1/p' <<<"$answer")
awk -v share="${share:-0}" 'BEGIN { exit !(share >= 0.5 && share <= 1) }' || die "only ${share:-none} of it was deduplicated"

tetryx push hello "${second[-1]}" >/dev/null 2>"$work/push.log" || die "the second push failed: $(cat push.log)"
grown=$(($(pack_bytes) - stored))
say "the second generation grew the packs by $grown of $stored bytes"
((grown * 2 < stored)) || die 'the second generation was stored whole, or nearly'
pull "$work/store-2" "${second[-1]}" >"$work/pull.log" 2>&1 || die "the second pull failed: $(tail -n 5 "$work/pull.log")"
verify_pulled "$work/store-2" "${second[@]}"
stop_server
say 'every path came back equal'
