#!/usr/bin/env bash
# What is built while `tetryx watch-store` runs is in the cache soon after, with all that it needs.
source "$(dirname "$0")/common.sh"

start_server
tetryx login local "$url" "$(root_token)" 2>/dev/null
tetryx cache create hello 2>/dev/null
tetryx use hello >/dev/null 2>&1
touch watch.log
tetryx watch-store hello >"$work/watch.out" 2>"$work/watch.log" &
watch_pid=$!
wait_for_line() { # extended regular expression
  local tries
  for ((tries = 0; tries < 400; tries++)); do
    if grep -Eq "$1" "$work/watch.log"; then return; fi
    kill -0 "$watch_pid" 2>/dev/null || die "watch-store ended: $(cat "$work/watch.log")"
    sleep 0.05
  done
  die "no line $1 within 20 seconds: $(cat "$work/watch.log")"
}
wait_for_line '^👀 Pushing new store paths to "hello" on "local"$'

say 'a path that is added, and a closure that is built'
mkdir tree
echo "watched $RANDOM$RANDOM" >tree/file
added=$(nix-store --add tree)
wait_for_line "${added#/nix/store/} "
mapfile -t closure < <("$shell_dir/make-closure.sh" -n 5 -p mixed -s "$RANDOM")
wait_for_line "${closure[-1]#/nix/store/} "

say 'a server that is away for a while'
stop_server
echo "more $RANDOM$RANDOM" >tree/file
late=$(nix-store --add tree)
wait_for_line '^⚠️ .*trying again in'
start_server
wait_for_line "${late#/nix/store/} "
kill "$watch_pid"
wait "$watch_pid" 2>/dev/null || true
pull "$work/pulled" "$added" "${closure[-1]}" "$late" >"$work/pull.log" 2>&1 || die "the pull failed: $(tail -n 5 "$work/pull.log")"
verify_pulled "$work/pulled" "$added" "${closure[@]}" "$late"
stop_server
say 'all of it came'
