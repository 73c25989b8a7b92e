#!/usr/bin/env bash
# The whole tutorial with the real tools and a real Nix: every command of it, and what it promises to print, word
# for word, as well as what it says in prose.
source "$(dirname "$0")/common.sh"

paths=$("$shell_dir/make-closure.sh" -n 8 -p mixed -s 71)
root=$(tail -n 1 <<<"$paths")
mapfile -t closure < <(nix-store -qR "$root")
count=${#closure[@]}
hash=${root#/nix/store/}
hash=${hash%%-*}

# --- The server on a machine without any configuration -----------------------------------------------------------
say 'first run'
start_server
token=$(root_token)
[[ $token =~ ^eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$ ]] || die "no root token in the welcome: $(cat "$server_log")"
expect_equal 'the welcome' "Tetryx Server 0.1.0 (release)

-----------------
Welcome to Tetryx!

A simple setup using SQLite and local storage has been configured for you in:

    $XDG_CONFIG_HOME/tetryx/server.toml

Run the following command to log into this server:

    tetryx login local $url $token

Documentations and guides:

    https://docs.tetryx.rs

Enjoy!
-----------------

Running migrations...
* Migrating NARs to chunks...
* Migrating NAR schema...
Starting API server...
Listening on [::]:$port..." "$(sed '/^Listening on/q' "$server_log")"
expect_equal 'the mode of server.toml' 600 "$(stat -c %a "$XDG_CONFIG_HOME/tetryx/server.toml")"
[[ -f $XDG_DATA_HOME/tetryx/server.db && -d $storage/packs ]] || die 'no database or no storage directory'

say 'second run'
configuration=$(sha256sum "$XDG_CONFIG_HOME/tetryx/server.toml")
stop_server
start_server
if grep -qE 'Welcome|eyJ' "$server_log"; then die 'the second run welcomes again, or shows a token'; fi
expect_equal 'server.toml after the second run' "$configuration" "$(sha256sum "$XDG_CONFIG_HOME/tetryx/server.toml")"
if [[ ${TETRYX_TEST_DATABASE:-} == postgresql || ${TETRYX_TEST_STORAGE:-} == s3 ]]; then
  stop_server
  use_foundation
  start_server
fi

# --- Cache creation ------------------------------------------------------------------------------------------------
say 'login, create'
expect_equal 'tetryx login' '✍️ Configuring server "local"' "$(tetryx login local "$url" "$token" 2>&1)"
expect_equal 'the mode of config.toml' 600 "$(stat -c %a "$XDG_CONFIG_HOME/tetryx/config.toml")"
expect_equal 'tetryx cache create' '✨ Created cache "hello" on "local"' "$(tetryx cache create hello 2>&1)"

# --- Pushing -------------------------------------------------------------------------------------------------------
push_lines() { # cache, paths: the output of a push of all of them, checked line by line
  local pushed
  pushed=$(tetryx push "$1" "$root" 2>&1) || die "tetryx push failed: $pushed"
  expect_equal 'the first line of tetryx push' \
    "⚙️ Pushing $count paths to \"$1\" on \"local\" (0 already cached, 0 in upstream)..." "$(head -n 1 <<<"$pushed")"
  expect_match 'tetryx push' '✅ [0-9a-z]{32}-[^ ]+ \(([0-9.]+ [KMG]?i?B/s(, [0-9.]+% deduplicated)?|deduplicated)\)' "$(tail -n +2 <<<"$pushed")"
  expect_equal 'the pushed paths' "$(printf '%s\n' "${closure[@]##*/}" | sort)" "$(tail -n +2 <<<"$pushed" | cut -d' ' -f2 | sort)"
}
say "push of $count paths"
push_lines hello
expect_contains 'a second push' "$count already cached" "$(tetryx push hello "$root" 2>&1)"

say 'paths signed by an upstream key stay at home'
upstream=$("$shell_dir/make-closure.sh" -n 2 -p tiny -s 72)
if ! nix path-info --sigs "$(head -n 1 <<<"$upstream")" | grep -q ' cache.nixos.org-1:'; then
  # The filter goes by the key's name, so a key of our own with that name will do.
  nix-store --generate-binary-cache-key cache.nixos.org-1 upstream.key upstream.pub
  nix store sign -k "$work/upstream.key" "$(head -n 1 <<<"$upstream")"
fi
expect_contains 'a push with an upstream path' 'Pushing 1 paths to "hello" on "local" (0 already cached, 1 in upstream)...' \
  "$(tetryx push hello "$(tail -n 1 <<<"$upstream")" 2>&1)"

say 'the same paths in another cache are stored once'
tetryx cache create other 2>/dev/null
before=$(pack_bytes)
push_lines other
expect_equal 'the size of the packs after pushing the same to another cache' "$before" "$(pack_bytes)"

# --- Pulling -------------------------------------------------------------------------------------------------------
say 'use'
mkdir -p "$XDG_CONFIG_HOME/nix"
printf '# mine\nkeep-going = true\n' >"$XDG_CONFIG_HOME/nix/nix.conf"
used=$(tetryx use hello 2>&1)
key=$(sed -n 's/^+ Trusted Public Key: //p' <<<"$used")
[[ $key =~ ^hello:[A-Za-z0-9+/]{43}=$ ]] || die "not a public key: $key"
expect_equal 'tetryx use' "Configuring Nix to use \"hello\" on \"local\":
+ Substituter: $url/hello
+ Trusted Public Key: $key
+ Access Token" "$used"
expect_equal 'the lines of nix.conf that were there' $'# mine\nkeep-going = true' "$(head -n 2 "$XDG_CONFIG_HOME/nix/nix.conf")"
expect_equal 'the mode of netrc' 600 "$(stat -c %a "$XDG_CONFIG_HOME/nix/netrc")"
files=$(sha256sum "$XDG_CONFIG_HOME"/nix/*)
tetryx use hello >/dev/null 2>&1
expect_equal 'nix.conf and netrc after a second tetryx use' "$files" "$(sha256sum "$XDG_CONFIG_HOME"/nix/*)"

say 'pull, signatures required'
pulled=$(pull "$work/nix-demo" "$root" 2>&1) || die "the pull failed: $pulled"
for path in "${closure[@]}"; do expect_contains 'the pull' "copying path '$path' from '$url/hello'..." "$pulled"; done
expect_equal 'the last line of the pull' "$root" "$(tail -n 1 <<<"$pulled")"
verify_pulled "$work/nix-demo" "${closure[@]}"

say 'without the key or without the token nothing is pulled'
expect_failure 'a pull without the key' pull "$work/nix-no-key" "$root" --option trusted-public-keys ''
expect_contains 'a pull without the key' 'is not signed by any of the keys' "$output"
expect_failure 'a pull without the token' pull "$work/nix-no-token" "$root" --option netrc-file /dev/null

# --- Access control ------------------------------------------------------------------------------------------------
say 'tokens'
jwt_part() { # number, token
  local part
  part=$(cut -d. -f"$1" <<<"$2" | tr '_-' '/+')
  while ((${#part} % 4)); do part+='='; done
  base64 -d <<<"$part"
}
check_token() { # token, permissions as JSON
  expect_equal "a token's header" 'eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9' "${1%%.*}"
  local claims expiry late
  claims=$(jwt_part 2 "$1")
  expiry=$(sed -n 's/.*"exp":\([0-9]*\).*/\1/p' <<<"$claims")
  # Behind what the tutorial shows: when it was made, and what it is revoked by.
  expect_match "what follows in a token's claims" ',"iat":[0-9]+,"jti":"[0-9a-f]{32}"}' ",\"iat\":${claims##*,\"iat\":}"
  expect_equal "a token's claims" "{\"sub\":\"alice\",\"exp\":$expiry,\"https://jwt.attic.rs/v1\":{\"caches\":$2}}" "${claims%%,\"iat\":*}}"
  # Three months of 30.44 days.
  late=$(($(date +%s) + 7890048 - expiry))
  ((late >= 0 && late < 60)) || die "the token expires $late seconds off"
}
alice=$(atticadm make-token --sub alice --validity '3 months' --pull hello --push hello)
check_token "$alice" '{"hello":{"r":1,"w":1}}'
creator=$(atticadm make-token --sub alice --validity '3 months' --pull 'alice-*' --push 'alice-*' --create-cache 'alice-*')
check_token "$creator" '{"alice-*":{"r":1,"w":1,"cc":1}}'
dumped=$(atticadm make-token --sub alice --validity '3 months' --pull hello --dump-claims)
expect_contains 'the dumped claims' '"alice"' "$dumped"
expect_contains 'the dumped claims' 'https://jwt.attic.rs/v1' "$dumped"
[[ $dumped != eyJ* ]] || die '--dump-claims printed a token'

say "a token for hello sees hello and nothing else"
for scheme in bearer basic; do
  case $scheme in bearer) as_alice=(-H "Authorization: Bearer $alice") ;; basic) as_alice=(-u ":$alice") ;; esac
  expect_status "alice on hello ($scheme)" 200 "${as_alice[@]}" "$url/hello/nix-cache-info"
  expect_status "alice on hello's path ($scheme)" 200 "${as_alice[@]}" "$url/hello/$hash.narinfo"
  expect_status "alice on an absent path ($scheme)" 404 "${as_alice[@]}" "$url/hello/00000000000000000000000000000000.narinfo"
  for cache in other nowhere; do
    for page in "$cache/nix-cache-info" "$cache/$hash.narinfo" "_api/v1/cache-config/$cache"; do
      expect_status "alice on /$page ($scheme)" 401 "${as_alice[@]}" "$url/$page"
      expect_contains "the answer to alice on /$page" '{"code":401,"error":"Unauthorized","message":"Unauthorized' "$(cat http-body)"
    done
  done
done
expect_status 'nobody on hello' 401 "$url/hello/nix-cache-info"
expect_status 'root on a cache that is not there' 404 -H "Authorization: Bearer $token" "$url/nowhere/nix-cache-info"
as_client() { # configuration's name, token, tetryx arguments
  local home=$work/client-$1
  XDG_CONFIG_HOME=$home tetryx login local "$url" "$2" >/dev/null 2>&1
  XDG_CONFIG_HOME=$home tetryx "${@:3}" 2>&1
}
expect_contains 'alice pushes to hello' "$count already cached" "$(as_client alice "$alice" push hello "$root")"
expect_failure 'alice pushes to other' as_client alice "$alice" push other "$root"
expect_failure 'alice creates a cache without the permission' as_client alice "$alice" cache create alice-one
expect_equal 'alice creates a cache of hers' '✨ Created cache "alice-one" on "local"' "$(as_client creator "$creator" cache create alice-one)"
expect_failure 'alice creates a cache of another name' as_client creator "$creator" cache create bob-one
expect_contains 'alice pushes to her cache' "Pushing $count paths" "$(as_client creator "$creator" push alice-one "$root")"

# --- Going public --------------------------------------------------------------------------------------------------
say 'public'
expect_equal 'tetryx cache configure --public' '✅ Configured "hello" on "local"' "$(tetryx cache configure hello --public 2>&1)"
expect_equal 'nix-cache-info' $'WantMassQuery: 1\nStoreDir: /nix/store\nPriority: 41\nGetNarInfosV1: get-narinfos-v1' "$(curl -s "$url/hello/nix-cache-info")"
expect_contains 'the retention after --public alone' 'Retention Period: Global Default' "$(tetryx cache info hello 2>&1)"
pull "$work/nix-public" "$root" --option netrc-file /dev/null >/dev/null 2>&1 || die 'nobody cannot pull from the public cache'
expect_status 'nobody on other' 401 "$url/other/nix-cache-info"

# --- Garbage collection --------------------------------------------------------------------------------------------
say 'retention of a second, collection'
expect_equal 'tetryx cache configure --retention-period' '✅ Configured "hello" on "local"' \
  "$(tetryx cache configure hello --retention-period '1s' 2>&1)"
sleep 2
collect_garbage
expect_failure 'a pull of what was collected' pull "$work/nix-demo-2" "$root"
expect_contains 'the pull of what was collected' "don't know how to build these paths:
  $root" "$output"
expect_status 'the narinfo of what was collected' 404 "$url/hello/$hash.narinfo"
expect_equal 'the answer for what was collected' \
  '{"code":404,"error":"NoSuchObject","message":"The requested object does not exist."}' "$(cat http-body)"

say 'space is freed only when no cache refers to it'
expect_status 'the same path in another cache' 200 -H "Authorization: Bearer $token" "$url/other/$hash.narinfo"
[[ $(pack_bytes) -gt 0 ]] || die 'the chunks of another cache were collected'
for cache in other alice-one; do tetryx cache destroy "$cache" --no-confirm >/dev/null 2>&1 || die "cannot destroy $cache"; done
collect_garbage
expect_equal 'what is left of packs' '' "$(stray_files)"

say 'reset, info'
expect_equal 'tetryx cache configure --reset-retention-period' '✅ Configured "hello" on "local"' \
  "$(tetryx cache configure hello --reset-retention-period 2>&1)"
expect_equal 'tetryx cache info' "               Public: true
           Public Key: $key
Binary Cache Endpoint: $url/hello
         API Endpoint: $url/
      Store Directory: /nix/store
             Priority: 41
  Upstream Cache Keys: [\"cache.nixos.org-1\"]
     Retention Period: Global Default" "$(tetryx cache info hello 2>&1)"

say 'what was collected can be pushed again'
push_lines hello
pull "$work/nix-again" "$root" >/dev/null 2>&1 || die 'the path that was pushed again does not pull'
verify_pulled "$work/nix-again" "${closure[@]}"
stop_server
say 'every line holds'
