#!/usr/bin/env bash
# Many at once: a closure of 1,000 tiny paths goes in with a few requests and comes back, one bad path among good ones is
# found out, and 100,000 hashes are asked for in one request.
#
#   many.sh [PATHS]
source "$(dirname "$0")/common.sh"
count=${1:-1000}

say "making $count tiny paths"
mapfile -t closure < <("$shell_dir/make-closure.sh" -n "$count" -p tiny -s 91)
start_server
token=$(root_token)
tetryx login local "$url" "$token" 2>/dev/null
tetryx cache create hello 2>/dev/null
tetryx use hello >/dev/null 2>&1

before=$(date +%s.%N)
tetryx push hello "${closure[-1]}" >"$work/push.log" 2>&1 || die "the push failed: $(tail -n 5 push.log)"
expect_equal 'how many paths were pushed' "$count" "$(grep -c '^✅ ' push.log)"
say "pushed in $(seconds_since "$before") s"
before=$(date +%s.%N)
pull "$work/store" "${closure[-1]}" >"$work/pull.log" 2>&1 || die "the pull failed: $(tail -n 5 "$work/pull.log")"
say "pulled in $(seconds_since "$before") s"
NIX_REMOTE='' nix-store --store "$work/store" --verify-path "${closure[@]}" || die 'nix-store --verify-path found damage'

# 99,999 that are not there, and the last path, which is.
hash=${closure[-1]#/nix/store/}
{
  printf '{"cache":"hello","store_path_hashes":['
  awk 'BEGIN { for (i = 1; i < 100000; i++) printf "\"%032d\",", i }'
  printf '"%s"]}' "${hash%%-*}"
} >request.json
before=$(date +%s.%N)
expect_status '100,000 hashes in one get-missing-paths' 200 -X POST --data-binary @request.json \
  -H "Authorization: Bearer $token" -H 'Content-Type: application/json' "$url/_api/v1/get-missing-paths"
say "100,000 hashes answered in $(seconds_since "$before") s"
expect_equal 'how many are missing' 99999 "$(tr ',' '\n' <http-body | grep -c '[0-9]\{32\}')"

say 'one bad path among good ones'
made=()
for name in good-1 bad good-2 good-3; do
  printf '%s in %s\n' "$name" "$work" >"$name"
  made+=("$(nix-store --add "$work/$name")")
done
# Of the same length as before: only its hash shows it.
chmod u+w "${made[1]}"
printf 'BAD in %s\n' "$work" >"${made[1]}"
if tetryx push hello "${made[@]}" >bad.log 2>&1; then status=0; else status=$?; fi
nix-store --delete "${made[@]}" >/dev/null 2>&1 || true
expect_equal 'the exit code: partly done' 5 "$status"
expect_equal 'the good ones' "$(printf '%s\n' "${made[0]}" "${made[2]}" "${made[3]}" | sort)" \
  "$(sed -n 's,^✅ \([^ ]*\) .*,/nix/store/\1,p' bad.log | sort)"
expect_match 'what is said of the bad one' "❌ ${made[1]#/nix/store/}: .*nar_hash says.*" "$(grep "^❌ ${made[1]#/nix/store/}" bad.log)"
stop_server
requests=$(grep -c 'PUT /_api/v1/upload-path' "$server_log")
# Two of several paths, of which one was refused; then one by one.
((requests <= count / 250 + 6)) || die "$requests uploads for $count paths and four more"
say "all there, with $requests uploads"
