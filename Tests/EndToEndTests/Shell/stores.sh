#!/usr/bin/env bash
# Paths go into a cache from wherever Nix may keep them: behind its daemon, in a chroot store, in a store that is not
# /nix/store; and come back equal.
source "$(dirname "$0")/common.sh"

start_server
tetryx login local "$url" "$(root_token)" 2>/dev/null
tetryx cache create hello 2>/dev/null
tetryx use hello >/dev/null 2>&1

say 'a store behind its daemon'
mapfile -t closure < <("$shell_dir/make-closure.sh" -n 12 -p mixed -s 83)
NIX_DAEMON_SOCKET_PATH=$work/daemon-socket nix-daemon >"$work/nix-daemon.log" 2>&1 &
daemon_pid=$!
for ((tries = 0; tries < 200; tries++)); do [[ -S $work/daemon-socket ]] && break; sleep 0.05; done
NIX_REMOTE=unix://$work/daemon-socket tetryx push hello "${closure[-1]}" >/dev/null 2>"$work/push.log" || die "the push failed: $(cat "$work/push.log")"
expect_contains 'the push by the daemon' 'Pushing 12 paths' "$(cat "$work/push.log")"
kill "$daemon_pid"
wait "$daemon_pid" 2>/dev/null || true
pull "$work/from-daemon" "${closure[-1]}" >"$work/pull.log" 2>&1 || die "the pull failed: $(tail -n 5 "$work/pull.log")"
verify_pulled "$work/from-daemon" "${closure[@]}"
expect_failure 'a push by a daemon that is gone' tetryx push --store "unix://$work/daemon-socket" hello "${closure[-1]}"
expect_contains 'its error' 'daemon-socket' "$output"

say 'a chroot store'
mkdir "$work/tree"
echo "made for a chroot store, $RANDOM" >"$work/tree/file"
inner=$(nix-store --store "$work/chroot" --add "$work/tree")
[[ ! -e $inner ]] || die "$inner is outside of the chroot store as well"
expect_failure 'a push of a path of another store' tetryx push hello "$inner"
tetryx push --store "$work/chroot" hello "$inner" >/dev/null 2>"$work/push.log" || die "the push failed: $(cat "$work/push.log")"
expect_contains 'the push from a chroot store' 'Pushing 1 path' "$(cat "$work/push.log")"
# By its place, and by what nix.conf and the environment say.
for settings in "NIX_CONFIG=store = $work/chroot" "NIX_REMOTE=local?root=$work/chroot"; do
  env "$settings" tetryx push hello "$work/chroot$inner/file" >/dev/null 2>"$work/push.log" || die "with $settings the push failed: $(cat "$work/push.log")"
  expect_contains "the push with $settings" '1 already cached' "$(cat "$work/push.log")"
done
pull "$work/from-chroot" "$inner" >"$work/pull.log" 2>&1 || die "the pull failed: $(tail -n 5 "$work/pull.log")"
diff -r "$work/tree" "$work/from-chroot$inner" || die "$inner came back changed"

say 'a store that is not /nix/store'
tetryx cache create other --store-dir "$work/gnu/store" 2>/dev/null
export NIX_STORE_DIR=$work/gnu/store NIX_STATE_DIR=$work/gnu/var NIX_LOG_DIR=$work/gnu/log
outer=$(nix-store --add "$work/tree")
expect_contains 'the path' "$work/gnu/store/" "$outer"
expect_failure 'a push into a cache for /nix/store' tetryx push hello "$outer"
expect_contains 'its error' "$work/gnu/store" "$output"
tetryx push other "$outer" >/dev/null 2>"$work/push.log" || die "the push failed: $(cat "$work/push.log")"
tetryx use other >/dev/null 2>&1
expect_contains 'nix-cache-info' "StoreDir: $work/gnu/store" "$(curl -sf --netrc-file "$XDG_CONFIG_HOME/nix/netrc" "$url/other/nix-cache-info")"
chmod -R u+w "$work/gnu" && rm -rf "$work/gnu"
nix_fresh nix-store -r "$outer" >"$work/pull.log" 2>&1 || die "the pull failed: $(tail -n 5 "$work/pull.log")"
nix-store --verify-path "$outer" || die 'nix-store --verify-path found damage'
diff -r "$work/tree" "$outer" || die "$outer came back changed"
unset NIX_STORE_DIR NIX_STATE_DIR NIX_LOG_DIR
stop_server
say 'every store is read'
