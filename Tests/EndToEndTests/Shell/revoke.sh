#!/usr/bin/env bash
# A token that was revoked opens nothing within 5 seconds on a running server; its holder's next one does.
source "$(dirname "$0")/common.sh"

start_server
tetryx login local "$url" "$(root_token)" 2>/dev/null
tetryx cache create hello 2>/dev/null

status_of() { http_status -H "Authorization: Bearer $1" "$url/hello/nix-cache-info"; }
refused_within_5_seconds() { # what, token
  local tries
  for ((tries = 0; tries < 50; tries++)); do
    if [[ $(status_of "$2") == 401 ]]; then return; fi
    sleep 0.1
  done
  die "$1 is still accepted after 5 seconds"
}

first=$(atticadm make-token --sub alice --validity '1 day' --pull hello)
second=$(atticadm make-token --sub alice --validity '1 day' --pull hello)
bob=$(atticadm make-token --sub bob --validity '1 day' --pull hello)
for token in "$first" "$second" "$bob"; do expect_equal 'a good token' 200 "$(status_of "$token")"; done

say 'one token'
atticadm token revoke "$first" 2>"$work/revoke.log"
refused_within_5_seconds 'a revoked token' "$first"
expect_contains 'the refusal' 'The token was revoked' "$(cat http-body)"
expect_equal 'another token of its holder' 200 "$(status_of "$second")"

say 'all of a subject'
atticadm token revoke alice 2>>"$work/revoke.log"
third=$(atticadm make-token --sub alice --validity '1 day' --pull hello)
refused_within_5_seconds "a revoked subject's token" "$second"
expect_equal "the subject's next token" 200 "$(status_of "$third")"
expect_equal "another subject's" 200 "$(status_of "$bob")"

say 'what is known of it'
expect_match 'the list' '[0-9TZ:-]+  (id|subject)  [0-9a-z]+' "$(atticadm token list)"
expect_contains 'the JSON list' '"name":"alice"' "$(atticadm token list --json)"
if grep -qF -e "${first##*.}" "$server_log" "$work/revoke.log"; then die 'a token is in a log'; fi
stop_server
start_server
expect_equal 'a revoked token after a restart' 401 "$(status_of "$second")"
atticadm token restore alice 2>/dev/null
for ((tries = 0; tries < 50; tries++)); do [[ $(status_of "$second") == 200 ]] && break; sleep 0.1; done
expect_equal 'a token that was restored' 200 "$(status_of "$second")"
stop_server
say 'revoked tokens open nothing'
