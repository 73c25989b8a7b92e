#!/usr/bin/env bash
# Plain Nix pushes a closure with each compression that it writes, pulls it back with signatures required, and the second
# time sends nothing.
#
#   nix-copy.sh [PATHS] [PROFILE]     default 40 mixed; "nix-copy.sh 12 big" for large paths
source "$(dirname "$0")/common.sh"
count=${1:-40} profile=${2:-mixed}

say "making $count $profile paths"
mapfile -t closure < <("$shell_dir/make-closure.sh" -n "$count" -p "$profile" -s 84)
root=${closure[-1]}
start_server
tetryx login local "$url" "$(root_token)" 2>/dev/null
compressions=(none xz zstd gzip br)
for compression in "${compressions[@]}" bzip2; do
  tetryx cache create "of-$compression" 2>/dev/null
  tetryx use "of-$compression" >/dev/null 2>&1
done

copy() { # compression, nix's further arguments: as someone would whose Nix remembers nothing
  nix_fresh nix copy --to "$url/of-$1?compression=$1" "$root" "${@:2}"
}
log_from=1
logged() { # the lines of the access log since the last call, all of them
  local tries mark=mark-$RANDOM$RANDOM
  curl -s -o /dev/null "$url/$mark"
  for ((tries = 0; tries < 400; tries++)); do
    if grep -q "/$mark" "$server_log"; then break; fi
    sleep 0.05
  done
  local upto
  upto=$(wc -l <"$server_log")
  sed -n "$log_from,${upto}p" "$server_log" >"$work/logged"
  log_from=$((upto + 1))
}

first_bytes=0 grown=0
for compression in "${compressions[@]}"; do
  logged
  before=$(pack_bytes)
  began=$(date +%s.%N)
  copy "$compression" >"$work/copy.log" 2>&1 || die "nix copy with $compression failed: $(tail -n 5 "$work/copy.log")"
  elapsed=$(seconds_since "$began")
  logged
  nars=$(grep -c ' PUT /[^ ]*/nar/' logged || true) infos=$(grep -c ' PUT /[^ ]*\.narinfo ' logged || true)
  expect_equal "$compression: answers to PUT" '201,' "$(sed -n 's/.* PUT [^ ]* \([^ ]*\) .*/\1/p' logged | sort -u)"
  expect_equal "$compression: narinfos that were put" "$count" "$infos"
  ((nars > 0 && nars <= count)) || die "$compression: $nars NARs were put"
  bytes=$(($(pack_bytes) - before))
  if [[ $first_bytes == 0 ]]; then first_bytes=$bytes; else grown=$((grown + bytes)); fi

  copy "$compression" >"$work/copy.log" 2>&1 || die "the second nix copy with $compression failed: $(tail -n 5 "$work/copy.log")"
  logged
  expect_equal "$compression: PUTs of the second copy" '' "$(grep ' PUT ' logged || true)"
  asked=$(grep -c ' GET /[^ ]*\.narinfo 200,' logged || true)
  say "$compression: $nars NARs and $infos narinfos put in $elapsed s, $bytes bytes stored; the second copy: $asked narinfos read, nothing put"

  pull "$work/store-$compression" "$root" --option substituters "$url/of-$compression" >"$work/pull.log" 2>&1 ||
    die "the pull of $compression failed: $(tail -n 5 "$work/pull.log")"
  NIX_REMOTE='' nix-store --store "$work/store-$compression" --verify-path "${closure[@]}" || die "$compression: nix-store found damage"
done
verify_pulled "$work/store-xz" "${closure[@]}"
say "the four that came after the first grew the packs by $grown of $first_bytes bytes"
((grown * 50 <= first_bytes)) || die 'that is more than 2 %'

say 'what is not taken is refused with a sentence'
expect_failure 'a copy with bzip2' copy bzip2
expect_contains 'the refusal of bzip2' 'does not read' "$output"
expect_contains 'the refusal of bzip2' 'compression=zstd, xz, br, gzip or none' "$output"
expect_failure 'a copy without a token' copy zstd --option netrc-file /dev/null
expect_contains 'the refusal without a token' 'does not appear to be a binary cache' "$output"
expect_failure 'a pull without the key' pull "$work/store-no-key" "$root" --option trusted-public-keys ''

say 'what came along is kept'
nix-store --generate-binary-cache-key builder-1 builder.key builder.pub
nix store sign -r -k "$work/builder.key" "$root"
tetryx cache create signed 2>/dev/null
tetryx use signed >/dev/null 2>&1
nix_fresh nix copy --to "$url/signed?compression=zstd&write-nar-listing=true" "$root" >"$work/copy.log" 2>&1 || die "nix copy failed: $(tail -n 5 "$work/copy.log")"
pull "$work/store-signed" "$root" --option substituters "$url/signed" --option trusted-public-keys "$(cat builder.pub)" \
  >"$work/pull.log" 2>&1 || die "the pull by the builder's signatures failed: $(tail -n 5 "$work/pull.log")"

peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$server_pid/status")
say "at most $((peak / 1024)) MiB in the server"
((peak < 150000)) || die 'that is more than 150 MB'
stop_server
say 'every path came back equal'
