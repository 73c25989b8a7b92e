#!/usr/bin/env bash
# kill -9 of the server in the middle of a push, again and again: what was acknowledged pulls, nothing half-done is
# visible, the same push completes in the end, and no file is left that no row names.
source "$(dirname "$0")/common.sh"
# What is killed does not come back before the client has ended: nobody waits for it.
export TETRYX_ATTEMPTS=1

# Paths of 23 MB and small ones, none referring to another, so that each is acknowledged or not for itself. Their
# contents are fixed, so running this again adds nothing to the store.
say 'making paths'
paths=() small=()
for i in 0 1 2 3; do
  seq $((i * 3000000 + 1)) $((i * 3000000 + 3000000)) >"large-$i"
  paths+=("$(nix-store --add "$work/large-$i")")
done
for i in $(seq 1 24); do
  seq $((i * 100000)) $((i * 100000 + 8000)) >"small-$i"
  small+=("$(nix-store --add "$work/small-$i")")
done
rm -f large-* small-*
paths+=("${small[@]}")

start_server
token=$(root_token)
tetryx login local "$url" "$token" 2>/dev/null
tetryx cache create hello 2>/dev/null
tetryx use hello >/dev/null 2>&1

is_visible() { [[ $(http_status -H "Authorization: Bearer $token" "$url/hello/$1.narinfo") == 200 ]]; }

# Files in the pack directory that no row names, and packs that do not end where the rows say.
stray_packs() {
  local file name
  find "$storage/packs" -type f | while IFS= read -r file; do
    name=$(basename "$file" .pack)
    [[ $(sqlite3 "$XDG_DATA_HOME/tetryx/server.db" "SELECT byte_count FROM pack WHERE name = '$name'") == "$(stat -c %s "$file")" ]] ||
      printf '%s\n' "$file"
  done
}

touch acknowledged
for round in 1 2 3 4; do
  stored=$(pack_bytes)
  tetryx push hello "${paths[@]}" >"push-$round.log" 2>&1 &
  push_pid=$!
  # In the middle by its bytes on disk, not by a clock: later in every round.
  until (($(pack_bytes) > stored + round * 1000000)); do
    kill -0 "$push_pid" 2>/dev/null || break
  done
  kill_server
  if wait "$push_pid"; then die "round $round: the push had ended before the server was killed"; fi
  sed -n 's/^✅ \([0-9a-z]*\)-.*/\1/p' "push-$round.log" >>acknowledged

  start_server
  expect_equal 'files that no row names, after the restart' '' "$(stray_packs)"
  visible=() unasked=0 small_count=0
  for path in "${paths[@]}"; do
    hash=${path#/nix/store/}
    hash=${hash%%-*}
    if is_visible "$hash"; then
      visible+=("$path")
      if [[ $path == *-small-* ]]; then
        small_count=$((small_count + 1))
      elif ! grep -q "$hash" acknowledged; then
        unasked=$((unasked + 1))
      fi
    elif grep -q "$hash" acknowledged; then
      die "round $round: $path was acknowledged, and is gone"
    fi
  done
  # The answer to what was just committed may be lost with the server: at most one a connection, and whole.
  ((unasked <= 5)) || die "round $round: $unasked paths are visible that were never acknowledged"
  # The small ones go in one request.
  ((small_count == 0 || small_count == ${#small[@]})) || die "round $round: $small_count of ${#small[@]} small paths are visible"
  say "round $round: $(grep -c . acknowledged) acknowledged, ${#visible[@]} visible"
  if ((${#visible[@]} > 0)); then
    pull "$work/store-$round" "${visible[@]}" >pull.log 2>&1 || die "round $round: what is visible does not pull: $(tail -n 5 pull.log)"
    verify_pulled "$work/store-$round" "${visible[@]}"
  fi
done

say 'the same push completes'
tetryx push hello "${paths[@]}" >push.log 2>&1 || die "the push failed: $(tail -n 5 push.log)"
pull "$work/store" "${paths[@]}" >pull.log 2>&1 || die "the pull failed: $(tail -n 5 pull.log)"
verify_pulled "$work/store" "${paths[@]}"

say 'collection'
tetryx cache configure hello --retention-period 1s >/dev/null 2>&1
sleep 2
collect_garbage
expect_equal 'files that no row names, after the collection' '' "$(stray_packs)"
expect_equal 'what is left in the pack directory' '' "$(find "$storage/packs" -mindepth 1)"
stop_server
say 'nothing acknowledged was lost, nothing is left over'
