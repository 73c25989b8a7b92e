#!/usr/bin/env bash
# Content-addressed derivations that one machine has built are not built by another: it learns from the cache what they came
# to be, and believes it by the cache's signature alone.
source "$(dirname "$0")/common.sh"

echo 'experimental-features = nix-command ca-derivations' >>"$NIX_CONF_DIR/nix.conf"
start_server
tetryx login local "$url" "$(root_token)" 2>/dev/null

# Two machines with one store directory, one after the other: the machine's own store stays without the tables of this feature.
export NIX_STORE_DIR=$work/nix/store NIX_STATE_DIR=$work/nix/var NIX_LOG_DIR=$work/nix/log
# A machine asks one cache: with two, the race that `build` speaks of is lost most of the time.
new_machine() { # cache
  [[ ! -e $work/nix ]] || { chmod -R u+w "$work/nix" && rm -rf "$work/nix"; }
  mkdir -p "$NIX_STORE_DIR"
  rm -f "$XDG_CONFIG_HOME/nix/nix.conf"
  [[ -z ${1:-} ]] || tetryx use "$1" >/dev/null 2>&1
}
# Every build leaves a mark, and fails where it is not allowed.
cat >"$work/ca.nix" <<NIX
let
  make = attributes: derivation ({
    system = builtins.currentSystem; builder = "/bin/sh"; PATH = "/usr/bin:/bin";
    __contentAddressed = true; outputHashMode = "recursive"; outputHashAlgo = "sha256";
  } // attributes);
in rec {
  library = make { name = "library"; outputs = [ "out" "dev" ];
    args = [ "-c" "echo library >>$work/marks; test -e $work/allowed && mkdir \$out \$dev && echo code >\$out/lib && echo \$out >\$dev/header" ]; };
  tool = make { name = "tool"; args = [ "-c" "echo tool >>$work/marks; test -e $work/allowed && mkdir \$out && echo uses \${library} >\$out/tool" ]; };
  # Another derivation that comes to the same.
  again = make { name = "tool"; note = "a comment";
    args = [ "-c" "echo again >>$work/marks; test -e $work/allowed && mkdir \$out && echo uses \${library} >\$out/tool" ]; };
}
NIX
marks() { sort "$work/marks" 2>/dev/null | tr '\n' ' '; }
build() { # attribute; its output
  local tries
  for tries in 1 2 3 4 5; do
    nix_fresh nix-build --no-out-link "$work/ca.nix" -A "$1" 2>"$work/build.log" && return
    # Two threads of Nix 2.8 may close the pipe by which a realisation was waited for, and one of them what another had opened
    # meanwhile (nix/src/libstore/build/drv-output-substitution-goal.cc, mended later). It says so, and has built nothing.
    grep -q 'Bad file descriptor' "$work/build.log" || break
  done
  die "$1 does not build: $(tail -n 5 "$work/build.log")"
}

say 'built on one machine, and pushed'
new_machine
nix-store --generate-binary-cache-key builder-1 "$work/builder.key" "$work/builder.pub"
touch "$work/allowed"
tool=$(NIX_CONFIG="secret-key-files = $work/builder.key" build tool)
expect_equal 'what was built' 'library tool ' "$(marks)"
closure=$(nix-store -qR "$tool")
tetryx cache create hello --store-dir "$NIX_STORE_DIR" 2>/dev/null
pushed=$(tetryx push hello "$tool" 2>&1) || die "the push failed: $pushed"
expect_equal 'the lines of the push' 3 "$(wc -l <<<"$pushed")"
again=$(build again)
expect_equal 'the output of another derivation' "$tool" "$again"
expect_contains 'a push of what is there by another derivation' 'All done!' "$(tetryx push hello "$again" 2>&1)"
# To copy what a derivation made, the derivation is needed too.
tetryx push hello "$(nix-instantiate "$work/ca.nix" -A tool 2>/dev/null)" >/dev/null 2>&1 || die 'the push of the derivation failed'

say 'and by plain Nix'
tetryx cache create plain --store-dir "$NIX_STORE_DIR" 2>/dev/null
tetryx use plain >/dev/null 2>&1
nix_fresh nix copy --to "$url/plain" -f "$work/ca.nix" tool >"$work/copy.log" 2>&1 || die "nix copy failed: $(cat "$work/copy.log")"

say 'a realisation carries the signatures of builder and cache'
id=$(sqlite3 "$NIX_STATE_DIR/db/db.sqlite" "SELECT drvPath || '!' || outputName FROM Realisations r JOIN ValidPaths p ON p.id = r.outputPath WHERE p.path = '$tool' ORDER BY r.id LIMIT 1")
found=$(curl -sf --netrc-file "$XDG_CONFIG_HOME/nix/netrc" "$url/hello/realisations/$id.doi") || die "there is no realisation $id"
expect_contains 'the realisation' "\"outPath\":\"${tool##*/}\"" "$found"
expect_contains 'the realisation' '"signatures":["hello:' "$found"
expect_contains 'the realisation' '"builder-1:' "$found"
expect_status 'a realisation without a token' 401 "$url/hello/realisations/$id.doi"

say 'substituted on another machine, where building would fail'
rm "$work/allowed" "$work/marks"
while read -r cache attribute; do
  new_machine "$cache"
  expect_equal "$attribute on another machine, from $cache" "$tool" "$(build "$attribute")"
  expect_equal 'what was built there' '' "$(marks)"
  nix-store --verify-path $closure || die 'nix-store --verify-path found damage'
  expect_equal 'what it holds' "uses $(nix-store -q --references "$tool")" "$(cat "$tool/tool")"
done <<<$'hello tool\nhello again\nplain tool'

say 'a copy checks the signatures of realisations too'
new_machine hello
nix_fresh nix copy --from "$url/hello" -f "$work/ca.nix" tool >"$work/copy.log" 2>&1 || die "nix copy failed: $(cat "$work/copy.log")"
new_machine hello
expect_failure 'a copy without the key' nix_fresh nix copy --from "$url/hello" -f "$work/ca.nix" tool --option trusted-public-keys ''

say 'what nobody pushed is built, and that fails'
new_machine
expect_failure 'a build without a substituter' nix_fresh nix-build --no-out-link "$work/ca.nix" -A tool
expect_equal 'what was tried' 'library ' "$(marks)"
rm "$work/marks"
stop_server
say 'nothing was built twice'
