#!/usr/bin/env bash
# What builds printed goes along with what they made, and comes back by Nix's own commands, in its own words.
source "$(dirname "$0")/common.sh"

start_server
tetryx login local "$url" "$(root_token)" 2>/dev/null
tetryx cache create hello 2>/dev/null
tetryx use hello >/dev/null 2>&1
netrc=(--netrc-file "$XDG_CONFIG_HOME/nix/netrc")

# Logs of our own, so that none of the machine's can be found.
export NIX_LOG_DIR=$work/log
build() { # name, shell commands, Nix's options...; the derivation is in $drv and its output in $out
  cat >"$work/$1.nix" <<NIX
derivation { name = "$1"; system = builtins.currentSystem; builder = "/bin/sh"; seed = "$work"; args = [ "-c" "$2; echo made >\$out" ]; }
NIX
  drv=$(nix-instantiate "$work/$1.nix" 2>/dev/null)
  out=$(nix-build --no-out-link "${@:3}" "$work/$1.nix" 2>"$work/build.log") || die "$1 does not build: $(cat "$work/build.log")"
}
push() { # tetryx push's arguments; what it said is in $pushed
  pushed=$(tetryx push "$@" 2>&1) || die "the push failed: $pushed"
}
expect_log() { # what, expected text, nix log's arguments
  expect_equal "$1" "$2" "$(nix_fresh nix log "${@:3}" 2>"$work/nix-log.err" || cat "$work/nix-log.err")"
}
log_url() { echo "$url/hello/log/${1#/nix/store/}"; } # derivation

say 'the log of a build goes with its path'
build compressed 'echo first; echo zweite Zeile, ärger als die erste >&2'
text=$'first\nzweite Zeile, ärger als die erste'
[[ -f $work/log/drvs/${drv:11:2}/${drv:13}.bz2 ]] || die 'Nix keeps its logs elsewhere'
push hello "$out"
expect_equal 'the lines of the push' 2 "$(wc -l <<<"$pushed")"
mv "$work/log" "$work/first-log"
expect_log 'nix log of the cache' "$text" --store "$url/hello" "$out"
expect_log 'nix log of a store that has no logs, and asks its substituters' "$text" "$drv"
pull "$work/other" "$out" >"$work/pull.log" 2>&1 || die "the pull failed: $(tail -n 5 "$work/pull.log")"
expect_log 'nix log of the store that it was pulled into' "$text" --store "$work/other" "$out"
expect_equal 'the log by curl' "$text" "$(curl -sf "${netrc[@]}" "$(log_url "$drv")")"
expect_status 'the log without a token' 401 "$(log_url "$drv")"

say 'a long one, kept as it is'
build plain 'i=0; while [ $i -lt 20000 ]; do echo line $i of many; i=$((i + 1)); done' --option compress-build-log false
push hello "$out"
expect_equal 'the long log' "$(cat "$work/log/drvs/${drv:11:2}/${drv:13}")" "$(nix_fresh nix log --store "$url/hello" "$out" 2>/dev/null)"
read -r coding byte_count < <(curl -sf "${netrc[@]}" -H 'Accept-Encoding: zstd' -o "$work/long.zst" -w '%header{content-encoding} %{size_download}\n' "$(log_url "$drv")")
expect_equal 'its coding' zstd "$coding"
((byte_count < 100000)) || die "the log of $(stat -c %s "$work/log/drvs/${drv:11:2}/${drv:13}") bytes came in $byte_count"

say 'no log where there is none, or none is wanted'
build silent ':'
push hello "$out"
expect_status 'the log of a build that printed nothing' 404 "${netrc[@]}" "$(log_url "$drv")"
build secret 'echo hush'
push --no-logs hello "$out"
expect_status 'the log of a push without logs' 404 "${netrc[@]}" "$(log_url "$drv")"
expect_failure 'nix log of what has none' nix_fresh nix log --store "$url/hello" "$out"
expect_contains 'its error' 'is not available' "$output"

say 'plain Nix puts it there'
nix store copy-log --to "$url/hello" "$drv" 2>"$work/copy.log" || die "nix store copy-log failed: $(cat "$work/copy.log")"
expect_log 'nix log of what plain Nix put' hush --store "$url/hello" "$out"
for coding in gzip xz; do
  printf 'by curl, in %s\n' "$coding" | "$coding" -c >"$work/encoded"
  expect_status "a log in $coding" 200 "${netrc[@]}" -X PUT -H "Content-Encoding: $coding" --data-binary @"$work/encoded" "$(log_url "$drv")"
  expect_log "nix log of what came in $coding" "by curl, in $coding" --store "$url/hello" "$out"
done

say 'a log that cannot be sent fails no push'
build damaged 'echo what cannot be read'
echo 'no bzip2' >"$work/log/drvs/${drv:11:2}/${drv:13}.bz2"
push hello "$out"
expect_contains 'the push' '⚠️ 1 of 1 build log could not be sent:' "$pushed"
expect_contains 'the push' "✅ ${out#/nix/store/} (" "$pushed"
stop_server
say 'every log is read'
