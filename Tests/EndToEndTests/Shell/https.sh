#!/usr/bin/env bash
# tetryx and Nix through an nginx that does TLS with a certificate of a private authority: push, pull, a path in the URL,
# redirects, proxies, and a server that is killed in the middle of a push.
source "$(dirname "$0")/common.sh"
source "$shell_dir/tls-common.sh"
authority stranger
plain_port=$(free_port)
proxy_port=$(free_port)
start_nginx "server { listen 127.0.0.1:$plain_port; return 307 $tls_url\$request_uri; }" "
    location / { proxy_pass http://127.0.0.1:$port; }
    location /below/a/path/ { proxy_pass http://127.0.0.1:$port/; }"
python3 "$shell_dir/forward-proxy.py" "$proxy_port" "$work/proxy.log" >proxy-out 2>&1 &
proxy_pid=$!
trap 'status=$?; kill "$nginx_pid" "$proxy_pid" 2>/dev/null; (exit "$status"); finish' EXIT
for ((tries = 0; tries < 200; tries++)); do
  [[ ! -s proxy-out ]] || break
  sleep 0.05
done

ends_with() { # what, exit code, text that it says, command...
  local status=0
  output=$("${@:4}" 2>&1) || status=$?
  [[ $status == "$2" ]] || die "$1 ended with $status, not $2: $output"
  expect_contains "$1" "$3" "$output"
}

# --- Push and pull ---------------------------------------------------------------------------------------------------
say 'push and pull over TLS'
start_server
token=$(root_token)
tetryx login secure "$tls_url" "$token" 2>/dev/null
tetryx cache create hello 2>/dev/null
mapfile -t closure < <("$shell_dir/make-closure.sh" -n 12 -p mixed -s "$RANDOM$RANDOM")
head -c 20000000 /dev/urandom >large
large=$(nix-store --add large)
ends_with 'a push' 0 "Pushing" tetryx push hello "${closure[-1]}" "$large"
ends_with 'tetryx use' 0 "+ Substituter: $tls_url/hello" tetryx use hello
if [[ $output == *⚠️* ]]; then die "tetryx use warns: $output"; fi
expect_equal 'the netrc' "machine localhost password $token" "$(cat "$XDG_CONFIG_HOME/nix/netrc")"
pull "$work/pulled" "${closure[-1]}" "$large" >pull.log 2>&1 || die "the pull failed: $(tail -n 5 pull.log)"
expect_contains 'the pull' "from '$tls_url/hello'" "$(cat pull.log)"
verify_pulled "$work/pulled" "${closure[@]}" "$large"

say 'who is not believed'
SSL_CERT_FILE=$work/stranger.pem NIX_SSL_CERT_FILE='' ends_with 'an unknown authority' 4 \
  "its certificate was issued by \"CN = ca\", which is not among the authorities of $work/stranger.pem (SSL_CERT_FILE)" tetryx cache info hello
ends_with 'another host' 4 'its certificate is not for 127.0.0.2 but for DNS:localhost, IP Address:127.0.0.1' tetryx cache info "https://127.0.0.2:$tls_port/hello"
ends_with 'a port without TLS' 4 'is not TLS' tetryx cache info "https://localhost:$port/hello"
ends_with 'a port where nobody is' 4 'Connection refused' tetryx cache info "https://localhost:$(free_port)/hello"
ends_with 'TLS by the address, anonymously' 3 'the server wants a token' tetryx cache info "https://127.0.0.1:$tls_port/hello"

say 'a path in the URL'
tetryx login below "$tls_url/below/a/path/" "$token" 2>/dev/null
path=$("$shell_dir/make-closure.sh" -n 1 -p tiny -s "$RANDOM$RANDOM")
ends_with 'a push below a path' 0 "✅ ${path#/nix/store/}" tetryx push below:hello "$path"
ends_with 'tetryx use below a path' 0 "substituter-endpoint in its server.toml has to be $tls_url/below/a/path/" tetryx use below:hello

say 'redirects'
tetryx login redirected "http://localhost:$plain_port" "$token" 2>/dev/null
ends_with 'a redirect to another port' 3 "the server redirects to $tls_url, which is not shown the token" tetryx cache info redirected:hello
tetryx cache configure hello --public 2>/dev/null
ends_with 'a redirect without a token' 0 'Public Key' tetryx cache info "http://localhost:$plain_port/hello"
tetryx cache configure hello --private 2>/dev/null

say 'through proxies'
path=$("$shell_dir/make-closure.sh" -n 1 -p tiny -s "$RANDOM$RANDOM")
proxied() { https_proxy="http://user:pa%40ss@127.0.0.1:$proxy_port" http_proxy=user:pa%40ss@127.0.0.1:$proxy_port "$@"; }
proxied ends_with 'a push through CONNECT' 0 "✅ ${path#/nix/store/}" tetryx push hello "$path"
expect_match 'what the proxy was asked' "200 CONNECT localhost:$tls_port HTTP/1.1 Host: localhost:$tls_port Proxy-Authorization: Basic [^ ]*" "$(cat proxy.log)"
rm proxy.log
tetryx login plain "$url" "$token" 2>/dev/null
proxied ends_with 'http through a proxy' 0 'Public Key' tetryx cache info plain:hello
expect_contains 'what the proxy was asked' "200 GET http://localhost:$port/_api/v1/cache-config/hello HTTP/1.1" "$(cat proxy.log)"
rm proxy.log
no_proxy=localhost proxied ends_with 'an exception' 0 'Public Key' tetryx cache info hello
[[ ! -e proxy.log ]] || die "the proxy was asked in spite of no_proxy: $(cat proxy.log)"
https_proxy=http://user:wrong@127.0.0.1:$proxy_port ends_with 'a wrong password' 4 'does not accept the user name and the password' tetryx cache info hello
if [[ $output == *wrong* ]]; then die "the password is shown: $output"; fi
proxied pull "$work/pulled-by-proxy" "$path" >pull.log 2>&1 || die "the pull through the proxy failed: $(tail -n 5 pull.log)"

# --- A server that is away for a while -----------------------------------------------------------------------------------
say 'a server that is killed in the middle of a push'
mkdir many
for ((number = 0; number < 60; number++)); do head -c 600000 /dev/urandom >"many/$number"; done
mapfile -t paths < <(nix-store --add many/*)
: >nginx-access.log
tetryx push hello -j 2 "${paths[@]}" >push.out 2>&1 &
push_pid=$!
for ((tries = 0; tries < 2000; tries++)); do
  if grep -q '^200 PUT /_api/v1/upload-path$' nginx-access.log; then break; fi
  sleep 0.01
done
kill_server
for ((tries = 0; tries < 200; tries++)); do
  if grep -q '^502 ' nginx-access.log; then break; fi
  sleep 0.05
done
sleep 1
start_server
push_status=0
wait "$push_pid" || push_status=$?
[[ $push_status == 0 ]] || die "the push ended with $push_status: $(tail -n 5 push.out)"
grep -q '^502 ' nginx-access.log || die 'the push was over before the server was killed'
expect_equal 'the paths that were pushed' 60 "$(grep -c '^✅ ' push.out)"
[[ $(grep -c '^⏳ Waiting' push.out || true) -le 1 ]] || die "it is said more than once that it is waited: $(cat push.out)"
pull "$work/pulled-after" "${paths[@]}" >pull.log 2>&1 || die "the pull failed: $(tail -n 5 pull.log)"
verify_pulled "$work/pulled-after" "${paths[@]}"
stop_server
say "$(grep -c '^502 ' nginx-access.log) requests met no server, and were sent again"
