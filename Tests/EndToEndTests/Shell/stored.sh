#!/usr/bin/env bash
# A closure goes into servers that store NARs in each compression, comes back equal, and is whole by their own check.
source "$(dirname "$0")/common.sh"

mapfile -t closure < <("$shell_dir/make-closure.sh" -n 12 -p mixed -s 97)
mapfile -t second < <("$shell_dir/make-closure.sh" -n 12 -p mixed -s 97 -g 2)
mapfile -t third < <("$shell_dir/make-closure.sh" -n 12 -p mixed -s 97 -g 3)
start_server
tetryx login local "$url" "$(root_token)" 2>/dev/null
stop_server
configuration=$XDG_CONFIG_HOME/tetryx/server.toml

for type in xz none brotli zstd; do
  say "$type"
  sed -i "s/^type = \"\(zstd\|xz\|none\|brotli\)\"/type = \"$type\"/" "$configuration"
  grep -q "^type = \"$type\"" "$configuration" || die 'the configuration was not changed'
  rm -rf "$XDG_DATA_HOME/tetryx"
  start_server
  tetryx cache create hello 2>/dev/null
  tetryx use hello >/dev/null 2>&1
  tetryx push hello "${closure[-1]}" >/dev/null 2>"$work/push.log" || die "the push failed: $(cat "$work/push.log")"
  hash=${closure[-1]#/nix/store/}
  narinfo=$(curl -sf --netrc-file "$XDG_CONFIG_HOME/nix/netrc" "$url/hello/${hash%%-*}.narinfo")
  # Streams of brotli cannot be joined, so those who pull get the NAR itself.
  sent=${type/brotli/none}
  expect_contains 'the narinfo' "Compression: $sent" "$narinfo"
  pull "$work/store-$type" "${closure[-1]}" >"$work/pull.log" 2>&1 || die "the pull failed: $(tail -n 5 "$work/pull.log")"
  verify_pulled "$work/store-$type" "${closure[@]}"
  say "$(pack_bytes) bytes stored"
  atticadm fsck --verify-content >"$work/fsck.log" 2>&1 || die "fsck found something: $(cat "$work/fsck.log")"
  stop_server
done

say 'what came before a change of compression is served beside what comes after it'
sed -i 's/^type = "zstd"/type = "brotli"/' "$configuration"
start_server
tetryx push hello "${second[-1]}" >/dev/null 2>"$work/push.log" || die "the push failed: $(cat "$work/push.log")"
stop_server
sed -i 's/^type = "brotli"/type = "xz"/' "$configuration"
start_server
tetryx push hello "${third[-1]}" >/dev/null 2>"$work/push.log" || die "the push failed: $(cat "$work/push.log")"
for path in "${closure[-1]}" "${second[-1]}" "${third[-1]}"; do
  hash=${path#/nix/store/}
  curl -sf --netrc-file "$XDG_CONFIG_HOME/nix/netrc" "$url/hello/${hash%%-*}.narinfo" | sed -n 's/^Compression: //p'
done >"$work/compressions"
[[ $(paste -sd ' ' "$work/compressions") == 'zstd none xz' ]] || die "the narinfos say $(paste -sd ' ' "$work/compressions")"
pull "$work/store-all" "${closure[-1]}" "${second[-1]}" "${third[-1]}" >"$work/pull.log" 2>&1 || die "the pull failed: $(tail -n 5 "$work/pull.log")"
verify_pulled "$work/store-all" "${closure[@]}" "${second[@]}" "${third[@]}"

say 'a pull of what is stored in brotli goes on where it broke'
hash=${second[-1]#/nix/store/}
narinfo=$(curl -sf --netrc-file "$XDG_CONFIG_HOME/nix/netrc" "$url/hello/${hash%%-*}.narinfo")
nar=$url/hello/$(sed -n 's/^URL: //p' <<<"$narinfo")
curl -sf --netrc-file "$XDG_CONFIG_HOME/nix/netrc" -r 0-99 -o "$work/part.nar" "$nar"
curl -sf --netrc-file "$XDG_CONFIG_HOME/nix/netrc" -C - -o "$work/part.nar" "$nar"
[[ sha256:$(nix-hash --type sha256 --base32 --flat "$work/part.nar") == $(sed -n 's/^NarHash: //p' <<<"$narinfo") ]] || die 'the parts are not the NAR'
atticadm fsck --verify-content >"$work/fsck.log" 2>&1 || die "fsck found something: $(cat "$work/fsck.log")"
stop_server
say 'every compression keeps what it is given'
