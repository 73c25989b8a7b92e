#!/usr/bin/env bash
# Bytes that are lost: the first, the middle and the last chunk of a path cut off or overwritten, and a whole pack removed.
# Each request is refused before any body, fsck names what is lost, a push brings it back. Then a copy is made while
# pushes go on, and serves elsewhere.
source "$(dirname "$0")/common.sh"

say 'making paths'
seq 1 700000 >numbers
path=$(nix-store --add "$work/numbers")
rm numbers
name=${path#/nix/store/}
mapfile -t closure < <("$shell_dir/make-closure.sh" -n 20 -p mixed -s 93)
start_server
token=$(root_token)
tetryx login local "$url" "$token" 2>/dev/null
tetryx cache create hello 2>/dev/null
tetryx use hello >/dev/null 2>&1
tetryx push hello "$path" >push.log 2>&1 || die "the push failed: $(cat push.log)"

nar_url() {
  expect_status 'the narinfo' 200 -H "Authorization: Bearer $token" "$url/hello/${name%%-*}.narinfo"
  printf '%s/hello/%s' "$url" "$(sed -n 's/^URL: //p' http-body)"
}
# All of it, a range of bytes that are there, and its head: nothing of a damaged NAR is sent. From then on its path is not here.
expect_refused() { # what, lost or marked
  # What another process marked the server sees within half a second; what is gone, at once. Of two answers that it keeps in
  # memory one may have been let go before.
  if [[ $2 == marked ]]; then
    local kept
    for kept in "$nar" "$url/hello/${name%%-*}.narinfo"; do
      for ((tries = 0; tries < 40; tries++)); do
        [[ $(http_status -H "Authorization: Bearer $token" "$kept") == 200 ]] || break
        sleep 0.1
      done
    done
  fi
  expect_status "$1, all of it" 503 -H "Authorization: Bearer $token" "$nar"
  expect_contains "$1: the answer" IncompleteNar "$(cat http-body)"
  expect_status "$1, a part of it" 503 -H "Authorization: Bearer $token" -H 'Range: bytes=0-9' "$nar"
  expect_status "$1, its head" 404 -I -H "Authorization: Bearer $token" "$nar"
  expect_status "$1, its narinfo" 404 -H "Authorization: Bearer $token" "$url/hello/${name%%-*}.narinfo"
}
heal() {
  tetryx push hello "$path" >push.log 2>&1 || die "the push failed: $(cat push.log)"
  local store
  store=$(mktemp -d -p "$work" store.XXXX)
  pull "$store" "$path" >pull.log 2>&1 || die "the pull failed: $(tail -n 5 pull.log)"
  verify_pulled "$store" "$path"
  fsck 0 --verify-content
}

fsck 0 --verify-content
for place in first middle last; do
  read -r pack offset size < <(chunk "$path" $place)
  file=$(pack_file "$pack")
  # Asked for before: the loops know where it lies.
  nar=$(nar_url)
  expect_status 'the whole NAR' 200 -H "Authorization: Bearer $token" "$nar"

  say "the $place chunk is cut off"
  truncate -s $((offset + size / 2)) "$file"
  fsck 7
  expect_contains 'what fsck says' "the pack $file has $((offset + size / 2)) bytes" "$(cat fsck.log)"
  expect_contains 'what fsck says' "$path in hello" "$(cat fsck.log)"
  expect_refused "a NAR whose $place chunk is cut off" lost
  fsck 7 --repair
  expect_contains 'what fsck --repair says' "$path in hello: marked as damaged: push its paths again" "$(cat fsck.log)"
  fsck 7 --repair --json
  expect_contains 'what fsck --json says' '"outcome":"damaged"' "$(cat fsck.log)"
  heal

  say "the $place chunk is overwritten"
  nar=$(nar_url)
  read -r pack offset size < <(chunk "$path" $place)
  file=$(pack_file "$pack")
  dd if=/dev/zero of="$file" bs=1 seek=$((offset + 20)) count=$((size - 20)) conv=notrunc status=none
  # Its size does not show it.
  fsck 0
  fsck 7 --verify-content --rate 1G
  expect_contains 'what fsck says' "bytes at $offset of $file is damaged" "$(cat fsck.log)"
  fsck 7 --verify-content --dry-run
  fsck 7 --verify-content --repair
  expect_refused "a NAR whose $place chunk is overwritten" marked
  heal
done

say 'the pack is removed'
read -r pack offset size < <(chunk "$path" first)
file=$(pack_file "$pack")
nar=$(nar_url)
rm "$file"
fsck 7
expect_contains 'what fsck says' "the pack $file is not there" "$(cat fsck.log)"
expect_refused 'a NAR without its pack' lost
heal

say 'beside a push nothing is found'
tetryx push hello "${closure[-1]}" >push.log 2>&1 &
push_pid=$!
rounds=0
while kill -0 "$push_pid" 2>/dev/null; do
  fsck 0 --repair --verify-content
  rounds=$((rounds + 1))
done
wait "$push_pid" || die "the push failed: $(tail -n 5 push.log)"
say "looked $rounds times"

say 'leftovers'
printf x >"$file.new"
mkdir -p "$storage/packs/ab"
printf x >"$storage/packs/ab/abababababababababababababababab.pack"
fsck 6 --repair
expect_equal 'files that no row names' "$file.new" "$(find "$storage/packs" -name '*.new' -o -name 'abab*')"
rm -r "$file.new"
fsck 0

say 'a copy while pushes go on'
mapfile -t more < <("$shell_dir/make-closure.sh" -n 20 -p mixed -s 94)
tetryx push hello "${more[-1]}" >push.log 2>&1 &
push_pid=$!
atticadm backup "$work/copy" >backup.log 2>&1 || die "the backup failed: $(cat backup.log)"
say "$(cat backup.log)"
wait "$push_pid" || die "the push failed: $(tail -n 5 push.log)"
expect_failure 'a second backup into the same directory' atticadm backup "$work/copy"
fsck 0 -f "$work/copy/server.toml" --verify-content

say 'the copy where nothing may be written'
sealed() { # command...: sees the copy mounted to be read only, which binds root, too
  unshare --mount --map-root-user bash -c 'mount --bind -o ro "$0" "$0" && exec "$@"' "$work/copy" "$@"
}
if sealed true 2>/dev/null; then
  expect_failure 'a file there' sealed touch "$work/copy/file"
  sealed atticadm fsck -f "$work/copy/server.toml" --verify-content >"$work/fsck.log" 2>&1 || die "it was not read: $(cat "$work/fsck.log")"
  expect_contains 'the check' ': clean' "$(cat "$work/fsck.log")"
  mkdir -p "$work/copy/storage/packs/ab"
  printf x >"$work/copy/storage/packs/ab/abababababababababababababababab.pack"
  expect_failure 'a check of a leftover' sealed atticadm fsck -f "$work/copy/server.toml"
  expect_contains 'what it found' 'no row names the pack' "$output"
  expect_contains 'its last line' ' 1 finding, 1 left' "$output"
  expect_failure 'a repair' sealed atticadm fsck -f "$work/copy/server.toml" --repair
  expect_contains 'its error' 'in a directory that this user can write to' "$output"
  fsck 6 -f "$work/copy/server.toml" --repair
else
  say 'nothing can be mounted here; it was not tried'
fi
stop_server
mv "$XDG_DATA_HOME/tetryx" "$work/gone"
start_server -f "$work/copy/server.toml"
if grep -q 'put in order\|missing' "$server_log"; then die "the copy's server had something to repair: $(cat "$server_log")"; fi
pull "$work/store-copy" "$path" "${closure[-1]}" >pull.log 2>&1 || die "the pull from the copy failed: $(tail -n 5 pull.log)"
verify_pulled "$work/store-copy" "$path" "${closure[@]}"
# What came after the copy is pushed again, as a client would.
tetryx push hello "${more[-1]}" >push.log 2>&1 || die "the push into the copy failed: $(tail -n 5 push.log)"
pull "$work/store-copy-2" "${more[-1]}" >pull.log 2>&1 || die "the pull failed: $(tail -n 5 pull.log)"
verify_pulled "$work/store-copy-2" "${more[@]}"
fsck 0 -f "$work/copy/server.toml" --verify-content
stop_server
say 'all that was lost was named and came back, and the copy serves'
