#!/usr/bin/env bash
# A token that was revoked opens nothing within 5 seconds on a running server, and what it had begun ends; its holder's next one
# does.
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

say 'what it had begun'
carol=$(atticadm make-token --sub carol --validity '1 day' --pull hello --push hello)
mkdir large small && head -c 40000000 /dev/urandom >large/noise && head -c 20000000 /dev/urandom >small/noise
path=$(nix-store --add large)
tetryx push hello "$path" 2>/dev/null
hash=${path#/nix/store/}
nar=$url/hello/nar/${hash%%-*}.nar
nix-store --dump small >small.nar
file=$(nix-hash --flat --type sha256 --base32 small.nar)
# Asked for before, so that the loops give it by themselves.
for ((tries = 0; tries < 2; tries++)); do curl -s -o /dev/null -H "Authorization: Bearer $carol" "$nar"; done
begun_at=$(date +%s.%N)
curl -s --limit-rate 1M -o pulled -H "Authorization: Bearer $carol" "$nar" 2>/dev/null &
pulling=$!
curl -s --limit-rate 1M -o put-answer -w '%{http_code}' -H "Authorization: Bearer $carol" -T small.nar "$url/hello/nar/$file.nar" >put-status 2>/dev/null &
putting=$!
exec 7<>"/dev/tcp/localhost/$port"
ask_again() { # over the connection that is kept; the status
  local line
  printf 'GET /hello/nix-cache-info HTTP/1.1\r\nHost: localhost:%s\r\nAuthorization: Bearer %s\r\nIf-None-Match: *\r\n\r\n' "$port" "$carol" >&7
  while IFS= read -r -t 10 line <&7; do
    case $line in HTTP/1.1*) printf '%s\n' "${line:9:3}" ;; $'\r') return ;; esac
  done
  die 'the connection that was kept has ended'
}
expect_equal 'the kept connection, before' 304 "$(ask_again)"
for ((tries = 0; tries < 100; tries++)); do [[ -s pulled ]] && break; sleep 0.05; done
revoked_at=$(date +%s.%N)
atticadm token revoke carol 2>>"$work/revoke.log"
pull_status=0
wait "$pulling" || pull_status=$?
[[ $pull_status != 0 && $(stat -c %s pulled) -lt 30000000 ]] || die "a pull that had begun went on (curl: $pull_status)"
put_status=0
wait "$putting" || put_status=$?
[[ $(cat put-status) == 401 || $put_status != 0 ]] || die 'a push that had begun was taken'
# curl goes on with what its socket holds; when the server let go of both stands in its log, in milliseconds from when they began.
ended() { # what, pattern of its line
  local line after
  for ((tries = 0; tries < 50; tries++)); do line=$(grep -E "$2" "$server_log" | tail -n 1) && break; sleep 0.1; done
  [[ -n $line ]] || die "$1 is not in the log"
  after=$(sed -E 's/.* bytes, ([0-9.]+) ms, .*/\1/' <<<"$line" | awk -v begun="$begun_at" -v revoked="$revoked_at" '{ printf "%.1f", $1 / 1000 - (revoked - begun) }')
  say "$1 that had begun was ended $after s after the revocation: $(grep -oE ' [0-9]{3}, [0-9]+ bytes, [0-9.]+ ms' <<<"$line")"
  awk -v after="$after" 'BEGIN { exit !(after > -1 && after < 5) }' || die "$1 went on for $after s"
}
ended 'a pull' "GET /hello/nar/${hash%%-*}.nar 200, .*, not sent whole"
ended 'a push' "PUT /hello/nar/$file.nar (401|400), "
printf 'GET /hello/nix-cache-info HTTP/1.1\r\nHost: localhost:%s\r\nAuthorization: Bearer %s\r\n\r\n' "$port" "$carol" >&7
IFS= read -r -t 10 line <&7
expect_equal 'the kept connection, afterwards' 401 "${line:9:3}"
exec 7>&-
expect_equal 'the file that it pushed' 404 "$(http_status -I -H "Authorization: Bearer $(root_token)" "$url/hello/nar/$file.nar")"

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
